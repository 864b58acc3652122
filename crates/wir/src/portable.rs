//! Wir beyond the session: what its definitions are called elsewhere, and typed SSA as bytes.
//!
//! The numbers of variants are part of the format: they are never used again for anything else.

mod body;

use crate::ast::{Inlining, NodeId};
use crate::define::{Intrinsic, TYPE_FACT, decl_of_bytes, type_fact};
use crate::device::{Elem, FailKind, FailSite, Leaf};
use crate::inferred::{Abi, Inline};
use crate::ir::{Atomic, Blk, Const, Failure, Frame, GridQuery, Op, Pos, UnknownKind, Val};
use crate::module::At;
use crate::prim::{Library, MathFn, Prim, PrimError, Scalar};
use crate::source::Source;
use crate::universe::Universe;
use rustc_hash::FxHashSet;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use worldage_dispatch::{Arg, DeclId, Ty, TyKind};
use worldage_engine::{ExternalKey, Fact, portable};

/// The kinds of external facts that inference asks for.
pub(crate) const EXTERNAL_KINDS: &[&str] = &["external", TYPE_FACT];

/// A declaration with everything that it names, as text; `None` if two of these share a name.
pub(crate) fn decl_identity(u: &Universe, decl: DeclId) -> Option<u64> {
    let types = u.types();
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    let mut seen: FxHashSet<DeclId> = FxHashSet::default();
    let mut work = vec![decl];
    while let Some(decl) = work.pop() {
        if !seen.insert(decl) {
            continue;
        }
        let declared = types.decl(decl);
        let mut text = format!("{:?}", declared.kind);
        let mut mention = |label: &str, name: &str, ty: Ty| {
            let _infallible = write!(text, ";{label} {name}: {}", types.display(ty));
            decls_in(u, ty, &mut work);
        };
        mention("under", "", declared.parent);
        for param in &declared.params {
            mention("param", types.symbol_str(param.name), param.upper);
        }
        for field in u.struct_info(decl).iter().flat_map(|info| &info.fields) {
            mention(
                "field",
                &format!("{} {}", field.node.0, field.name),
                field.ty,
            );
        }
        if all.insert(types.symbol_str(declared.name), text).is_some() {
            return None;
        }
    }
    // Whom it is about, then everything by name.
    let mut hasher = blake3::Hasher::new();
    let name = types.symbol_str(types.decl(decl).name);
    for text in std::iter::once(name).chain(all.iter().flat_map(|(name, text)| [*name, text])) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    Some(first(hasher.finalize().as_bytes()))
}

