//! What a built-in method does, once its operand types are known.

use super::BuiltinId;
use super::table::{Compare, Kind, TABLE};
use crate::ir::{Atomic, Const, GridQuery};
use crate::prim::{MathFn, Prim, Scalar, ScalarValue};
use crate::universe::Universe;
use worldage_dispatch::Ty;

/// How to expand a call of a built-in method on concrete operand types.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// Cast each operand (where there is a cast), then maybe swap the two, apply, maybe negate.
    Scalar {
        /// One per operand: a cast that may itself fail.
        casts: Vec<Option<Prim>>,
        /// Whether the two operands change places after the casts.
        swap: bool,
        /// The operation.
        op: Prim,
        /// Whether the Bool result is negated.
        negate: bool,
    },
    /// Several scalar operations in order; the result is that of the last.
    Steps(Vec<Step>),
    /// The first operand itself.
    Identity,
    /// `==` of two structs of one type, or two tuples of one length: field by field, left to
    /// right, by the generic function `==` on the run-time types of the fields; stops at the first
    /// `false`; then maybe negated. (A result of `==` that is no Bool is `type-mismatch`.)
    FieldsEq {
        /// Whether the result is negated.
        negate: bool,
    },
    /// Known from the types alone.
    Const(Const),
    /// By another generic function on the same operands.
    Via {
        /// Its name.
        function: &'static str,
        /// Whether the two operands change places.
        swap: bool,
        /// Whether the Bool result is negated (by the built-in `!`; no Bool is `type-mismatch`).
        negate: bool,
    },
    /// Equality of two strings.
    StrEq {
        /// Whether the result is negated.
        negate: bool,
    },
    /// Length of a string in bytes.
    StrLen,
    /// Length of an array.
    ArrayLen,
    /// Length of a tuple: a constant.
    TupleLen(u32),
    /// `print`
    Print,
    /// A coordinate of the work-item.
    Grid(GridQuery),
    /// `barrier()`
    Barrier,
    /// An atomic; the index operand is of any integer type and is treated like that of `xs[i]`.
    Atomic(Atomic),
}

/// One of [`Recipe::Steps`].
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub op: Prim,
    /// What it is applied to.
    pub operands: Vec<Operand>,
}

/// An operand of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// The n-th operand of the call.
    Arg(usize),
    /// The result of the n-th step.
    Step(usize),
    /// A constant.
    Const(ScalarValue),
}

/// The type that arithmetic on two number types is done in (Julia's `promote_type`): a float if
/// one is, else the wider integer, else the unsigned one.
#[must_use]
pub fn promote(a: Scalar, b: Scalar) -> Scalar {
    match (a, b) {
        _ if a == b => a,
        (Scalar::F64, _) | (_, Scalar::F64) => Scalar::F64,
        (Scalar::F32, _) | (_, Scalar::F32) => Scalar::F32,
        (Scalar::Bool, other) | (other, Scalar::Bool) => other,
        _ if a.bits() > b.bits() => a,
        _ if b.bits() > a.bits() => b,
        _ if a.is_signed() => b,
        _ => a,
    }
}

/// The expansion of a built-in method for concrete operand types that its signature takes.
/// `None`: there is none after all (`==` of two arrays): the call is `no-matching-method`.
#[must_use]
pub fn recipe(u: &Universe, id: BuiltinId, args: &[Ty]) -> Option<Recipe> {
    let kind = TABLE.get(id.0 as usize)?.kind;
    match kind {
        Kind::Equal => return equal(u, args),
        Kind::Via {
            function,
            swap,
            negate,
        } => {
            return Some(Recipe::Via {
                function,
                swap,
                negate,
            });
        }
        Kind::Length => return length(u, args),
        Kind::Print => return Some(Recipe::Print),
        Kind::Grid(query) => return Some(Recipe::Grid(query)),
        Kind::Barrier => return Some(Recipe::Barrier),
        Kind::Atomic(atomic) => return Some(Recipe::Atomic(atomic)),
        _ => {}
    }
    let scalars: Option<Vec<Scalar>> = args.iter().map(|ty| u.scalar_of(*ty)).collect();
    match scalars?[..] {
        [a] => Some(unary(kind, a)?),
        [a, b] => Some(binary(kind, a, b)?),
        _ => None,
    }
}

