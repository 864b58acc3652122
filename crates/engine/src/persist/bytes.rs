//! Values of a session as bytes that mean the same in every other session.
//!
//! A [`Writer`] writes numbers and texts explicitly, and names types, symbols, methods and
//! instances by what they are: the first time in full, then by the number of that first time. A
//! [`Reader`] finds the same things in its own session, or fails. What has no identity outside
//! of the session makes the writer give up.
//!
//! Invariant: equal values give equal bytes, whatever happened before in the session.

use super::identity::Session;
use crate::ids::{Mi, MiKey};
use rustc_hash::FxHashMap;
use smallvec::{Array, SmallVec};
use std::hash::Hash;
use std::sync::Arc;
use worldage_dispatch::{Arg, MethodId, Sig, Symbol, Ty, TyKind, TypeVar};

/// The bytes do not say what was asked for, or name something that this session does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Something that can be written and read back; derived with [`portable!`](crate::portable).
pub trait Portable: Sized {
    /// Writes it.
    fn write(&self, w: &mut Writer<'_>);

    /// Reads it back.
    ///
    /// # Errors
    /// [`Malformed`].
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Room that a length is given before its elements are read.
const MAX_RESERVED: usize = 1 << 12;

/// How deep types may nest in what is read.
const MAX_DEPTH: u32 = 600;

/// Writes values of one session.
pub struct Writer<'a> {
    /// `None` writes the session's own numbers.
    session: Option<&'a dyn Session>,
    out: Vec<u8>,
    symbols: FxHashMap<Symbol, u64>,
    types: FxHashMap<Ty, u64>,
    methods: FxHashMap<MethodId, u64>,
    instances: FxHashMap<Mi, u64>,
    /// Something had no identity.
    unnamed: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(session: &'a dyn Session) -> Self {
        Writer {
            session: Some(session),
            ..Writer::of_numbers(Vec::with_capacity(256))
        }
    }

    /// Writes the session's own numbers behind what `out` holds.
    pub(super) fn of_numbers(out: Vec<u8>) -> Self {
        Writer {
            session: None,
            out,
            symbols: FxHashMap::default(),
            types: FxHashMap::default(),
            methods: FxHashMap::default(),
            instances: FxHashMap::default(),
            unnamed: false,
        }
    }

    /// The bytes; `None` if something had no identity outside of this session.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.unnamed).then_some(self.out)
    }

    /// What is written, whether or not it has a meaning outside of this session.
    pub(super) fn into_written(self) -> Vec<u8> {
        self.out
    }

    /// Gives up: what is written has no meaning outside of this session.
    pub fn unnamed(&mut self) {
        self.unnamed = true;
    }

    /// What is written so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.out
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// An unsigned number, seven bits per byte, the lowest first.
    #[inline]
    pub fn number(&mut self, number: u64) {
        if number < 0x80 {
            self.out.push(number as u8);
        } else {
            self.long_number(number);
        }
    }

    fn long_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// A number with all its bits, eight bytes, little-endian.
    pub fn bits(&mut self, bits: u64) {
        self.out.extend_from_slice(&bits.to_le_bytes());
    }

    /// Length and bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Writes the number of something that was written before; otherwise 0, and the caller writes
    /// it in full.
    fn known<K: Hash + Eq + Copy>(
        &mut self,
        table: fn(&mut Self) -> &mut FxHashMap<K, u64>,
        key: K,
    ) -> bool {
        let known = table(self).get(&key).copied().unwrap_or(0);
        self.number(known);
        known != 0
    }

    fn learn<K: Hash + Eq + Copy>(
        &mut self,
        table: fn(&mut Self) -> &mut FxHashMap<K, u64>,
        key: K,
    ) {
        let next = table(self).len() as u64 + 1;
        table(self).insert(key, next);
    }
}

