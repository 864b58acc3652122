//! Typed SSA to OpenCL C: the pipeline of one kernel.
//!
//! Reading order: this file (the module), `spaces` (where arrays lie), `flow` (control flow as C
//! writes it), `emit` (blocks), `ops` (operations), `prim` (scalar operations), `helpers` (the
//! functions that the text brings along), `text`.
//!
//! Invariants: the text is a function of the module alone; nothing is fused or reassociated; signed
//! arithmetic wraps; a work-item that fails writes the number of the site into the error word and
//! stops, or, where its group still waits at barriers, goes on without effects.

mod emit;
mod flow;
mod helpers;
mod ops;
mod prim;
mod spaces;
mod text;

use crate::code::Code;
use crate::data::{self, Leaf, NoData, Space, c_memory_type, c_type};
use emit::Emit;
use helpers::Helper;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ast::NodeId;
use worldage_wir::device::writes::written;
use worldage_wir::device::{FailKind, FailSite};
use worldage_wir::ir::{Body, Op, Pos, Term};
use worldage_wir::layout::Layouts;
use worldage_wir::module::{Function, Module, Unsupported, trace};
use worldage_wir::prim::Scalar;

/// Makes the text of a kernel. Law: a pure function of its arguments.
///
/// # Errors
/// What a device cannot do, with its place.
pub fn generate(layouts: &Layouts, module: &Module) -> Result<Code, Unsupported> {
    let mut generator = Generator::new(layouts, module);
    let entry = module.kernel()?;
    let mut leaves = Vec::new();
    for ty in &entry.params {
        let param = data::leaves(layouts, *ty);
        let param = param.map_err(|why| generator.refuse(&entry.body, ENTRY, why))?;
        leaves.push(param);
    }
    let spaces = leaves.iter().flatten();
    let spaces = spaces
        .filter(|leaf| matches!(leaf, Leaf::Array(_)))
        .map(|_| Space::Global)
        .collect();
    let ix = generator.function(entry.mi, spaces)?;
    let name = generator.made[ix].name.clone();
    Ok(Code {
        text: generator.finish(entry),
        entry: name,
        params: entry.params.clone(),
        leaves,
        written: written(layouts, module),
        sites: generator.sites,
        needs_double: generator.needs_double,
        needs_long_atomics: generator.needs_long_atomics,
    })
}

const ENTRY: Pos = Pos {
    frame: 0,
    node: NodeId(0),
};

/// What is known of a function before its text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// A work-item may fail in it.
    pub(super) fails: bool,
    /// It waits at a barrier.
    pub(super) waits: bool,
}

/// An array that the work-group shares.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// The place in the program that makes it.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) elem: data::Elem,
    pub(super) length: u64,
}

/// A function whose text is finished.
pub(super) struct Made {
    mi: Mi,
    spaces: Vec<Space>,
    pub(super) name: String,
    text: String,
    /// Shared arrays that it is passed, as indices into [`Generator::shared`].
    pub(super) shared: BTreeSet<usize>,
}

pub(super) struct Generator<'a> {
    pub(super) layouts: &'a Layouts,
    pub(super) module: &'a Module,
    traits: FxHashMap<Mi, Traits>,
    pub(super) made: Vec<Made>,
    names: BTreeSet<String>,
    pub(super) shared: Vec<Shared>,
    helpers: BTreeSet<Helper>,
    pub(super) sites: Vec<FailSite>,
    needs_double: bool,
    pub(super) needs_long_atomics: bool,
}