fn equal(u: &Universe, args: &[Ty]) -> Option<Recipe> {
    let &[a, b] = args else { return None };
    let yes = Some(Recipe::Const(Const::Bool(true)));
    let no = Some(Recipe::Const(Const::Bool(false)));
    if let (Some(a), Some(b)) = (u.tuple_elems(a), u.tuple_elems(b)) {
        return match (a.len(), b.len()) {
            (0, 0) => yes,
            (a, b) if a == b => Some(Recipe::FieldsEq { negate: false }),
            _ => no,
        };
    }
    if u.array_elem(a).is_some() && u.array_elem(b).is_some() {
        return None;
    }
    if a != b {
        return no;
    }
    if a == u.prelude().string {
        return Some(Recipe::StrEq { negate: false });
    }
    match u.fields(a) {
        Some(fields) if !fields.tys.is_empty() => Some(Recipe::FieldsEq { negate: false }),
        // Empty structs, `nothing`, functions: the only value of their type.
        _ => yes,
    }
}

fn length(u: &Universe, args: &[Ty]) -> Option<Recipe> {
    let &[ty] = args else { return None };
    if ty == u.prelude().string {
        Some(Recipe::StrLen)
    } else if let Some(elems) = u.tuple_elems(ty) {
        Some(Recipe::TupleLen(u32::try_from(elems.len()).ok()?))
    } else {
        u.array_elem(ty).map(|_| Recipe::ArrayLen)
    }
}

fn cast(from: Scalar, to: Scalar) -> Option<Prim> {
    (from != to).then_some(Prim::Cast(from, to))
}

fn simple(op: Prim, casts: Vec<Option<Prim>>) -> Recipe {
    Recipe::Scalar {
        casts,
        swap: false,
        op,
        negate: false,
    }
}

fn unary(kind: Kind, a: Scalar) -> Option<Recipe> {
    let plain = |op| simple(op, vec![None]);
    // Mathematics on integers is done in Float64.
    let float = if a.is_float() { a } else { Scalar::F64 };
    let whole = |op: fn(Scalar) -> Prim| match a.is_float() {
        true => plain(op(a)),
        false => Recipe::Identity,
    };
    Some(match kind {
        Kind::Neg => plain(Prim::Neg(a)),
        Kind::Abs if a.is_unsigned() => Recipe::Identity,
        Kind::Abs => plain(Prim::Abs(a)),
        Kind::BitNot if a == Scalar::Bool => plain(Prim::Not),
        Kind::BitNot => plain(Prim::BitNot(a)),
        Kind::Not => plain(Prim::Not),
        Kind::Floor => whole(Prim::Floor),
        Kind::Ceil => whole(Prim::Ceil),
        Kind::Round => whole(Prim::Round),
        Kind::Trunc => whole(Prim::Trunc),
        Kind::Sqrt => simple(Prim::Sqrt(float), vec![cast(a, float)]),
        Kind::Math(f) => simple(Prim::Math(f, float), vec![cast(a, float)]),
        Kind::Library(library, f) => plain(Prim::Library(library, f, a)),
        Kind::Float if a == float => Recipe::Identity,
        Kind::Float => plain(Prim::Cast(a, float)),
        Kind::Convert(to) if a == to => Recipe::Identity,
        Kind::Convert(to) if to.is_float() || a.fits_in(to) => plain(Prim::Cast(a, to)),
        Kind::Convert(to) => plain(Prim::Convert(a, to)),
        _ => return None,
    })
}

