//! Random programs: methods over a few functions and types, made to collide under edits.
//!
//! Every program ends: a call goes to a later function, or takes one from the fuel `n`.

use proptest::prelude::*;
use std::fmt;

/// How many functions there are.
pub(crate) const FUNCTIONS: u8 = 4;

/// What every series begins with.
pub(crate) const PRELUDE: &str = "\
abstract type Shape
noinline fn hide(x) { var a = array(Any, 1); a[0] = x; a[0] }
";

/// What a function's second parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Param {
    Int64,
    Float64,
    Any,
    Shape,
    Circle,
    Square,
    IntOrCircle,
    Bounded,
}

impl Param {
    /// What methods take: `Number` as a bound only, since a method's name in an error of an older
    /// world is the one of its newest spelling.
    const DEFINED: [Param; 8] = [
        Param::Int64,
        Param::Float64,
        Param::Any,
        Param::Shape,
        Param::Circle,
        Param::Square,
        Param::IntOrCircle,
        Param::Bounded,
    ];

    fn text(self) -> &'static str {
        match self {
            Param::Int64 => "Int64",
            Param::Float64 => "Float64",
            Param::Any => "Any",
            Param::Shape => "Shape",
            Param::Circle => "Circle",
            Param::Square => "Square",
            Param::IntOrCircle => "Union{Circle, Int64}",
            Param::Bounded => "T",
        }
    }
}

/// Which method of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signature {
    pub(crate) function: u8,
    /// `n` takes anything, so that two methods can be ambiguous.
    pub(crate) any_fuel: bool,
    pub(crate) param: Param,
}

impl Signature {
    fn clause(self) -> &'static str {
        match self.param {
            Param::Bounded => " where T <: Number",
            _ => "",
        }
    }

    fn fuel(self) -> &'static str {
        if self.any_fuel { "Any" } else { "Int64" }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature {
            function, param, ..
        } = self;
        write!(
            f,
            "f{function}({}, {}){}",
            self.fuel(),
            param.text(),
            self.clause()
        )
    }
}

/// An expression over `n`, the fuel, and `x`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Int(i8),
    Float(i8),
    Fuel,
    Arg,
    Add(Box<Expr>, Box<Expr>),
    Call(u8, Box<Expr>),
    Invoke(u8, Param, Box<Expr>),
    /// A value whose type nobody knows before it is there.
    Hide(Box<Expr>),
    IfInt(Box<Expr>, Box<Expr>),
    IfFuel(Box<Expr>, Box<Expr>),
    Circle(Box<Expr>),
    Square(Box<Expr>),
    Field(Box<Expr>),
    External(u8),
    /// The first for nothing, then the second.
    Unused(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// The functions that the expression names.
    pub(crate) fn callees(&self, found: &mut Vec<u8>) {
        match self {
            Expr::Int(_) | Expr::Float(_) | Expr::Fuel | Expr::Arg | Expr::External(_) => {}
            Expr::Call(function, e) | Expr::Invoke(function, _, e) => {
                found.push(*function);
                e.callees(found);
            }
            Expr::Hide(e) | Expr::Circle(e) | Expr::Square(e) | Expr::Field(e) => e.callees(found),
            Expr::Add(a, b) | Expr::IfInt(a, b) | Expr::IfFuel(a, b) | Expr::Unused(a, b) => {
                a.callees(found);
                b.callees(found);
            }
        }
    }

    /// The text within a method of the function `within`.
    fn text(&self, within: u8) -> String {
        let at = |e: &Expr| e.text(within);
        match self {
            Expr::Int(x) => format!("({x})"),
            Expr::Float(x) => format!("({x}.5)"),
            Expr::Fuel => "n".into(),
            Expr::Arg => "x".into(),
            Expr::Add(a, b) => format!("({} + {})", at(a), at(b)),
            Expr::Call(function, e) => guarded(*function, within, |n| {
                format!("f{function}({n}, {})", at(e))
            }),
            Expr::Invoke(function, param, e) => {
                let param = match param {
                    Param::Bounded => "Number",
                    other => other.text(),
                };
                guarded(*function, within, |n| {
                    format!("invoke(f{function}, (Int64, {param}), {n}, {})", at(e))
                })
            }
            Expr::Hide(e) => format!("hide({})", at(e)),
            Expr::IfInt(a, b) => format!("(if isa(x, Int64) {{ {} }} else {{ {} }})", at(a), at(b)),
            Expr::IfFuel(a, b) => format!("(if n > 1 {{ {} }} else {{ {} }})", at(a), at(b)),
            Expr::Circle(e) => format!("Circle({})", at(e)),
            Expr::Square(e) => format!("Square({})", at(e)),
            Expr::Field(e) => format!("{}.r", at(e)),
            Expr::External(key) => format!("external(\"e{key}\")"),
            Expr::Unused(a, b) => format!("(if true {{ {}; {} }} else {{ x }})", at(a), at(b)),
        }
    }
}

/// A call: to a later function as it is, to others while there is fuel.
fn guarded(function: u8, within: u8, call: impl Fn(&str) -> String) -> String {
    if function > within {
        call("n")
    } else {
        format!("(if n > 0 {{ {} }} else {{ x }})", call("n - 1"))
    }
}

/// A method: `fn`, `inline fn` or `noinline fn`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Method {
    pub(crate) signature: Signature,
    pub(crate) keyword: &'static str,
    pub(crate) body: Expr,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Method {
            signature,
            keyword,
            body,
        } = self;
        write!(
            f,
            "{keyword} f{}(n: {}, x: {}){} {{ {} }}",
            signature.function,
            signature.fuel(),
            signature.param.text(),
            signature.clause(),
            body.text(signature.function)
        )
    }
}

