//! Typed SSA: what inference makes of one method instance, and what every backend reads.
//!
//! Invariants (checked by `verify`): every value is defined once and dominates its uses; block
//! parameters carry values across edges; every operand has exactly the type that its operation
//! asks for — a change of representation is an explicit [`Op::Widen`], [`Op::Narrow`] or
//! [`Op::Check`]; no block ends without a terminator; nothing here depends on the order in
//! which instances were met.

use crate::ast::NodeId;
use crate::prim::Prim;
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;

/// An SSA value of one [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

/// A few values, most often without an allocation.
pub type Vals = SmallVec<[Val; 4]>;

/// A basic block of one [`Body`]; `Blk(0)` is the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blk(pub u32);

/// Where an operation comes from: a node of the method of an inlined frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pos {
    /// Index into [`Body::frames`]; 0 is the body's own method.
    pub frame: u32,
    /// The node within that frame's method.
    pub node: NodeId,
}

/// A method instance whose body stands in this one: frame 0 is the body itself, others were
/// inlined at `call` (a position in their caller's frame).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The instance.
    pub mi: Mi,
    /// Where it was called; `None` for frame 0.
    pub call: Option<Pos>,
}

/// The typed body of one method instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// The type of every value, indexed by [`Val`].
    ///
    /// A *concrete* type has one static representation (see `layout`); any other type (a union,
    /// an abstract type, `Any`) is *dynamic*: a tag and a payload.
    pub vals: Vec<Ty>,
    /// The blocks; the parameters of block 0 are exactly the instance's argument types, one by
    /// one (the tuple that a trailing `Vararg` binds is made by the body's first operation, so a
    /// caller need not know). Zero-size parameters are present like any other.
    pub blocks: Vec<Block>,
    /// The join of everything that is returned; `Ty::BOTTOM` if the body never returns.
    /// Every [`Term::Return`] has exactly this type.
    pub ret: Ty,
    /// Call frames, for positions.
    pub frames: Vec<Frame>,
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Parameters, defined on entry.
    pub params: Vals,
    /// Operations in order.
    pub insts: Vec<Inst>,
    /// How the block ends.
    pub term: Term,
    /// Where the terminator comes from.
    pub term_pos: Pos,
}

/// One operation and the value it defines. Every operation has a result, possibly of type
/// `Nothing` (zero-size); one that never returns defines a value of type `Ty::BOTTOM` and is
/// followed by [`Term::Unreachable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inst {
    /// The defined value.
    pub result: Val,
    /// What is computed.
    pub op: Op,
    /// For errors and traces.
    pub pos: Pos,
}

/// A constant; its type is that of the value it defines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Const {
    /// `true`, `false`
    Bool(bool),
    /// Any integer type: the value, sign- or zero-extended to 64 bits by its own type.
    Int(i64),
    /// `Float32` bits.
    F32(u32),
    /// `Float64` bits.
    F64(u64),
    /// A string.
    Str(Arc<str>),
    /// The only value of a zero-size type: `nothing`, a function, an empty struct or tuple.
    Unit,
}

/// Which coordinate a kernel asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GridQuery {
    /// `global_id(d)`
    GlobalId,
    /// `global_size(d)`
    GlobalSize,
    /// `local_id(d)`
    LocalId,
    /// `local_size(d)`
    LocalSize,
    /// `group_id(d)`
    GroupId,
    /// `num_groups(d)`
    NumGroups,
}

