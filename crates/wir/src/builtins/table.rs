//! The table of built-in methods: names, operand classes, kinds.

use super::{Builtin, BuiltinId};
use crate::ir::{Atomic, GridQuery};
use crate::prim::{Library, MathFn, Scalar};
use crate::universe::Universe;
use worldage_dispatch::{Sig, Ty, TypeVar};

/// A class of operands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    /// The ten number types.
    Num,
    /// The eight integer types.
    Int,
    /// The integer types and Bool.
    IntBool,
    /// The number types and Bool.
    NumBool,
    Bool,
    Int64,
    Float32,
    Float64,
    Str,
    Nothing,
    /// Any tuple.
    Tuple,
    /// `Array{T}`.
    Array,
    /// `Array{T}` of numbers.
    NumArray,
    /// The `T` of the array before it.
    Elem,
    Any,
    /// Last: any number of scalars, strings and nothings.
    PlainTail,
    /// Last: any number of values.
    AnyTail,
}

/// What a built-in method does, before its operand types are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Add,
    Sub,
    Mul,
    Slash,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Compare {
        op: Compare,
        swap: bool,
        negate: bool,
    },
    Min,
    Max,
    Neg,
    Abs,
    BitNot,
    Not,
    Floor,
    Ceil,
    Round,
    Trunc,
    Sqrt,
    Math(MathFn),
    /// A function of a device's library.
    Library(Library, MathFn),
    Pow,
    Float,
    Convert(Scalar),
    /// `==` of anything.
    Equal,
    /// By another function.
    Via {
        function: &'static str,
        swap: bool,
        negate: bool,
    },
    Length,
    Print,
    Grid(GridQuery),
    Barrier,
    Atomic(Atomic),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Compare {
    Eq,
    Lt,
    Le,
}

pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) params: &'static [Class],
    pub(super) kind: Kind,
    pub(super) protected: bool,
}

const fn row(name: &'static str, params: &'static [Class], kind: Kind) -> Entry {
    Entry {
        name,
        params,
        kind,
        protected: true,
    }
}

/// A fallback: user methods may take any of its calls.
const fn fallback(name: &'static str, params: &'static [Class], kind: Kind) -> Entry {
    Entry {
        protected: false,
        ..row(name, params, kind)
    }
}

/// A function of a device's library on a float type. It takes no name away from programs.
const fn library(library: Library, f: MathFn, s: Scalar) -> Entry {
    let params: &[Class] = match (f.arity(), s) {
        (1, Scalar::F32) => &[Class::Float32],
        (1, _) => &[Class::Float64],
        (_, Scalar::F32) => &[Class::Float32, Class::Float32],
        (_, _) => &[Class::Float64, Class::Float64],
    };
    fallback(library.name(f, s), params, Kind::Library(library, f))
}

const fn compare(op: Compare, swap: bool, negate: bool) -> Kind {
    Kind::Compare { op, swap, negate }
}

const fn via(function: &'static str, swap: bool, negate: bool) -> Kind {
    Kind::Via {
        function,
        swap,
        negate,
    }
}

const EQ: Kind = compare(Compare::Eq, false, false);
const NE: Kind = compare(Compare::Eq, false, true);
const LT: Kind = compare(Compare::Lt, false, false);
const LE: Kind = compare(Compare::Le, false, false);
const GT: Kind = compare(Compare::Lt, true, false);
const GE: Kind = compare(Compare::Le, true, false);

use Class::{Any, AnyTail, Array, Bool, Elem, Int, Int64, IntBool, Nothing, Num, NumArray};
use Class::{NumBool, PlainTail, Str, Tuple};

