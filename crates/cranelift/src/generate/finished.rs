//! A body in CLIF, for another code generator: what it refers to, and the artifact from what that
//! generator makes of it.
//!
//! So the calling convention, cells, checks, errors and the heap are said once, whoever makes the
//! machine code.

use super::memory::LENGTHS;
use super::names::{Names, Tables};
use super::{Generator, Scratch};
use crate::code::{Code, Convention, Reloc, RuntimeFn, Target};
use cranelift_codegen::ir::{ExternalName, Function, GlobalValue, GlobalValueData, MemFlagsData};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::Body;

/// A body in CLIF, in [`Convention::System`].
pub struct Clif {
    /// The function; its source locations are positions, as [`Machine::ranges`] name them.
    pub function: Function,
    names: Names,
    tables: Tables,
}

/// What a code generator makes of a [`Clif`]; fields as in [`Code`].
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of the artifact")]
pub struct Machine {
    pub bytes: Vec<u8>,
    pub align: u32,
    pub relocs: Vec<Reloc>,
    pub ranges: Vec<(u32, u32)>,
}

/// What a load or store is known not to overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// Lengths of arrays: never written by code.
    Length,
    /// Elements of one machine type, by number.
    Elements(u32),
}

impl std::fmt::Debug for Clif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.function.display(), f)
    }
}

impl Generator {
    /// The body in CLIF, for another code generator. Law: a pure function of its arguments.
    #[must_use]
    pub fn in_clif(&self, body: &Body, returns: &dyn Fn(Mi) -> Ty) -> Clif {
        let mut scratch = Scratch::default();
        let tables = self.build(Convention::System, body, returns, &mut scratch);
        Clif {
            function: std::mem::replace(&mut scratch.context.func, Function::new()),
            names: scratch.names,
            tables,
        }
    }
}

impl Clif {
    /// What a global value stands for, and its number among the names of the function.
    ///
    /// # Panics
    /// If it is no symbol: the generator makes no others.
    #[must_use]
    pub fn global(&self, value: GlobalValue) -> (u32, Target) {
        match &self.function.global_values[value] {
            GlobalValueData::Symbol { name, .. } => self.name(name),
            other => unreachable!("a global value is a symbol: {other}"),
        }
    }

    /// What an external name stands for, and its number.
    ///
    /// # Panics
    /// If it is a name that the generator does not make.
    #[must_use]
    pub fn name(&self, name: &ExternalName) -> (u32, Target) {
        let ExternalName::User(name) = name else {
            unreachable!("the generator names its own symbols only: {name:?}")
        };
        let index = self.function.params.user_named_funcs()[*name].index;
        (index, self.names.target(index))
    }

    /// What the name of this number stands for.
    #[must_use]
    pub fn target(&self, index: u32) -> Target {
        self.names.target(index)
    }

    /// What a load or store does not overlap.
    #[must_use]
    pub fn region(&self, flags: &MemFlagsData) -> Option<Region> {
        let region = flags.alias_region()?;
        let (_, data) = self
            .function
            .dfg
            .alias_regions
            .iter()
            .find(|(known, _)| *known == region)?;
        Some(match data.user_id {
            LENGTHS => Region::Length,
            elements => Region::Elements(elements),
        })
    }

    /// The artifact.
    #[must_use]
    pub fn finish(self, machine: Machine) -> Code {
        let tables = self.tables;
        Code {
            bytes: machine.bytes.into(),
            align: machine.align,
            relocs: machine.relocs.into(),
            strings: tables.strings.as_slice().into(),
            sites: tables.sites.as_slice().into(),
            tables: tables.errors(machine.ranges),
            frame_size: 0,
            convention: Convention::System,
            params: tables.params.as_slice().into(),
            ret: tables.ret.unwrap_or(Ty::BOTTOM),
        }
    }
}

/// The function of the run-time system that a machine instruction is missing for.
#[must_use]
pub fn library_function(name: &str) -> Option<RuntimeFn> {
    Some(match name {
        "floor" => RuntimeFn::Floor64,
        "ceil" => RuntimeFn::Ceil64,
        "roundeven" => RuntimeFn::Nearest64,
        "trunc" => RuntimeFn::Trunc64,
        "floorf" => RuntimeFn::Floor32,
        "ceilf" => RuntimeFn::Ceil32,
        "roundevenf" => RuntimeFn::Nearest32,
        "truncf" => RuntimeFn::Trunc32,
        _ => return None,
    })
}
