//! Functions in OpenCL C that the generated text may call; only those that it calls are written.
//!
//! Each agrees with `Prim::eval` bit for bit.

use crate::data::c_type;
use std::collections::BTreeSet;
use worldage_wir::prim::Scalar;

/// A function of the prelude. The order is that of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    /// Claims the error word for a site; 2 if it was free, else 1.
    Fail,
    /// Like [`Helper::Fail`], with an index and a length.
    Bounds,
    /// Adds a call to the claimed error.
    Called,
    /// Shift left by any amount.
    Shl(Scalar),
    /// Shift right by any amount.
    Shr(Scalar),
    /// Remainder that is defined for -1.
    Rem(Scalar),
    /// Integer power, in 64 bits.
    PowInt,
    /// Minimum of floats.
    Min(Scalar),
    /// Maximum of floats.
    Max(Scalar),
    /// Order of an integer and a Float64: -1, 0, 1; 2 for NaN.
    CompareDouble(Scalar),
    /// Order of a signed and an unsigned integer.
    CompareUnsigned,
    /// Compare-and-swap loop on a float in global (false) or shared memory (true).
    AtomicFloat(AtomicOp, Scalar, bool),
}

/// What an atomic loop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AtomicOp {
    Add,
    Min,
    Max,
}

impl Helper {
    pub(super) fn name(self) -> String {
        match self {
            Helper::Fail => "wa_fail".into(),
            Helper::Bounds => "wa_bounds".into(),
            Helper::Called => "wa_called".into(),
            Helper::Shl(s) => format!("wa_shl_{}", c_type(s)),
            Helper::Shr(s) => format!("wa_shr_{}", c_type(s)),
            Helper::Rem(s) => format!("wa_rem_{}", c_type(s)),
            Helper::PowInt => "wa_powint".into(),
            Helper::Min(s) => format!("wa_min_{}", c_type(s)),
            Helper::Max(s) => format!("wa_max_{}", c_type(s)),
            Helper::CompareDouble(s) => format!("wa_compare_{}_double", c_type(s)),
            Helper::CompareUnsigned => "wa_compare_long_ulong".into(),
            Helper::AtomicFloat(op, s, local) => {
                let op = match op {
                    AtomicOp::Add => "add",
                    AtomicOp::Min => "min",
                    AtomicOp::Max => "max",
                };
                let place = if local { "local" } else { "global" };
                format!("wa_atomic_{op}_{}_{place}", c_type(s))
            }
        }
    }

    fn needs(self) -> Option<Helper> {
        match self {
            Helper::Bounds => Some(Helper::Fail),
            Helper::AtomicFloat(AtomicOp::Min, s, _) => Some(Helper::Min(s)),
            Helper::AtomicFloat(AtomicOp::Max, s, _) => Some(Helper::Max(s)),
            _ => None,
        }
    }