/// All built-in methods. The order is part of stored artifacts: append only.
pub(super) const TABLE: &[Entry] = &[
    row("+", &[Num, Num], Kind::Add),
    row("-", &[Num, Num], Kind::Sub),
    row("*", &[Num, Num], Kind::Mul),
    row("/", &[Num, Num], Kind::Slash),
    row("div", &[Num, Num], Kind::Div),
    row("rem", &[Num, Num], Kind::Rem),
    row("%", &[Num, Num], Kind::Rem),
    row("-", &[Num], Kind::Neg),
    row("~", &[IntBool], Kind::BitNot),
    row("!", &[Bool], Kind::Not),
    row("&", &[Int, Int], Kind::And),
    row("&", &[Bool, Bool], Kind::And),
    row("|", &[Int, Int], Kind::Or),
    row("|", &[Bool, Bool], Kind::Or),
    row("xor", &[Int, Int], Kind::Xor),
    row("xor", &[Bool, Bool], Kind::Xor),
    row("<<", &[Int, Int], Kind::Shl),
    row(">>", &[Int, Int], Kind::Shr),
    row("==", &[Num, Num], EQ),
    row("==", &[Bool, Bool], EQ),
    row("==", &[Str, Str], Kind::Equal),
    row("==", &[Nothing, Nothing], Kind::Equal),
    fallback("==", &[Any, Any], Kind::Equal),
    row("!=", &[Num, Num], NE),
    row("!=", &[Bool, Bool], NE),
    row("!=", &[Str, Str], via("==", false, true)),
    row("!=", &[Nothing, Nothing], via("==", false, true)),
    fallback("!=", &[Any, Any], via("==", false, true)),
    row("<", &[Num, Num], LT),
    row("<", &[Bool, Bool], LT),
    row("<=", &[Num, Num], LE),
    row("<=", &[Bool, Bool], LE),
    row(">", &[Num, Num], GT),
    row(">", &[Bool, Bool], GT),
    fallback(">", &[Any, Any], via("<", true, false)),
    row(">=", &[Num, Num], GE),
    row(">=", &[Bool, Bool], GE),
    fallback(">=", &[Any, Any], via("<=", true, false)),
    row("min", &[Num, Num], Kind::Min),
    row("max", &[Num, Num], Kind::Max),
    row("abs", &[Num], Kind::Abs),
    row("floor", &[Num], Kind::Floor),
    row("ceil", &[Num], Kind::Ceil),
    row("round", &[Num], Kind::Round),
    row("trunc", &[Num], Kind::Trunc),
    row("sqrt", &[Num], Kind::Sqrt),
    row("sin", &[Num], Kind::Math(MathFn::Sin)),
    row("cos", &[Num], Kind::Math(MathFn::Cos)),
    row("tan", &[Num], Kind::Math(MathFn::Tan)),
    row("exp", &[Num], Kind::Math(MathFn::Exp)),
    row("log", &[Num], Kind::Math(MathFn::Log)),
    row("pow", &[Num, Num], Kind::Pow),
    row("float", &[NumBool], Kind::Float),
    row("Bool", &[NumBool], Kind::Convert(Scalar::Bool)),
    row("Int8", &[NumBool], Kind::Convert(Scalar::I8)),
    row("Int16", &[NumBool], Kind::Convert(Scalar::I16)),
    row("Int32", &[NumBool], Kind::Convert(Scalar::I32)),
    row("Int64", &[NumBool], Kind::Convert(Scalar::I64)),
    row("UInt8", &[NumBool], Kind::Convert(Scalar::U8)),
    row("UInt16", &[NumBool], Kind::Convert(Scalar::U16)),
    row("UInt32", &[NumBool], Kind::Convert(Scalar::U32)),
    row("UInt64", &[NumBool], Kind::Convert(Scalar::U64)),
    row("Float32", &[NumBool], Kind::Convert(Scalar::F32)),
    row("Float64", &[NumBool], Kind::Convert(Scalar::F64)),
    row("length", &[Str], Kind::Length),
    row("length", &[Array], Kind::Length),
    row("length", &[Tuple], Kind::Length),
    row("print", &[PlainTail], Kind::Print),
    row("print", &[Array], Kind::Print),
    fallback("print", &[AnyTail], Kind::Print),
    row("global_id", &[Int64], Kind::Grid(GridQuery::GlobalId)),
    row("global_size", &[Int64], Kind::Grid(GridQuery::GlobalSize)),
    row("local_id", &[Int64], Kind::Grid(GridQuery::LocalId)),
    row("local_size", &[Int64], Kind::Grid(GridQuery::LocalSize)),
    row("group_id", &[Int64], Kind::Grid(GridQuery::GroupId)),
    row("num_groups", &[Int64], Kind::Grid(GridQuery::NumGroups)),
    row("barrier", &[], Kind::Barrier),
    row(
        "atomic_add",
        &[NumArray, Int, Elem],
        Kind::Atomic(Atomic::Add),
    ),
    row(
        "atomic_min",
        &[NumArray, Int, Elem],
        Kind::Atomic(Atomic::Min),
    ),
    row(
        "atomic_max",
        &[NumArray, Int, Elem],
        Kind::Atomic(Atomic::Max),
    ),
    row(
        "atomic_cas",
        &[NumArray, Int, Elem, Elem],
        Kind::Atomic(Atomic::Cas),
    ),
    library(Library::OpenCl, MathFn::Sin, Scalar::F32),
    library(Library::OpenCl, MathFn::Sin, Scalar::F64),
    library(Library::OpenCl, MathFn::Cos, Scalar::F32),
    library(Library::OpenCl, MathFn::Cos, Scalar::F64),
    library(Library::OpenCl, MathFn::Tan, Scalar::F32),
    library(Library::OpenCl, MathFn::Tan, Scalar::F64),
    library(Library::OpenCl, MathFn::Exp, Scalar::F32),
    library(Library::OpenCl, MathFn::Exp, Scalar::F64),
    library(Library::OpenCl, MathFn::Log, Scalar::F32),
    library(Library::OpenCl, MathFn::Log, Scalar::F64),
    library(Library::OpenCl, MathFn::Pow, Scalar::F32),
    library(Library::OpenCl, MathFn::Pow, Scalar::F64),
    library(Library::OpenClNative, MathFn::Sin, Scalar::F32),
    library(Library::OpenClNative, MathFn::Cos, Scalar::F32),
    library(Library::OpenClNative, MathFn::Tan, Scalar::F32),
    library(Library::OpenClNative, MathFn::Exp, Scalar::F32),
    library(Library::OpenClNative, MathFn::Log, Scalar::F32),
    library(Library::Libdevice, MathFn::Sin, Scalar::F32),
    library(Library::Libdevice, MathFn::Sin, Scalar::F64),
    library(Library::Libdevice, MathFn::Cos, Scalar::F32),
    library(Library::Libdevice, MathFn::Cos, Scalar::F64),
    library(Library::Libdevice, MathFn::Tan, Scalar::F32),
    library(Library::Libdevice, MathFn::Tan, Scalar::F64),
    library(Library::Libdevice, MathFn::Exp, Scalar::F32),
    library(Library::Libdevice, MathFn::Exp, Scalar::F64),
    library(Library::Libdevice, MathFn::Log, Scalar::F32),
    library(Library::Libdevice, MathFn::Log, Scalar::F64),
    library(Library::Libdevice, MathFn::Pow, Scalar::F32),
    library(Library::Libdevice, MathFn::Pow, Scalar::F64),
    library(Library::LibdeviceFast, MathFn::Sin, Scalar::F32),
    library(Library::LibdeviceFast, MathFn::Cos, Scalar::F32),
    library(Library::LibdeviceFast, MathFn::Tan, Scalar::F32),
    library(Library::LibdeviceFast, MathFn::Exp, Scalar::F32),
    library(Library::LibdeviceFast, MathFn::Log, Scalar::F32),
    library(Library::LibdeviceFast, MathFn::Pow, Scalar::F32),
];

