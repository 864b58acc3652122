//! The portable artifact of one instance: machine code with symbolic relocations and the tables
//! that errors and traces need.
//!
//! Invariant: plain data without any address; the same input gives the same bytes.

use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;
use worldage_engine::persist::{Bytes, Packed};
use worldage_wir::ir::{Failure, Frame, Pos};

/// Machine code of one instance or thunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The instructions and their constants.
    pub bytes: Bytes,
    /// Alignment of the first byte.
    pub align: u32,
    /// Places in `bytes` that get an address or a number when loaded.
    pub relocs: Box<[Reloc]>,
    /// String constants, named by [`Target::Str`].
    pub strings: Box<[Arc<str>]>,
    /// Run-time dispatched calls, named by [`Target::Site`].
    pub sites: Box<[Site]>,
    /// What errors and their traces need.
    pub tables: Packed<ErrorTables>,
    /// Bytes of stack that a frame takes, beyond return address and frame pointer.
    pub frame_size: u32,
    /// How it is called.
    pub convention: Convention,
    /// The parameter types.
    pub params: Box<[Ty]>,
    /// The result type.
    pub ret: Ty,
}

impl Code {
    /// Whether the code is a leaf: it calls nothing but functions that take no context, and what
    /// ends it with an error. It then touches no heap, and its frame is the two words that every
    /// frame has, so that no register is saved in it, hence none changed that a function of the
    /// host keeps: it runs on any stack, and unwinding through it finds all registers as they were.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        let is_leafs = |reloc: &Reloc| match reloc.target {
            Target::Tag(_) | Target::Str(_) => true,
            Target::Runtime(function) => function.is_raise() || !function.takes_context(),
            _ => false,
        };
        // Only there a frame is known to hold the registers that its function saves.
        cfg!(target_arch = "x86_64")
            && self.convention == Convention::Tail
            && self.frame_size == 0
            && self.relocs.iter().all(is_leafs)
    }
}

impl RuntimeFn {
    /// Whether it ends the code with an error, always.
    #[must_use]
    pub fn is_raise(self) -> bool {
        matches!(
            self,
            RuntimeFn::Raise | RuntimeFn::RaiseBounds | RuntimeFn::RaiseType
        )
    }

    /// Whether it works on the running context; the others are functions of their arguments.
    #[must_use]
    pub fn takes_context(self) -> bool {
        use RuntimeFn::*;
        match self {
            Raise | RaiseBounds | RaiseType | NewArray | NewBox | Resolve | CallHost | Print
            | IsA | FieldDyn | MakeTuple | IndexDyn | SetIndexDyn | Barrier | Shared => true,
            StrEq | PowInt | Fmod64 | Fmod32 | Sin64 | Cos64 | Tan64 | Exp64 | Log64 | Pow64
            | Sin32 | Cos32 | Tan32 | Exp32 | Log32 | Pow32 | Floor64 | Ceil64 | Nearest64
            | Trunc64 | Floor32 | Ceil32 | Nearest32 | Trunc32 => false,
        }
    }
}

/// What can fail in some code, and what stands where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorTables {
    /// What can fail here: the number that the code passes to `raise`.
    pub failures: Box<[FailSite]>,
    /// From code offsets to positions, sorted: a range starts at `.0` and ends at the next one;
    /// `.1` indexes `positions`, `u32::MAX` is nowhere. Where only calls are looked up, there are
    /// ranges for calls only.
    pub ranges: Box<[(u32, u32)]>,
    /// Positions, named by `ranges` and `failures`.
    pub positions: Box<[Pos]>,
    /// Call frames: the instance itself (0) and what was inlined.
    pub frames: Box<[Frame]>,
}

/// How the instances of a shard call one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Convention {
    /// Cranelift's own: many results in registers, no register is the caller's to keep.
    #[default]
    Tail,
    /// The system's, which other code generators know: the context; where the results do not fit
    /// into two integer and two float registers, the address of a place for them; the arguments.
    System,
}

/// A place that is filled in by the loader: the absolute 64-bit value of the target plus addend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reloc {
    /// Offset in [`Code::bytes`].
    pub offset: u32,
    /// What is written there.
    pub target: Target,
    /// Added to it.
    pub addend: i64,
}