/// Reads what a [`Writer`] wrote.
pub struct Reader<'a> {
    /// `None` reads the session's own numbers.
    session: Option<&'a dyn Session>,
    rest: &'a [u8],
    symbols: Vec<Symbol>,
    types: Vec<Ty>,
    methods: Vec<MethodId>,
    instances: Vec<Mi>,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(session: &'a dyn Session, bytes: &'a [u8]) -> Self {
        Reader {
            session: Some(session),
            ..Reader::of_numbers(bytes)
        }
    }

    /// Reads the session's own numbers.
    pub(super) fn of_numbers(bytes: &'a [u8]) -> Self {
        Reader {
            session: None,
            rest: bytes,
            symbols: Vec::new(),
            types: Vec::new(),
            methods: Vec::new(),
            instances: Vec::new(),
            depth: 0,
        }
    }

    /// Nothing may be left over.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.rest {
            [] => Ok(()),
            _ => Err(Malformed("something is left over")),
        }
    }

    /// So many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed("it ends early"))?;
        self.rest = rest;
        Ok(*byte)
    }

    /// An unsigned number.
    ///
    /// # Errors
    /// At the end, or if it is too large.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Malformed> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed("a number is too large"))
    }

    /// A number that counts something that takes at least a byte each.
    ///
    /// # Errors
    /// If there cannot be so many.
    #[inline]
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let number = self.number()?;
        usize::try_from(number)
            .ok()
            .filter(|count| *count <= self.rest.len())
            .ok_or(Malformed("it ends early"))
    }

    /// A number with all its bits.
    ///
    /// # Errors
    /// At the end.
    pub fn bits(&mut self) -> Result<u64, Malformed> {
        let (bits, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed("it ends early"))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bits))
    }

    /// Length and bytes.
    ///
    /// # Errors
    /// At the end.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.count()?;
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(bytes)
    }

    fn known<T: Copy>(&mut self, table: fn(&Self) -> &Vec<T>) -> Result<Option<T>, Malformed> {
        match usize::try_from(self.number()?) {
            Ok(0) => Ok(None),
            Ok(known) => match table(self).get(known - 1) {
                Some(known) => Ok(Some(*known)),
                None => Err(Malformed("it names something that it does not define")),
            },
            Err(_) => Err(Malformed("it names something that it does not define")),
        }
    }

    /// A number of the session's own.
    #[inline]
    fn index(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number is too large"))
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is no UTF-8"))
    }
}

impl Portable for Symbol {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => w.number(self.index() as u64),
            Some(session) => write_symbol(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.session {
            None => r.index().map(|ix| Symbol::from_index(ix as usize)),
            Some(session) => read_symbol(session, r),
        }
    }
}

fn write_symbol(symbol: Symbol, session: &dyn Session, w: &mut Writer<'_>) {
    if !w.known(|w| &mut w.symbols, symbol) {
        w.bytes(session.types().symbol_str(symbol).as_bytes());
        w.learn(|w| &mut w.symbols, symbol);
    }
}

fn read_symbol(session: &dyn Session, r: &mut Reader<'_>) -> Result<Symbol, Malformed> {
    if let Some(known) = r.known(|r| &r.symbols)? {
        return Ok(known);
    }
    let text = r.text()?;
    let symbol = session.types().symbol(text);
    r.symbols.push(symbol);
    Ok(symbol)
}