    fn text(self) -> String {
        let name = self.name();
        match self {
            Helper::Fail => "\
/* The first work-item that fails claims the error word. */
static int wa_fail(__global int *error, int site)
{
    return atomic_cmpxchg((volatile __global int *)error, 0, site) == 0 ? 2 : 1;
}
"
            .into(),
            Helper::Bounds => "\
static int wa_bounds(__global int *error, int site, long index, long length)
{
    int claimed = wa_fail(error, site);
    if (claimed == 2) {
        error[2] = (int)(uint)index;
        error[3] = (int)(index >> 32);
        error[4] = (int)(uint)length;
        error[5] = (int)(length >> 32);
    }
    return claimed;
}
"
            .into(),
            Helper::Called => "\
/* The work-item that claimed the error word adds the call that led there. */
static int wa_called(__global int *error, int claimed, int site)
{
    if (claimed == 2 && error[1] < 20) {
        error[6 + error[1]] = site;
        error[1] = error[1] + 1;
    }
    return claimed;
}
"
            .into(),
            Helper::Shl(s) | Helper::Shr(s) => shift(&name, s, matches!(self, Helper::Shl(_))),
            Helper::Rem(s) => {
                let t = c_type(s);
                format!(
                    "static {t} {name}({t} a, {t} b)\n{{\n    \
                     return b == -1 ? ({t})0 : ({t})(a % b);\n}}\n"
                )
            }
            Helper::PowInt => "\
static ulong wa_powint(ulong base, long exponent)
{
    ulong left = exponent < 0 ? 0UL - (ulong)exponent : (ulong)exponent;
    ulong result = 1UL;
    for (; left != 0UL; left >>= 1) {
        if (left & 1UL) result *= base;
        base *= base;
    }
    return result;
}
"
            .into(),
            Helper::Min(s) | Helper::Max(s) => {
                let t = c_type(s);
                let (sign, order) = match self {
                    Helper::Min(_) => ("a : b", "a < b"),
                    _ => ("b : a", "a > b"),
                };
                format!(
                    "static {t} {name}({t} a, {t} b)\n{{\n    \
                     if (isnan(a) || isnan(b)) return ({t})NAN;\n    \
                     if (a == b) return signbit(a) ? {sign};\n    \
                     return {order} ? a : b;\n}}\n"
                )
            }
            Helper::CompareDouble(Scalar::U64) => format!(
                "static int {name}(ulong x, double y)\n{{\n    \
                 if (isnan(y)) return 2;\n    \
                 if (y >= 0x1p64) return -1;\n    \
                 if (y < 0.0) return 1;\n    \
                 ulong whole = (ulong)y;\n    \
                 if (x != whole) return x < whole ? -1 : 1;\n    \
                 return y > (double)whole ? -1 : 0;\n}}\n"
            ),
            Helper::CompareDouble(_) => format!(
                "static int {name}(long x, double y)\n{{\n    \
                 if (isnan(y)) return 2;\n    \
                 if (y >= 0x1p63) return -1;\n    \
                 if (y < -0x1p63) return 1;\n    \
                 long whole = (long)y;\n    \
                 if (x != whole) return x < whole ? -1 : 1;\n    \
                 double rest = y - (double)whole;\n    \
                 return rest > 0.0 ? -1 : rest < 0.0 ? 1 : 0;\n}}\n"
            ),
            Helper::CompareUnsigned => "\
static int wa_compare_long_ulong(long x, ulong y)
{
    if (x < 0L || (ulong)x < y) return -1;
    return (ulong)x == y ? 0 : 1;
}
"
            .into(),
            Helper::AtomicFloat(op, s, local) => atomic(&name, op, s, local),
        }
    }
}

fn shift(name: &str, s: Scalar, left: bool) -> String {
    let (t, u) = (c_type(s), c_type(s.unsigned()));
    let bits = s.bits();
    let to_left = format!("n >= {bits}L ? ({t})0 : ({t})(({u})a << n)");
    let to_right = |n: &str| match s.is_signed() {
        true => format!("({t})(a >> min({n}, {}L))", bits - 1),
        false => format!("{n} >= {bits}L ? ({t})0 : ({t})(a >> {n})"),
    };
    // The least amount has no opposite, and is past every width.
    let body = if left {
        format!(
            "    if (n >= 0L) return {to_left};\n    n = n < -64L ? 64L : -n;\n    return {};\n",
            to_right("n")
        )
    } else {
        format!(
            "    if (n >= 0L) return {};\n    n = n < -64L ? 64L : -n;\n    return {to_left};\n",
            to_right("n")
        )
    };
    format!("static {t} {name}({t} a, long n)\n{{\n{body}}}\n")
}

fn atomic(name: &str, op: AtomicOp, s: Scalar, local: bool) -> String {
    let space = if local { "__local" } else { "__global" };
    let t = c_type(s);
    let (bits, exchange) = match s {
        Scalar::F32 => ("uint", "atomic_cmpxchg"),
        _ => ("ulong", "atom_cmpxchg"),
    };
    let new = match op {
        AtomicOp::Add => "old + operand".to_string(),
        AtomicOp::Min => format!("{}(old, operand)", Helper::Min(s).name()),
        AtomicOp::Max => format!("{}(old, operand)", Helper::Max(s).name()),
    };
    format!(
        "static {t} {name}(volatile {space} {t} *at, {t} operand)\n{{\n    \
         volatile {space} {bits} *word = (volatile {space} {bits} *)at;\n    \
         for (;;) {{\n        \
         {bits} seen = *word;\n        \
         {t} old = as_{t}(seen);\n        \
         if ({exchange}(word, seen, as_{bits}({new})) == seen) return old;\n    \
         }}\n}}\n"
    )
}

/// The text of these functions and of what they need.
pub(super) fn prelude(used: &BTreeSet<Helper>) -> String {
    let mut all = used.clone();
    for helper in used {
        let mut next = helper.needs();
        while let Some(needed) = next {
            all.insert(needed);
            next = needed.needs();
        }
    }
    all.iter().map(|helper| helper.text() + "\n").collect()
}