/// A declaration of `Circle` or `Square`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) field: &'static str,
}

impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {} <: Shape {{ r: {} }}", self.name, self.field)
    }
}

/// A table by name; `None` is the base.
pub(crate) type Table = Option<&'static str>;

/// One step of a series.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Define(Table, Vec<Method>),
    Struct(Struct, Option<Method>),
    /// Another body for one of the methods that are there.
    Replace(prop::sample::Index, Expr),
    /// The same definition again.
    Repeat(prop::sample::Index),
    Delete(prop::sample::Index),
    /// A deletion that mostly finds nothing.
    DeleteExactly(Table, Signature),
    External(u8, i8),
    Call(Call),
}

/// A call from the host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: u8,
    pub(crate) arg: &'static str,
    pub(crate) view: Table,
    pub(crate) is_quick: bool,
    /// How many worlds before the newest.
    pub(crate) back: u64,
}

impl Call {
    pub(crate) fn expr(&self) -> String {
        format!("f{}(2, {})", self.function, self.arg)
    }

    /// The instance that it calls.
    pub(crate) fn instance(&self) -> String {
        let arg = match self.arg {
            "1" => "Int64",
            "2.5" => "Float64",
            "true" => "Bool",
            record => record.split('(').next().unwrap_or(record),
        };
        format!("f{}(Int64, {arg})", self.function)
    }
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        2 => any::<i8>().prop_map(Expr::Int),
        1 => any::<i8>().prop_map(Expr::Float),
        1 => Just(Expr::Fuel),
        4 => Just(Expr::Arg),
        1 => (0..2u8).prop_map(Expr::External),
    ];
    leaf.prop_recursive(4, 10, 2, |inner| {
        let one = inner.clone().prop_map(Box::new);
        let two = (one.clone(), one.clone());
        prop_oneof![
            2 => two.clone().prop_map(|(a, b)| Expr::Add(a, b)),
            6 => (0..FUNCTIONS, one.clone()).prop_map(|(f, e)| Expr::Call(f, e)),
            1 => (0..FUNCTIONS, param(), one.clone()).prop_map(|(f, p, e)| Expr::Invoke(f, p, e)),
            1 => one.clone().prop_map(Expr::Hide),
            1 => two.clone().prop_map(|(a, b)| Expr::IfInt(a, b)),
            2 => two.clone().prop_map(|(a, b)| Expr::IfFuel(a, b)),
            1 => one.clone().prop_map(Expr::Circle),
            1 => one.clone().prop_map(Expr::Square),
            1 => one.prop_map(Expr::Field),
            1 => two.prop_map(|(a, b)| Expr::Unused(a, b)),
        ]
    })
}

fn param() -> impl Strategy<Value = Param> {
    prop::sample::select(&Param::DEFINED[..])
}

fn signature() -> impl Strategy<Value = Signature> {
    let any_fuel = prop::bool::weighted(0.2);
    (0..FUNCTIONS, any_fuel, param()).prop_map(|(function, any_fuel, param)| Signature {
        function,
        any_fuel,
        param,
    })
}

fn method() -> impl Strategy<Value = Method> {
    let keyword = prop::sample::select(&["noinline fn", "fn", "inline fn"][..]);
    (signature(), keyword, expr()).prop_map(|(signature, keyword, body)| Method {
        signature,
        keyword,
        body,
    })
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![6 => Just(None), 1 => Just(Some("T1")), 1 => Just(Some("T2"))]
}

fn structure() -> impl Strategy<Value = Struct> {
    let name = prop::sample::select(&["Circle", "Square"][..]);
    let field = prop::sample::select(&["Int64", "Float64", "Number", "Any"][..]);
    (name, field).prop_map(|(name, field)| Struct { name, field })
}

fn call() -> impl Strategy<Value = Call> {
    let arg = prop::sample::select(&["1", "2.5", "Circle(1)", "Square(2)", "true"][..]);
    let back = prop_oneof![4 => Just(0), 1 => 1..6u64];
    (0..FUNCTIONS, arg, table(), any::<bool>(), back).prop_map(
        |(function, arg, view, is_quick, back)| Call {
            function,
            arg,
            view,
            is_quick,
            back,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>();
    prop_oneof![
        4 => (table(), prop::collection::vec(method(), 1..4)).prop_map(|(t, m)| Op::Define(t, m)),
        1 => (structure(), prop::option::of(method())).prop_map(|(s, m)| Op::Struct(s, m)),
        4 => (index.clone(), expr()).prop_map(|(i, e)| Op::Replace(i, e)),
        1 => index.clone().prop_map(Op::Repeat),
        2 => index.prop_map(Op::Delete),
        1 => (table(), signature()).prop_map(|(t, s)| Op::DeleteExactly(t, s)),
        1 => (0..2u8, any::<i8>()).prop_map(|(key, value)| Op::External(key, value)),
        10 => call().prop_map(Op::Call),
    ]
}

/// A program and what happens to it.
pub(crate) fn series() -> impl Strategy<Value = Vec<Op>> {
    let first = prop::collection::vec(method(), 4..10).prop_map(|m| Op::Define(None, m));
    (first, prop::collection::vec(op(), 1..32)).prop_map(|(first, mut ops)| {
        ops.insert(0, first);
        ops
    })
}
