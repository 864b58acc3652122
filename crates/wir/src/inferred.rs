//! The results of inference: the typed body, and what callers may rely on.

use crate::ast::{Inlining, MethodDef};
use crate::ir::{Body, Const, Op, Term};
use crate::schedule::{Schedule, Space};
use crate::universe::Universe;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use worldage_dispatch::Ty;
use worldage_engine::persist::{Malformed, Packed, Portable, Reader, Writer};
use worldage_engine::{Part, PartDigest, Summarize, portable};

/// A method that says nothing about inlining is inlined up to this many operations.
pub const AUTO_INLINE_COST: usize = 16;

/// What inference makes of a method instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// The typed body; see [`Inferred::body`].
    body: Packed<Body>,
    /// What the body returns.
    pub ret: Ty,
    /// What the method says about inlining.
    pub inlining: Inlining,
    /// Whether it is a kernel.
    pub kernel: bool,
    /// Whether callers may inline it, so far as it is up to this method.
    pub inline: Inline,
    /// The shape of what it returns.
    pub abi: Abi,
    /// What its schedules are; nearly no instance has any.
    tuned: Tuned,
    /// What this run of inference is called in this process.
    number: Number,
}

portable!(struct Inferred { body, ret, inlining, kernel, inline, abi, tuned, number });

/// The number of a run of inference; 0 is that of what no run of this process made. Results are
/// equal whatever made them.
#[derive(Clone, Copy, Debug)]
struct Number(u64);