/// What a relocation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The address of the cell of an instance.
    Cell(Mi),
    /// The tag number of a concrete type.
    Tag(Ty),
    /// The address of the heap descriptor of boxes of this type, or of arrays of it.
    Descriptor(Ty, Content),
    /// A function of the run-time system.
    Runtime(RuntimeFn),
    /// A string object, by index into [`Code::strings`].
    Str(u32),
    /// A call site, by index into [`Code::sites`].
    Site(u32),
    /// A position in this code itself.
    Own,
}

/// What a heap object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// One struct.
    Box,
    /// The elements of an array.
    Array,
}

/// A call or test whose outcome the run-time system decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// A generic function on run-time types.
    Call(Symbol),
    /// A function value, the first of the arguments.
    Value,
    /// A function value in the newest world.
    Latest,
    /// A generic function by explicit signature.
    Invoke(Symbol, Ty),
    /// The host's function that is the body of an instance, and the type of its result.
    Host(Mi, Ty),
    /// Whether a value's type is a subtype of this one.
    IsA(Ty),
    /// A field by name of a value of unknown type.
    Field(Symbol),
}

/// Something that can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailSite {
    /// Why.
    pub fault: Fault,
    /// Where: an index into [`ErrorTables::positions`].
    pub pos: u32,
}

/// Why code fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As the body says.
    Failure(Failure),
    /// An index outside of an array, tuple or string.
    Bounds,
    /// An element that has no zero and was never written.
    Uninitialized,
    /// `array(T, n)` with a negative length, or more than fits.
    Length,
    /// The stack is used up.
    StackOverflow,
    /// A dynamic value is not of this type.
    TypeMismatch(Ty),
}

macro_rules! runtime_fns {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The functions of the run-time system that code calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum RuntimeFn { $($(#[$doc])* $name),* }

        impl RuntimeFn {
            /// All of them, in order.
            pub const ALL: &'static [RuntimeFn] = &[$(RuntimeFn::$name),*];
        }
    };
}

runtime_fns! {
    /// `(vmctx, failure) -> !`
    Raise,
    /// `(vmctx, failure, index, length) -> !`
    RaiseBounds,
    /// `(vmctx, failure, tag) -> !`: a dynamic value of another type.
    RaiseType,
    /// `(vmctx, descriptor, length) -> object`
    NewArray,
    /// `(vmctx, descriptor) -> object`, zeroed.
    NewBox,
    /// `(vmctx, site, args, count) -> target`: the thunk and entry to call.
    Resolve,
    /// `(vmctx, site, args, count, result)`: a host function.
    CallHost,
    /// `(vmctx, args, count)`
    Print,
    /// `(vmctx, site, tag) -> 0 or 1`
    IsA,
    /// `(vmctx, site, value, result)`: a field by name.
    FieldDyn,
    /// `(vmctx, elements, count, result)`: a tuple of values of unknown types.
    MakeTuple,
    /// `(vmctx, array and index, result)`
    IndexDyn,
    /// `(vmctx, array, index and value)`
    SetIndexDyn,
    /// `(a, b) -> 0 or 1`
    StrEq,
    /// `(vmctx)`: wait for the other work-items of the group.
    Barrier,
    /// `(vmctx, descriptor, length) -> object`: the group's shared array.
    Shared,
    /// `(base, exponent) -> power`
    PowInt,
    /// `fmod` of Float64
    Fmod64,
    /// `fmod` of Float32
    Fmod32,
    /// Float64
    Sin64,
    /// Float64
    Cos64,
    /// Float64
    Tan64,
    /// Float64
    Exp64,
    /// Float64
    Log64,
    /// Float64
    Pow64,
    /// Float32
    Sin32,
    /// Float32
    Cos32,
    /// Float32
    Tan32,
    /// Float32
    Exp32,
    /// Float32
    Log32,
    /// Float32
    Pow32,
    /// Float64, where the machine has no instruction
    Floor64,
    /// Float64
    Ceil64,
    /// Float64
    Nearest64,
    /// Float64
    Trunc64,
    /// Float32
    Floor32,
    /// Float32
    Ceil32,
    /// Float32
    Nearest32,
    /// Float32
    Trunc32,
}

impl ErrorTables {
    /// The position of the instruction before a return address, given as an offset.
    #[must_use]
    pub fn position_before(&self, return_offset: u32) -> Option<Pos> {
        let at = return_offset.checked_sub(1)?;
        let next = self.ranges.partition_point(|(start, _)| *start <= at);
        let (_, pos) = self.ranges[next.checked_sub(1)?];
        self.positions.get(pos as usize).copied()
    }
}