/// All built-in methods, in a fixed order.
#[must_use]
pub fn builtins(u: &Universe) -> Vec<Builtin> {
    let (numbered, unions) = (TABLE.iter().zip(0..), Unions::of(u));
    numbered
        .map(|(entry, id)| Builtin {
            id: BuiltinId(id),
            name: entry.name,
            sig: signature(u, &unions, entry.params),
            protected: entry.protected,
        })
        .collect()
}

/// The classes that are unions, each made once: there are many rows.
struct Unions {
    numbers: Ty,
    ints: Ty,
    ints_and_bool: Ty,
    scalars: Ty,
    plain: Ty,
}

impl Unions {
    fn of(u: &Universe) -> Unions {
        let prelude = u.prelude();
        let of = |member: &dyn Fn(Scalar) -> bool, others: &[Ty]| {
            let members = Scalar::ALL.into_iter().filter(|scalar| member(*scalar));
            let mut members: Vec<Ty> = members.map(|scalar| u.scalar_ty(scalar)).collect();
            members.extend(others);
            u.types().union(&members)
        };
        Unions {
            numbers: of(&|s| s != Scalar::Bool, &[]),
            ints: of(&Scalar::is_int, &[]),
            ints_and_bool: of(&|s| s.is_int() || s == Scalar::Bool, &[]),
            scalars: of(&|_| true, &[]),
            plain: of(&|_| true, &[prelude.string, prelude.nothing]),
        }
    }
}

fn signature(u: &Universe, unions: &Unions, classes: &[Class]) -> Sig {
    let types = u.types();
    let prelude = u.prelude();
    let array = || u.array_ty(types.var(0)).expect("Array{T} is a type");
    let var = |upper| TypeVar {
        name: types.symbol("T"),
        upper,
    };
    let (mut params, mut tail, mut vars) = (Vec::new(), None, Vec::new());
    for class in classes {
        params.push(match class {
            Num => unions.numbers,
            Int => unions.ints,
            IntBool => unions.ints_and_bool,
            NumBool => unions.scalars,
            Bool => prelude.bool,
            Int64 => prelude.int64,
            Class::Float32 => u.scalar_ty(Scalar::F32),
            Class::Float64 => u.scalar_ty(Scalar::F64),
            Str => prelude.string,
            Nothing => prelude.nothing,
            Tuple => types.tuple_with_tail(&[], Some(Ty::ANY)),
            Array => {
                vars.push(var(Ty::ANY));
                array()
            }
            NumArray => {
                vars.push(var(unions.numbers));
                array()
            }
            Elem => types.var(0),
            Any => Ty::ANY,
            PlainTail => {
                tail = Some(unions.plain);
                continue;
            }
            AnyTail => {
                tail = Some(Ty::ANY);
                continue;
            }
        });
    }
    Sig::new(types, &params, tail, vars).expect("built-in signatures are well-formed")
}