/// An atomic read-modify-write; the result is the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Atomic {
    /// `atomic_add`
    Add,
    /// `atomic_min`
    Min,
    /// `atomic_max`
    Max,
    /// `atomic_cas`: operands are array, index, expected, new.
    Cas,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A constant of the result's type.
    Const(Const),
    /// A scalar operation; may fail as `Prim::failure` says.
    Prim(Prim, Vals),
    /// A struct or tuple of the result's type from its fields (exactly of the field types).
    Make(Vals),
    /// A tuple with the run-time types of its elements, some of which are dynamic; the result
    /// is dynamic: the tuple type of the static types.
    TupleDyn(Vals),
    /// Field `n` of a struct or tuple.
    Field(Val, u32),
    /// Element of a tuple at a run-time index (Int64); the result type is the join of the
    /// elements (dynamic unless all are of one type); fails with `index-out-of-bounds`.
    TupleIndex(Val, Val),
    /// To a wider dynamic type; never fails. Dynamic to dynamic is free.
    Widen(Val),
    /// From a dynamic type to the result's type, which is known to hold (after [`Op::IsA`]).
    Narrow(Val),
    /// Like [`Op::Narrow`], but fails with `type-mismatch` where it does not hold.
    Check(Val),
    /// Whether a dynamic value is of a type; Bool.
    IsA(Val, Ty),
    /// A field, by name, of a value whose type is not known: any struct; the result is `Any`.
    /// Fails with `missing-field`.
    FieldDyn(Val, Symbol),
    /// `xs[i]` where the type of one of them is not known: array or tuple, any integer; the
    /// result is `Any`, or the element type of an array that is known. Fails as
    /// [`Op::ArrayGet`] does and with `type-mismatch` where that is no indexing.
    IndexDyn(Val, Val),
    /// `xs[i] = v` where the type of one of them is not known; result `Nothing`. Fails as
    /// [`Op::ArraySet`] does and with `type-mismatch`.
    SetIndexDyn(Val, Val, Val),
    /// `array(T, n)`: result `Array{T}`; length Int64; fails if negative or out of memory.
    ArrayNew(Val),
    /// Length, Int64.
    ArrayLen(Val),
    /// Element; fails with `index-out-of-bounds`, or `uninitialized` for an element that has no
    /// zero and was never written.
    ArrayGet(Val, Val),
    /// Store array, index, value (exactly of the element type); fails with
    /// `index-out-of-bounds`. Result `Nothing`.
    ArraySet(Val, Val, Val),
    /// Equality of two strings; Bool.
    StrEq(Val, Val),
    /// Length of a string in bytes, Int64.
    StrLen(Val),
    /// A static call; arguments exactly of the instance's argument types, result of its return
    /// type. A result that nothing uses has type `Any` whatever the callee returns: inference
    /// did not ask, so the backend reads the callee's ABI and drops what comes back. A callee
    /// that never returns gives `Ty::BOTTOM`.
    Call(Mi, Vals),
    /// Run-time dispatch of a generic function on the arguments' run-time types. Arguments of
    /// any type (concrete ones are passed with their type); the result is `Any`, or
    /// `Ty::BOTTOM` where no method is left that could take them (the call makes the error).
    CallDyn(Symbol, Vals),
    /// Run-time call of a function value (dynamic); otherwise like [`Op::CallDyn`].
    CallValue(Val, Vals),
    /// `invoke(f, (T…), …)` whose arguments are not all concrete: run-time dispatch of the
    /// argument types on the method that answers the signature (a closed tuple type).
    InvokeDyn(Symbol, Ty, Vals),
    /// `latest(f, …)`: like [`Op::CallValue`] in the newest world.
    Latest(Val, Vals),
    /// A call of the host's function that stands for the body of an instance, typed by the
    /// result. Only that instance itself has it.
    CallHost(Mi, Vals),
    /// `print(…)`: any types; result `Nothing`.
    Print(Vals),
    /// A coordinate of the work-item in dimension `.1` (Int64 value); Int64.
    Grid(GridQuery, Val),
    /// `barrier()`
    Barrier,
    /// `shared(T, n)`: result `Array{T}` shared by the work-group, constant length.
    Shared(u64),
    /// An atomic on an array element: array, index, operand(s).
    Atomic(Atomic, Vals),
}

/// A jump with arguments for the target's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The block.
    pub block: Blk,
    /// One argument per parameter, exactly of its type.
    pub args: Vals,
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// Go on.
    Jump(Target),
    /// On a Bool: then, else.
    Branch(Val, Target, Target),
    /// Return a value of type [`Body::ret`].
    Return(Val),
    /// An error that is certain once this point is reached.
    Fail(Failure),
    /// Never reached: what stands before does not return.
    Unreachable,
}

/// Why a body fails at a point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No method of the function takes these argument types (a tuple type).
    NoMethod(Symbol, Ty),
    /// Several methods do, none most specific; the call's argument types. The candidates are
    /// computed again when the error is made.
    Ambiguous(Symbol, Ty),
    /// `invoke` with an explicit signature that no method answers.
    NoInvoke(Symbol, Ty),
    /// A value of the second type where the first was asked for.
    TypeMismatch(Ty, Ty),
    /// The struct has no such field.
    MissingField(Ty, Symbol),
    /// A tuple or string index that is out of bounds whatever happens.
    Bounds,
    /// A scalar operation on constants that always fails.
    Prim(crate::prim::PrimError),
    /// A name that is not bound to what is asked of it; found when reached, since a later edit
    /// may define it.
    Unknown(UnknownKind, Symbol),
    /// A type that cannot be built where it stands in the body (wrong arity, out of its
    /// parameter's bound, not a type); the sentence says why.
    BadType(Arc<str>),
    /// `type-limit`: the argument types of this call nest too deep.
    TypeLimit(Symbol),
    /// Something that this target cannot do; the sentence says what.
    Unsupported(Arc<str>),
}

/// What a name was asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownKind {
    /// A variable.
    Name,
    /// A type.
    Type,
    /// An external fact.
    External,
}