fn binary(kind: Kind, a: Scalar, b: Scalar) -> Option<Recipe> {
    let common = promote(a, b);
    let promoted =
        |op: fn(Scalar) -> Prim| simple(op(common), vec![cast(a, common), cast(b, common)]);
    Some(match kind {
        Kind::Add => promoted(Prim::Add),
        Kind::Sub => promoted(Prim::Sub),
        Kind::Mul => promoted(Prim::Mul),
        Kind::Slash => {
            let float = if common.is_float() {
                common
            } else {
                Scalar::F64
            };
            simple(Prim::Div(float), vec![cast(a, float), cast(b, float)])
        }
        Kind::Div if common.is_float() => float_div(a, b, common),
        Kind::Div if mixed_signs(a, b) => mixed_div(a, b),
        Kind::Div => promoted(Prim::Div),
        Kind::Rem if mixed_signs(a, b) => mixed_rem(a, b),
        Kind::Rem => promoted(Prim::Rem),
        Kind::And => promoted(Prim::And),
        Kind::Or => promoted(Prim::Or),
        Kind::Xor => promoted(Prim::Xor),
        Kind::Shl => shift(Prim::Shl(a), b),
        Kind::Shr => shift(Prim::Shr(a), b),
        Kind::Compare { op, swap, negate } => comparison(op, swap, negate, a, b),
        Kind::Min => checked(Prim::Min(common), a, b, common),
        Kind::Max => checked(Prim::Max(common), a, b, common),
        Kind::Pow if common.is_float() => {
            let op = Prim::Math(MathFn::Pow, common);
            simple(op, vec![cast(a, common), cast(b, common)])
        }
        Kind::Library(library, f) => simple(Prim::Library(library, f, a), vec![None, None]),
        // The power has the type of its base.
        Kind::Pow => simple(Prim::PowInt(a), vec![None, widen_checked(b, Scalar::I64)]),
        _ => return None,
    })
}

/// A conversion that keeps the value or fails.
fn widen_checked(from: Scalar, to: Scalar) -> Option<Prim> {
    match from.fits_in(to) || to.is_float() {
        true => cast(from, to),
        false => Some(Prim::Convert(from, to)),
    }
}

/// `min(-1, UInt64(1))` fails in its promotion, as in Julia.
fn checked(op: Prim, a: Scalar, b: Scalar, common: Scalar) -> Recipe {
    simple(op, vec![widen_checked(a, common), widen_checked(b, common)])
}

fn comparison(op: Compare, swap: bool, negate: bool, a: Scalar, b: Scalar) -> Recipe {
    let (first, second) = if swap { (b, a) } else { (a, b) };
    let op = match (op, a == b) {
        (Compare::Eq, true) => Prim::Eq(a),
        (Compare::Lt, true) => Prim::Lt(a),
        (Compare::Le, true) => Prim::Le(a),
        (Compare::Eq, false) => Prim::EqMixed(first, second),
        (Compare::Lt, false) => Prim::LtMixed(first, second),
        (Compare::Le, false) => Prim::LeMixed(first, second),
    };
    Recipe::Scalar {
        casts: vec![None, None],
        swap,
        op,
        negate,
    }
}

/// The amount is Int64; a UInt64 beyond it is past every width.
fn shift(op: Prim, amount: Scalar) -> Recipe {
    if amount != Scalar::U64 {
        return simple(op, vec![None, cast(amount, Scalar::I64)]);
    }
    let mut steps = Steps::default();
    let past = Operand::Const(ScalarValue::U64(64));
    let amount = steps.push(Prim::Min(Scalar::U64), [Operand::Arg(1), past]);
    let amount = steps.push(Prim::Cast(Scalar::U64, Scalar::I64), [amount]);
    steps.push(op, [Operand::Arg(0), amount]);
    Recipe::Steps(steps.0)
}

