//! A body together with everything that it calls: what a device is given at once.
//!
//! A device has no cells: its code cannot call a code instance of another time. So the artifact of
//! a kernel holds the bodies of its callees too, and reads them (*body* edges): an edit of one of
//! them generates exactly the kernels that hold it.
//!
//! Invariants: the entry is the first function; callees follow in the order in which the bodies
//! name them; no function calls itself, however indirectly.

use crate::ast::NodeId;
use crate::ir::{Body, Op, Pos};
use rustc_hash::FxHashMap;
use std::fmt;
use worldage_dispatch::Ty;
use worldage_engine::Mi;

/// One method instance of a [`Module`].
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The instance.
    pub mi: Mi,
    /// Its function's name, as Wir spells it.
    pub name: String,
    /// The instance, printed: `saxpy(Float32, Array{Float32}, Array{Float32})`.
    pub shown: String,
    /// Whether it is a `kernel fn`.
    pub kernel: bool,
    /// Its argument types.
    pub params: Vec<Ty>,
    /// Its body, into which small callees have been inlined.
    pub body: Body,
}

/// An instance and all that it calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// The entry first.
    pub functions: Vec<Function>,
}

/// A node of an instance's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At {
    /// The instance.
    pub mi: Mi,
    /// The node of its method.
    pub node: NodeId,
}

/// Something in a program that a device cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// One sentence without a final point.
    pub what: String,
    /// Where, innermost first; the rest are the calls that led there.
    pub trace: Vec<At>,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        // Equality of failures is that of their text: the places are a part of it.
        self.trace
            .iter()
            .try_for_each(|at| write!(f, " @{}.{}", at.mi.0, at.node.0))
    }
}

impl Module {
    /// The entry.
    ///
    /// # Panics
    /// If the module is empty: whoever made it is wrong.
    #[must_use]
    pub fn entry(&self) -> &Function {
        &self.functions[0]
    }

    /// The entry as a kernel.
    ///
    /// # Errors
    /// It is an ordinary function.
    ///
    /// # Panics
    /// As [`Module::entry`].
    pub fn kernel(&self) -> Result<&Function, Unsupported> {
        let entry = self.entry();
        if entry.kernel {
            return Ok(entry);
        }
        let (mi, node) = (entry.mi, NodeId(0));
        Err(Unsupported {
            what: format!("{} is no kernel: define it with `kernel fn`", entry.shown),
            trace: vec![At { mi, node }],
        })
    }

    /// The function of an instance.
    #[must_use]
    pub fn function(&self, mi: Mi) -> Option<&Function> {
        self.functions.iter().find(|function| function.mi == mi)
    }

    /// Checks that nothing calls itself: a device has no stack for that.
    ///
    /// # Errors
    /// The call that closes a cycle.
    pub fn check_recursion(&self) -> Result<(), Unsupported> {
        let index: FxHashMap<Mi, usize> = self
            .functions
            .iter()
            .enumerate()
            .map(|(ix, function)| (function.mi, ix))
            .collect();
        let mut done = vec![false; self.functions.len()];
        // The path from the entry: a function and its calls that are still to be followed.
        let mut path = vec![(0, self.calls(0))];
        while let Some((from, calls)) = path.last_mut() {
            let from = *from;
            let Some((callee, pos)) = calls.pop() else {
                done[from] = true;
                path.pop();
                continue;
            };
            let callee = index[&callee];
            if path.iter().any(|(on, _)| *on == callee) {
                let name = &self.functions[callee].shown;
                return Err(Unsupported {
                    what: format!("{name} calls itself, and a device has no recursion"),
                    trace: trace(&self.functions[from].body, pos),
                });
            }
            if !done[callee] {
                path.push((callee, self.calls(callee)));
            }
        }
        Ok(())
    }

    fn calls(&self, ix: usize) -> Vec<(Mi, Pos)> {
        let insts = self.functions[ix].body.blocks.iter().rev();
        let insts = insts.flat_map(|block| block.insts.iter().rev());
        insts
            .filter_map(|inst| match inst.op {
                Op::Call(mi, _) => Some((mi, inst.pos)),
                _ => None,
            })
            .collect()
    }
}

/// The frames of a position, innermost first.
#[must_use]
pub fn trace(body: &Body, pos: Pos) -> Vec<At> {
    let mut places = Vec::new();
    let mut next = Some(pos);
    while let Some(pos) = next {
        let frame = body.frames[pos.frame as usize];
        places.push(At {
            mi: frame.mi,
            node: pos.node,
        });
        next = frame.call;
    }
    places
}