impl Number {
    fn new() -> Number {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Number(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl PartialEq for Number {
    fn eq(&self, _: &Number) -> bool {
        true
    }
}

impl Portable for Number {
    fn write(&self, _: &mut Writer<'_>) {}

    fn read(_: &mut Reader<'_>) -> Result<Number, Malformed> {
        Ok(Number(0))
    }
}

/// A tuning space, and the bodies of all schedules but the first in their order.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tuned(Option<Box<(Space, Vec<Packed<Body>>)>>);

impl Portable for Tuned {
    fn write(&self, w: &mut Writer<'_>) {
        w.byte(self.0.is_some().into());
        if let Some(tuned) = &self.0 {
            tuned.write(w);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Tuned, Malformed> {
        Ok(Tuned(match r.byte()? {
            0 => None,
            _ => Some(Box::new(Portable::read(r)?)),
        }))
    }
}

/// What callers see of a callee unless they ask for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it returns; `Ty::BOTTOM` if it never does.
    pub ret: Ty,
    /// How it returns it.
    pub abi: Abi,
    /// Whether its body may be inlined.
    pub inline: Inline,
}

/// Whether callers may have an instance's body in place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inline {
    /// Never: its method says so, or it is large, or calls itself.
    Never,
    /// It is small: where the caller has room.
    Small,
    /// Its method says so.
    Always,
}

/// A digest of how a value is passed: equal for types that are held alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abi(pub u64);

impl Inferred {
    /// Of a finished body.
    #[must_use]
    pub fn new(u: &Universe, body: &Body, def: &MethodDef) -> Inferred {
        let inline = match def.inlining {
            _ if def.kernel => Inline::Never,
            Inlining::Always => Inline::Always,
            Inlining::Never => Inline::Never,
            Inlining::Auto if is_small(body) => Inline::Small,
            Inlining::Auto => Inline::Never,
        };
        let abi = Abi::of(u, body.ret);
        let (inlining, kernel) = (def.inlining, def.kernel);
        Inferred {
            ret: body.ret,
            body: Packed::new(body),
            inlining,
            kernel,
            inline,
            abi,
            tuned: Tuned::default(),
            number: Number::new(),
        }
    }

    /// Of the finished bodies of a kernel's schedules: of the first, and of the others in their
    /// order.
    #[must_use]
    pub fn scheduled(
        u: &Universe,
        body: &Body,
        def: &MethodDef,
        space: Space,
        rest: &[Body],
    ) -> Inferred {
        Inferred {
            tuned: Tuned(Some(Box::new((
                space,
                rest.iter().map(Packed::new).collect(),
            )))),
            ..Inferred::new(u, body, def)
        }
    }

    /// The run of inference that made it; 0 for what came from elsewhere.
    pub(crate) fn number(&self) -> u64 {
        self.number.0
    }

    /// The typed body, unpacked: many instances are kept, and few are read again. Of a kernel with
    /// a tuning space that of its first schedule.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body.get()
    }

    /// The typed body of a schedule.
    #[must_use]
    pub fn body_of(&self, schedule: &Schedule) -> Body {
        let Some((space, rest)) = self.tuned.0.as_deref() else {
            return self.body.get();
        };
        match space.number(schedule).checked_sub(1) {
            Some(ix) => rest[ix].get(),
            None => self.body.get(),
        }
    }

    /// What its schedules choose from, if it is a kernel that has several.
    #[must_use]
    pub fn space(&self) -> Option<&Space> {
        self.tuned.0.as_deref().map(|(space, _)| space)
    }
}

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[
        PartDigest {
            name: RETURNS.name,
            digest: |s| u64::from((RETURNS.get)(s)),
        },
        PartDigest {
            name: TYPE.name,
            digest: |s| s.ret.index() as u64,
        },
        PartDigest {
            name: ABI.name,
            digest: |s| {
                let mut hasher = rustc_hash::FxHasher::default();
                (ABI.get)(s).hash(&mut hasher);
                hasher.finish()
            },
        },
        PartDigest {
            name: INLINE.name,
            digest: |s| (INLINE.get)(s) as u64,
        },
    ];

    fn of(inferred: &Inferred) -> Summary {
        Summary {
            ret: inferred.ret,
            abi: inferred.abi,
            inline: inferred.inline,
        }
    }

    /// Nothing is known yet: it never returns.
    fn bottom() -> Summary {
        Summary {
            ret: Ty::BOTTOM,
            abi: Abi(0),
            inline: Inline::Never,
        }
    }
}

impl Summary {
    /// An upper bound of both.
    #[must_use]
    pub fn widen(u: &Universe, old: &Summary, new: &Summary) -> Summary {
        let ret = match old.ret == new.ret {
            true => new.ret,
            false if old.ret == Ty::BOTTOM => new.ret,
            false => Ty::ANY,
        };
        Summary {
            ret,
            abi: Abi::of(u, ret),
            inline: match old.inline == new.inline {
                true => new.inline,
                false => Inline::Never,
            },
        }
    }
}

/// Whether the callee ever returns: all that a caller reads that does not use the result.
pub const RETURNS: Part<Summary, bool> = Part {
    index: 0,
    name: "returns",
    get: |summary| summary.ret != Ty::BOTTOM,
};
/// What the callee returns.
pub const TYPE: Part<Summary, Ty> = Part {
    index: 1,
    name: "type",
    get: |summary| summary.ret,
};
/// How the callee returns it.
pub const ABI: Part<Summary, Abi> = Part {
    index: 2,
    name: "abi",
    get: |summary| summary.abi,
};
/// Whether the callee's body may be inlined.
pub const INLINE: Part<Summary, Inline> = Part {
    index: 3,
    name: "inline",
    get: |summary| summary.inline,
};

/// Whether a body that says nothing about inlining is inlined: few operations, no loop, no call
/// of itself.
fn is_small(body: &Body) -> bool {
    let own = body.frames[0].mi;
    let mut insts = body.blocks.iter().flat_map(|block| &block.insts);
    cost(body) <= AUTO_INLINE_COST
        && !has_loop(body)
        && !insts.any(|inst| matches!(inst.op, Op::Call(mi, _) if mi == own))
}

/// Operations that cost something, roughly.
#[must_use]
pub fn cost(body: &Body) -> usize {
    let insts = body.blocks.iter().flat_map(|block| &block.insts);
    let of = |op: &Op| match op {
        Op::Const(Const::Str(_)) => 1,
        Op::Const(_) | Op::Field(..) | Op::Narrow(_) | Op::Make(_) => 0,
        Op::Call(..) | Op::Widen(_) => 2,
        Op::CallDyn(..) | Op::CallValue(..) | Op::InvokeDyn(..) | Op::Latest(..) => 6,
        _ => 1,
    };
    let branches = body
        .blocks
        .iter()
        .filter(|b| matches!(b.term, Term::Branch(..)))
        .count();
    insts.map(|inst| of(&inst.op)).sum::<usize>() + branches
}

/// Whether some jump goes back. Blocks stand in reverse postorder.
#[must_use]
pub fn has_loop(body: &Body) -> bool {
    let mut back = false;
    for (ix, block) in body.blocks.iter().enumerate() {
        block
            .term
            .each_target(|to| back |= to.block.0 as usize <= ix);
    }
    back
}

impl Abi {
    /// The shape of a type: its machine leaves in order.
    #[must_use]
    pub fn of(u: &Universe, ty: Ty) -> Abi {
        if let Some(scalar) = u.scalar_of(ty) {
            // Signed and unsigned integers of one width are held alike, Bool as a byte.
            let bits = u64::from(scalar.bits().max(8));
            return Abi(1 + bits * 2 + u64::from(scalar.is_float()));
        }
        let mut leaves = String::new();
        leaf_names(u, ty, &mut leaves);
        let hash = blake3::hash(leaves.as_bytes());
        let first: [u8; 8] = hash.as_bytes()[..8]
            .try_into()
            .expect("a hash has 32 bytes");
        Abi(u64::from_le_bytes(first))
    }
}

/// The most leaves that are told apart; what is larger is held in a box.
const MAX_LEAVES: usize = 64;

fn leaf_names(u: &Universe, ty: Ty, out: &mut String) {
    if out.len() > MAX_LEAVES * 4 {
        return;
    }
    if ty == Ty::BOTTOM {
        out.push('!');
    } else if let Some(scalar) = u.scalar_of(ty) {
        out.push_str(match (scalar.is_float(), scalar.bits()) {
            (true, 32) => "f4",
            (true, _) => "f8",
            (false, 64) => "i8",
            (false, 32) => "i4",
            (false, 16) => "i2",
            (false, _) => "i1",
        });
    } else if !u.types().is_concrete(ty) {
        out.push_str("dyn");
    } else if let Some(fields) = u.fields(ty) {
        fields
            .tys
            .iter()
            .for_each(|field| leaf_names(u, *field, out));
    } else if ty == u.prelude().string || u.array_elem(ty).is_some() {
        out.push('p');
    }
    // `nothing` and functions have no leaves.
}