/// `div` of floats: `round((x - rem(x, y)) / y)`.
fn float_div(a: Scalar, b: Scalar, common: Scalar) -> Recipe {
    let mut steps = Steps::default();
    let x = steps.cast(Operand::Arg(0), a, common);
    let y = steps.cast(Operand::Arg(1), b, common);
    let rest = steps.push(Prim::Rem(common), [x, y]);
    let whole = steps.push(Prim::Sub(common), [x, rest]);
    let quotient = steps.push(Prim::Div(common), [whole, y]);
    steps.push(Prim::Round(common), [quotient]);
    Recipe::Steps(steps.0)
}

fn mixed_signs(a: Scalar, b: Scalar) -> bool {
    a.is_int() && b.is_int() && a.is_signed() != b.is_signed()
}

/// Division of a signed by an unsigned integer or the other way round: the exact quotient or
/// remainder, with the signedness of the first operand and the greater width of both.
fn mixed_div(a: Scalar, b: Scalar) -> Recipe {
    let (mut steps, x, y, wide) = magnitudes(a, b);
    let quotient = steps.push(Prim::Div(wide.unsigned()), [x, y]);
    let (signed, sign) = if a.is_signed() { (a, 0) } else { (b, 1) };
    let quotient = steps.cast(quotient, wide.unsigned(), wide.signed());
    let quotient = steps.flip_sign(quotient, wide.signed(), Operand::Arg(sign), signed);
    if !a.is_signed() {
        steps.cast(quotient, wide.signed(), wide.unsigned());
    }
    Recipe::Steps(steps.0)
}

fn mixed_rem(a: Scalar, b: Scalar) -> Recipe {
    let (mut steps, x, y, wide) = magnitudes(a, b);
    let rest = steps.push(Prim::Rem(wide.unsigned()), [x, y]);
    if a.is_signed() {
        let rest = steps.cast(rest, wide.unsigned(), wide.signed());
        steps.flip_sign(rest, wide.signed(), Operand::Arg(0), a);
    }
    Recipe::Steps(steps.0)
}

/// The absolute values of both operands in the unsigned type of the greater width.
fn magnitudes(a: Scalar, b: Scalar) -> (Steps, Operand, Operand, Scalar) {
    let mut steps = Steps::default();
    let wide = if a.bits() >= b.bits() { a } else { b };
    let x = steps.magnitude(Operand::Arg(0), a, wide.unsigned());
    let y = steps.magnitude(Operand::Arg(1), b, wide.unsigned());
    (steps, x, y, wide)
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn push<const N: usize>(&mut self, op: Prim, operands: [Operand; N]) -> Operand {
        self.0.push(Step {
            op,
            operands: operands.to_vec(),
        });
        Operand::Step(self.0.len() - 1)
    }

    fn cast(&mut self, x: Operand, from: Scalar, to: Scalar) -> Operand {
        match cast(from, to) {
            Some(op) => self.push(op, [x]),
            None => x,
        }
    }

    fn magnitude(&mut self, x: Operand, from: Scalar, to: Scalar) -> Operand {
        if !from.is_signed() {
            return self.cast(x, from, to);
        }
        // `abs(MIN)` is MIN, which is right when it is read as unsigned.
        let x = self.push(Prim::Abs(from), [x]);
        let x = self.cast(x, from, from.unsigned());
        self.cast(x, from.unsigned(), to)
    }

    /// `x` of type `ty`, negated if `sign` of type `sign_ty` is negative: `(x ⊻ m) - m` with m = 0 or -1.
    fn flip_sign(&mut self, x: Operand, ty: Scalar, sign: Operand, sign_ty: Scalar) -> Operand {
        let past = Operand::Const(ScalarValue::I64(64));
        let mask = self.push(Prim::Shr(sign_ty), [sign, past]);
        let mask = self.cast(mask, sign_ty, ty);
        let x = self.push(Prim::Xor(ty), [x, mask]);
        self.push(Prim::Sub(ty), [x, mask])
    }
}