impl Portable for Arg {
    fn write(&self, w: &mut Writer<'_>) {
        match self {
            Arg::Ty(ty) => {
                w.byte(0);
                ty.write(w);
            }
            Arg::Int(n) => {
                w.byte(1);
                w.bits(n.cast_unsigned());
            }
            Arg::Symbol(symbol) => {
                w.byte(2);
                symbol.write(w);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.byte()? {
            0 => Arg::Ty(Ty::read(r)?),
            1 => Arg::Int(r.bits()?.cast_signed()),
            2 => Arg::Symbol(Symbol::read(r)?),
            _ => return Err(Malformed("no such kind of type argument")),
        })
    }
}

impl Portable for Ty {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => w.number(self.index() as u64),
            Some(session) => write_ty(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.session {
            None => r.index().map(|ix| Ty::from_index(ix as usize)),
            Some(session) => read_ty(session, r),
        }
    }
}

fn write_ty(ty: Ty, session: &dyn Session, w: &mut Writer<'_>) {
    if w.known(|w| &mut w.types, ty) {
        return;
    }
    match session.types().kind(ty) {
        TyKind::Bottom => w.byte(0),
        TyKind::Any => w.byte(1),
        TyKind::Nominal { decl, args } => {
            w.byte(2);
            session.types().decl(*decl).name.write(w);
            match session.decl_identity(*decl) {
                Some(identity) => w.bits(identity),
                None => w.unnamed(),
            }
            write_all(args, w);
        }
        TyKind::Tuple { elems, tail } => {
            w.byte(3);
            write_all(elems, w);
            tail.write(w);
        }
        TyKind::Union(members) => {
            w.byte(4);
            write_all(members, w);
        }
        TyKind::Var(ix) => {
            w.byte(5);
            w.number(u64::from(*ix));
        }
    }
    w.learn(|w| &mut w.types, ty);
}

fn read_ty(session: &dyn Session, r: &mut Reader<'_>) -> Result<Ty, Malformed> {
    if let Some(known) = r.known(|r| &r.types)? {
        return Ok(known);
    }
    r.depth += 1;
    if r.depth > MAX_DEPTH {
        return Err(Malformed("a type nests too deep"));
    }
    let types = session.types();
    let wrong = |_| Malformed("a type cannot be built");
    let ty = match r.byte()? {
        0 => Ty::BOTTOM,
        1 => Ty::ANY,
        2 => {
            let name = Symbol::read(r)?;
            let identity = r.bits()?;
            let decl = session.find_decl(name, identity);
            let decl = decl.ok_or(Malformed("a type is not defined here, or otherwise"))?;
            let args: Vec<Arg> = Vec::read(r)?;
            types.nominal(decl, &args).map_err(wrong)?
        }
        3 => {
            let elems: Vec<Ty> = Vec::read(r)?;
            let tail: Option<Ty> = Option::read(r)?;
            types.try_tuple(&elems, tail).map_err(wrong)?
        }
        4 => {
            let members: Vec<Ty> = Vec::read(r)?;
            types.try_union(&members).map_err(wrong)?
        }
        5 => types.var(u32::read(r)?),
        _ => return Err(Malformed("no such kind of type")),
    };
    r.depth -= 1;
    r.types.push(ty);
    Ok(ty)
}

impl Portable for MethodId {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => w.number(u64::from(self.0)),
            Some(session) => write_method(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.session {
            None => r.index().map(MethodId),
            Some(session) => read_method(session, r),
        }
    }
}

fn write_method(method_id: MethodId, session: &dyn Session, w: &mut Writer<'_>) {
    if w.known(|w| &mut w.methods, method_id) {
        return;
    }
    let method = session.method(method_id);
    method.function.write(w);
    match session.table_name(method.table) {
        Some(name) => w.bytes(name.as_bytes()),
        None => w.unnamed(),
    }
    method.sig.params.write(w);
    w.number(method.sig.vars.len() as u64);
    for var in &*method.sig.vars {
        var.name.write(w);
        var.upper.write(w);
    }
    match method
        .intrinsic
        .map(|number| session.intrinsic_identity(number))
    {
        None => w.byte(0),
        Some(Some(identity)) => {
            w.byte(1);
            w.bits(identity);
        }
        Some(None) => w.unnamed(),
    }
    w.learn(|w| &mut w.methods, method_id);
}

fn read_method(session: &dyn Session, r: &mut Reader<'_>) -> Result<MethodId, Malformed> {
    if let Some(known) = r.known(|r| &r.methods)? {
        return Ok(known);
    }
    let function = Symbol::read(r)?;
    let table = r.text()?;
    let params = Ty::read(r)?;
    let vars = (0..r.count()?)
        .map(|_| {
            Ok(TypeVar {
                name: Symbol::read(r)?,
                upper: Ty::read(r)?,
            })
        })
        .collect::<Result<Vec<_>, Malformed>>()?;
    let intrinsic = match r.byte()? {
        0 => None,
        _ => Some(r.bits()?),
    };
    let types = session.types();
    let TyKind::Tuple { elems, tail } = types.kind(params) else {
        return Err(Malformed("a signature is no tuple"));
    };
    let sig = Sig::new(types, elems, *tail, vars)
        .map_err(|_| Malformed("a signature cannot be built"))?;
    let method = session.find_method(table, function, &sig, intrinsic);
    let method = method.ok_or(Malformed("a method is not defined here"))?;
    r.methods.push(method);
    Ok(method)
}

impl Portable for Mi {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => w.number(u64::from(self.0)),
            Some(session) => write_instance(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.session {
            None => r.index().map(Mi),
            Some(session) => read_instance(session, r),
        }
    }
}

fn write_instance(mi: Mi, session: &dyn Session, w: &mut Writer<'_>) {
    if !w.known(|w| &mut w.instances, mi) {
        let key = session.key(mi);
        key.method.write(w);
        key.args.write(w);
        w.learn(|w| &mut w.instances, mi);
    }
}

fn read_instance(session: &dyn Session, r: &mut Reader<'_>) -> Result<Mi, Malformed> {
    if let Some(known) = r.known(|r| &r.instances)? {
        return Ok(known);
    }
    let method = MethodId::read(r)?;
    let args = Ty::read(r)?;
    let types = session.types();
    if !matches!(types.kind(args), TyKind::Tuple { .. }) {
        return Err(Malformed("the argument types are no tuple"));
    }
    let function = session.method(method).function;
    let key = MiKey {
        function,
        method,
        args,
    };
    let mi = session.intern(key);
    r.instances.push(mi);
    Ok(mi)
}

fn write_all<T: Portable>(all: &[T], w: &mut Writer<'_>) {
    w.number(all.len() as u64);
    all.iter().for_each(|one| one.write(w));
}

impl<T: Portable> Portable for Vec<T> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        // Every element takes at least a byte, so the length cannot ask for too much.
        let count = r.count()?;
        let mut all = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            all.push(T::read(r)?);
        }
        Ok(all)
    }
}