impl<'a> Generator<'a> {
    fn new(layouts: &'a Layouts, module: &'a Module) -> Generator<'a> {
        Generator {
            layouts,
            module,
            traits: FxHashMap::default(),
            made: Vec::new(),
            names: BTreeSet::new(),
            shared: Vec::new(),
            helpers: BTreeSet::new(),
            sites: Vec::new(),
            needs_double: false,
            needs_long_atomics: false,
        }
    }

    pub(super) fn callee(&self, mi: Mi) -> &'a Function {
        let function = self.module.function(mi);
        function.expect("a module holds what it calls")
    }

    /// The text of a function for arrays in these spaces, made once; its index.
    pub(super) fn function(&mut self, mi: Mi, spaces: Vec<Space>) -> Result<usize, Unsupported> {
        let known = self
            .made
            .iter()
            .position(|made| made.mi == mi && made.spaces == spaces);
        if let Some(ix) = known {
            return Ok(ix);
        }
        let function = self.callee(mi);
        let name = self.fresh(&function.name);
        let is_entry = mi == self.module.entry().mi;
        let (text, shared) = Emit::new(self, function, &name, &spaces, is_entry)?.run()?;
        self.made.push(Made {
            mi,
            spaces,
            name,
            text,
            shared,
        });
        Ok(self.made.len() - 1)
    }

    /// A name in C for a function.
    fn fresh(&mut self, name: &str) -> String {
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let plain = format!("wir_{plain}");
        let mut chosen = plain.clone();
        let mut number = 1;
        while !self.names.insert(chosen.clone()) {
            number += 1;
            chosen = format!("{plain}_{number}");
        }
        chosen
    }

    pub(super) fn traits(&mut self, mi: Mi) -> Traits {
        if let Some(traits) = self.traits.get(&mi) {
            return *traits;
        }
        let mut traits = Traits::default();
        for block in &self.callee(mi).body.blocks {
            traits.fails |= matches!(block.term, Term::Fail(_));
            for inst in &block.insts {
                match &inst.op {
                    Op::Barrier => traits.waits = true,
                    Op::Call(callee, _) => {
                        let of = self.traits(*callee);
                        traits.fails |= of.fails;
                        traits.waits |= of.waits;
                    }
                    Op::Prim(prim, _) => traits.fails |= prim.failure().is_some(),
                    Op::ArrayGet(..) | Op::ArraySet(..) | Op::Atomic(..) | Op::TupleIndex(..) => {
                        traits.fails = true;
                    }
                    _ => {}
                }
            }
        }
        self.traits.insert(mi, traits);
        traits
    }

    fn helper(&mut self, helper: Helper) -> String {
        self.helpers.insert(helper);
        helper.name()
    }

    /// The number of a site, counted from 1.
    pub(super) fn site(&mut self, kind: FailKind, body: &Body, pos: Pos) -> usize {
        let site = FailSite {
            kind,
            trace: trace(body, pos),
        };
        let known = self.sites.iter().position(|known| *known == site);
        known.unwrap_or_else(|| {
            self.sites.push(site);
            self.sites.len() - 1
        }) + 1
    }

    pub(super) fn refuse(&self, body: &Body, pos: Pos, why: NoData) -> Unsupported {
        Unsupported {
            what: why.sentence(self.layouts),
            trace: trace(body, pos),
        }
    }

    pub(super) fn leaves(&self, body: &Body, pos: Pos, ty: Ty) -> Result<Vec<Leaf>, Unsupported> {
        data::leaves(self.layouts, ty).map_err(|why| self.refuse(body, pos, why))
    }

    /// A type's name, of which the device is told.
    pub(super) fn c_type(&mut self, scalar: Scalar) -> &'static str {
        self.needs_double |= scalar == Scalar::F64;
        c_type(scalar)
    }

    /// The type of a pointer to elements.
    pub(super) fn pointer(&mut self, elem: &data::Elem, space: Space) -> String {
        match elem.scalar() {
            Some(scalar) => {
                self.needs_double |= scalar == Scalar::F64;
                format!("{space} {} *", c_memory_type(scalar))
            }
            None => format!("{space} uchar *"),
        }
    }

    fn finish(&mut self, entry: &Function) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "/* {} */", entry.shown);
        text.push_str("#pragma OPENCL FP_CONTRACT OFF\n");
        if self.needs_double {
            text.push_str("#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n");
        }
        if self.needs_long_atomics {
            text.push_str("#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable\n");
            text.push_str("#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable\n");
        }
        text.push('\n');
        text.push_str(&helpers::prelude(&self.helpers));
        let functions: Vec<&str> = self.made.iter().map(|made| &*made.text).collect();
        text.push_str(&functions.join("\n"));
        text
    }
}