fn first(digest: &[u8; 32]) -> u64 {
    u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// The declarations that a type names.
fn decls_in(u: &Universe, ty: Ty, out: &mut Vec<DeclId>) {
    match u.types().kind(ty) {
        TyKind::Bottom | TyKind::Any | TyKind::Var(_) => {}
        TyKind::Nominal { decl, args } => {
            out.push(*decl);
            for arg in args {
                if let Arg::Ty(ty) = arg {
                    decls_in(u, *ty, out);
                }
            }
        }
        TyKind::Tuple { elems, tail } => {
            elems
                .iter()
                .chain(tail)
                .for_each(|ty| decls_in(u, *ty, out));
        }
        TyKind::Union(members) => members.iter().for_each(|ty| decls_in(u, *ty, out)),
    }
}

/// What a type's name means in the newest world.
pub(crate) fn find_decl(u: &Universe, name: &str, fact: Fact<'_>) -> Option<DeclId> {
    let function = name.strip_prefix("typeof(");
    if let Some(function) = function.and_then(|name| name.strip_suffix(')')) {
        return match u.types().kind(u.function_ty(u.types().symbol(function))) {
            TyKind::Nominal { decl, .. } => Some(*decl),
            _ => None,
        };
    }
    u.prelude_decl(name)
        .or_else(|| decl_of_bytes(&fact(&type_fact(name))?))
}

/// Built-ins are what this build says; a constructor is its struct's.
pub(crate) fn intrinsic_identity(u: &Universe, number: u32) -> Option<u64> {
    match Intrinsic::from_number(number) {
        Intrinsic::Builtin(id) => Some(u64::from(id.0)),
        Intrinsic::Constructor(decl) => decl_identity(u, decl),
    }
}

/// The digest of a method's body, whatever numbers this session gave to what it names.
pub(crate) fn source_identity(u: &Universe, source: &Source) -> Option<[u8; 32]> {
    match source {
        Source::Builtin(id) => Some(digest(&("builtin", id.0))),
        Source::Constructor(decl) => Some(digest(&("constructor", decl_identity(u, *decl)?))),
        Source::Method(method) => {
            // What the host does is no part of any result: its declaration says it all.
            let kind = match method.host.is_some() {
                true => "host",
                false => "method",
            };
            Some(method.digest(|def| digest(&(kind, def))))
        }
    }
}

/// BLAKE3 of what a value hands to a hasher.
fn digest(value: &impl Hash) -> [u8; 32] {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut written = Written(BUFFER.take());
    written.0.clear();
    value.hash(&mut written);
    let digest = blake3::hash(&written.0).into();
    BUFFER.set(written.0);
    digest
}

pub(crate) fn external_identity(u: &Universe, key: &ExternalKey, value: &[u8]) -> Option<u64> {
    match key.kind == TYPE_FACT {
        true => decl_identity(u, decl_of_bytes(value)?),
        false => Some(first(blake3::hash(value).as_bytes()) | 1),
    }
}

/// Gathers what is hashed: numbers by seven bits per byte, the lowest first, so that they are the
/// same on machines of every word size and byte order, and none begins another.
struct Written(Vec<u8>);

impl Hasher for Written {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn write_u8(&mut self, n: u8) {
        self.0.push(n);
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }

    fn write_isize(&mut self, n: isize) {
        self.write_i64(n as i64);
    }

    /// Never asked for: the bytes are.
    fn finish(&self) -> u64 {
        first(blake3::hash(&self.0).as_bytes())
    }
}

portable!(newtype Val);
portable!(newtype Blk);
portable!(newtype NodeId);
portable!(newtype Abi);
portable!(struct Pos { frame, node });
portable!(struct Frame { mi, call });
portable!(struct At { mi, node });
portable!(struct FailSite { kind, trace });
portable!(struct Elem { ty, fields, size });

portable!(enum Inlining { 0 Auto, 1 Always, 2 Never });
portable!(enum Inline { 0 Never, 1 Small, 2 Always });
portable!(enum Const { 0 Bool(x), 1 Int(x), 2 F32(x), 3 F64(x), 4 Str(x), 5 Unit });
portable!(enum GridQuery {
    0 GlobalId, 1 GlobalSize, 2 LocalId, 3 LocalSize, 4 GroupId, 5 NumGroups,
});
portable!(enum Atomic { 0 Add, 1 Min, 2 Max, 3 Cas });
portable!(enum Op {
    0 Const(c),
    1 Prim(p, args),
    2 Make(args),
    3 TupleDyn(args),
    4 Field(v, n),
    5 TupleIndex(v, ix),
    6 Widen(v),
    7 Narrow(v),
    8 Check(v),
    9 IsA(v, ty),
    10 FieldDyn(v, name),
    11 IndexDyn(v, ix),
    12 SetIndexDyn(v, ix, value),
    13 ArrayNew(len),
    14 ArrayLen(v),
    15 ArrayGet(v, ix),
    16 ArraySet(v, ix, value),
    17 StrEq(a, b),
    18 StrLen(v),
    19 Call(mi, args),
    20 CallDyn(function, args),
    21 CallValue(v, args),
    22 InvokeDyn(function, sig, args),
    23 Latest(v, args),
    24 CallHost(mi, args),
    25 Print(args),
    26 Grid(query, dim),
    27 Barrier,
    28 Shared(len),
    29 Atomic(op, args),
});
portable!(enum Failure {
    0 NoMethod(function, args),
    1 Ambiguous(function, args),
    2 NoInvoke(function, sig),
    3 TypeMismatch(expected, found),
    4 MissingField(ty, name),
    5 Bounds,
    6 Prim(error),
    7 Unknown(kind, name),
    8 BadType(why),
    9 TypeLimit(function),
    10 Unsupported(why),
});
portable!(enum FailKind { 0 Bounds, 1 Failure(why), 2 Call });
portable!(enum Leaf { 0 Scalar(s), 1 Array(elem) });
portable!(enum UnknownKind { 0 Name, 1 Type, 2 External });
portable!(enum PrimError { 0 Division, 1 Conversion });
portable!(enum Scalar {
    0 Bool, 1 I8, 2 I16, 3 I32, 4 I64, 5 U8, 6 U16, 7 U32, 8 U64, 9 F32, 10 F64,
});
portable!(enum Library { 0 OpenCl, 1 OpenClNative, 2 Libdevice, 3 LibdeviceFast });
portable!(enum MathFn { 0 Sin, 1 Cos, 2 Tan, 3 Exp, 4 Log, 5 Pow });
portable!(enum Prim {
    0 Add(s), 1 Sub(s), 2 Mul(s), 3 Div(s), 4 Rem(s), 5 Neg(s), 6 Abs(s), 7 BitNot(s), 8 Not,
    9 And(s), 10 Or(s), 11 Xor(s), 12 Shl(s), 13 Shr(s), 14 Eq(s), 15 Lt(s), 16 Le(s),
    17 EqMixed(a, b), 18 LtMixed(a, b), 19 LeMixed(a, b), 20 Min(s), 21 Max(s), 22 Sqrt(s),
    23 Floor(s), 24 Ceil(s), 25 Round(s), 26 Math(f, s), 27 PowInt(s), 28 Cast(from, to),
    29 Convert(from, to), 30 TruncTo(from, to), 31 Trunc(s), 32 Library(library, f, s),
});