impl<T: Portable> Portable for Box<[T]> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Vec::read(r).map(Vec::into_boxed_slice)
    }
}

impl<A: Array<Item: Portable>> Portable for SmallVec<A> {
    fn write(&self, w: &mut Writer<'_>) {
        write_all(self, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = r.count()?;
        let mut items = SmallVec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            items.push(A::Item::read(r)?);
        }
        Ok(items)
    }
}

impl<T: Portable> Portable for Option<T> {
    fn write(&self, w: &mut Writer<'_>) {
        match self {
            None => w.byte(0),
            Some(value) => {
                w.byte(1);
                value.write(w);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.byte()? {
            0 => None,
            1 => Some(T::read(r)?),
            _ => return Err(Malformed("neither something nor nothing")),
        })
    }
}

impl<A: Portable, B: Portable> Portable for (A, B) {
    fn write(&self, w: &mut Writer<'_>) {
        self.0.write(w);
        self.1.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::read(r)?, B::read(r)?))
    }
}

impl Portable for Arc<str> {
    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(self.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.text().map(Arc::from)
    }
}

impl Portable for bool {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.byte(u8::from(*self));
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither true nor false")),
        }
    }
}

impl Portable for u32 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.number(u64::from(*self));
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::try_from(r.number()?).map_err(|_| Malformed("a number is too large"))
    }
}

impl Portable for u64 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.bits(*self);
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.bits()
    }
}

/// Zigzag, so that small negative numbers are short.
impl Portable for i64 {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        w.number(((self << 1) ^ (self >> 63)).cast_unsigned());
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let zigzag = r.number()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}

/// Implements [`Portable`] for structs by their fields in order, and for enums by explicit
/// numbers of their variants. A field or variant that is missing does not compile.
#[macro_export]
macro_rules! portable {
    (struct $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                let $name { $($field),* } = self;
                $( $crate::persist::Portable::write($field, w); )*
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                $( let $field = $crate::persist::Portable::read(r)?; )*
                Ok($name { $($field),* })
            }
        }
    };
    (newtype $name:ident) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                $crate::persist::Portable::write(&self.0, w);
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                $crate::persist::Portable::read(r).map($name)
            }
        }
    };
    (enum $name:ident { $($number:literal $variant:ident $(($($part:ident),*))?),* $(,)? }) => {
        impl $crate::persist::Portable for $name {
            fn write(&self, w: &mut $crate::persist::Writer<'_>) {
                match self {
                    $( $name::$variant $(($($part),*))? => {
                        w.byte($number);
                        $( $( $crate::persist::Portable::write($part, w); )* )?
                    } )*
                }
            }
            fn read(
                r: &mut $crate::persist::Reader<'_>,
            ) -> Result<Self, $crate::persist::Malformed> {
                Ok(match r.byte()? {
                    $( $number => {
                        $( $( let $part = $crate::persist::Portable::read(r)?; )* )?
                        $name::$variant $(($($part),*))?
                    } )*
                    _ => return Err($crate::persist::Malformed(
                        concat!("no such ", stringify!($name)),
                    )),
                })
            }
        }
    };
}
