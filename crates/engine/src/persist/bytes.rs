//! Values of a session as bytes that mean the same in every other session.
//!
//! A [`Writer`] writes numbers and texts explicitly, and names types, symbols, methods and
//! instances by what they are: the first time in full, then by the number of that first time.
//! Types and symbols that every session has from its beginning (its [`Base`]) have numbers of
//! their own. A [`Reader`] finds the same things in its own session, or fails. What has no
//! identity outside of the session makes the writer give up.
//!
//! Invariant: equal values give equal bytes, whatever happened before in the session.

use super::Bytes;
use super::identity::{Base, Session};
use super::names::{Names, Numbering};
use super::values::write_all;
use crate::definitions::MethodInfo;
use crate::ids::{Mi, MiKey};
use smallvec::SmallVec;
use std::ops::Range;
use worldage_dispatch::{Arg, MethodId, Sig, Symbol, Ty, TyKind, TypeVar};

/// The bytes do not say what was asked for, or name something that this session does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

const UNKNOWN: Malformed = Malformed("it names something that it does not define");

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
pub(super) const MAX_RESERVED: usize = 1 << 12;

/// How deep types may nest in what is read.
const MAX_DEPTH: u32 = 600;

/// Writes values of one session.
pub struct Writer<'a> {
    /// `None` numbers whatever is named in the order of its first mention.
    session: Option<&'a dyn Session>,
    base: Base,
    out: Vec<u8>,
    numbers: Numbers,
    /// Something had no identity.
    unnamed: bool,
}

/// What was named so far.
#[derive(Default)]
struct Numbers {
    symbols: Numbering<Symbol>,
    types: Numbering<Ty>,
    methods: Numbering<MethodId>,
    instances: Numbering<Mi>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(session: &'a dyn Session) -> Self {
        Writer {
            session: Some(session),
            base: session.base(),
            ..Writer::of_mentions(Vec::with_capacity(256))
        }
    }

    /// Writes also what every session has in full.
    pub(super) fn in_full(session: &'a dyn Session) -> Self {
        Writer {
            session: Some(session),
            ..Writer::of_mentions(Vec::new())
        }
    }

    /// Writes whatever is named as the number of its first mention, behind what `out` holds.
    pub(super) fn of_mentions(out: Vec<u8>) -> Self {
        Writer {
            session: None,
            base: Base::default(),
            out,
            numbers: Numbers::default(),
            unnamed: false,
        }
    }

    /// The bytes; `None` if something had no identity outside of this session.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.unnamed).then_some(self.out)
    }

    /// What is written, whether or not it has a meaning outside of this session, and what it
    /// mentions.
    pub(super) fn into_written(self) -> (Vec<u8>, Names) {
        let Numbers {
            symbols,
            types,
            methods,
            instances,
        } = &self.numbers;
        let names = Names::new(symbols.all(), types.all(), methods.all(), instances.all());
        (self.out, names)
    }

    /// As [`Writer::into_written`]; nothing if what is written has no meaning outside of this
    /// session.
    pub(super) fn into_named(self) -> Option<(Vec<u8>, Names)> {
        (!self.unnamed).then(|| self.into_written())
    }

    /// The number of an instance, as if it were written here.
    pub(super) fn mention(&mut self, mi: Mi) -> u64 {
        self.numbers.instances.number(mi)
    }

    /// Gives things the numbers that they have in a list; nothing was written before.
    pub(super) fn mention_all(&mut self, names: &Names) {
        let Numbers {
            symbols,
            types,
            methods,
            instances,
        } = &mut self.numbers;
        let place = |ix: &u32| *ix as usize;
        for ix in names.symbols().iter().map(place) {
            symbols.number(Symbol::from_index(ix));
        }
        for ix in names.types().iter().map(place) {
            types.number(Ty::from_index(ix));
        }
        for method in names.methods() {
            methods.number(MethodId(*method));
        }
        for mi in names.instances() {
            instances.number(Mi(*mi));
        }
    }

    /// What there is to a method beside its source.
    pub(super) fn method(&mut self, method: &MethodInfo) {
        match self.session {
            Some(session) => write_method_info(method, session, self),
            None => self.unnamed(),
        }
    }

    /// Gives up: what is written has no meaning outside of this session.
    pub fn unnamed(&mut self) {
        self.unnamed = true;
    }

    /// Lets go of what is written so far; what it named keeps its numbers.
    pub(super) fn clear(&mut self) {
        self.out.clear();
    }

    /// What is written so far, to begin with so much room again; what it named keeps its numbers.
    pub(super) fn take(&mut self, room: usize) -> Vec<u8> {
        std::mem::replace(&mut self.out, Vec::with_capacity(room))
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

    /// So many bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Puts other bytes in the place of some that were written.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.out[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes something of which the session's first `base` things have numbers in every session:
    /// odd numbers are these, even ones what was written before, 0 what is written in full now.
    fn based(&mut self, base: usize, index: usize, known: Option<usize>) -> bool {
        if index < base {
            self.number((index as u64) << 1 | 1);
            return true;
        }
        self.number(known.map_or(0, |known| (known as u64 + 1) << 1));
        known.is_some()
    }

    /// Writes something that has a number if it was written before; otherwise 0, and the caller
    /// writes it in full.
    fn known(&mut self, known: Option<usize>) -> bool {
        self.number(known.map_or(0, |known| known as u64 + 1));
        known.is_some()
    }
}

/// Reads what a [`Writer`] wrote.
pub struct Reader<'a> {
    scheme: Scheme<'a>,
    rest: &'a [u8],
    /// Has the memory of what is read, if that may be kept as a whole.
    owner: Option<&'a Bytes>,
    symbols: SmallVec<[Symbol; 8]>,
    types: SmallVec<[Ty; 8]>,
    methods: SmallVec<[MethodId; 8]>,
    instances: SmallVec<[Mi; 8]>,
    depth: u32,
}

/// What numbers of things mean.
#[derive(Clone, Copy)]
enum Scheme<'a> {
    /// Things of a session that are written in full.
    Session(&'a dyn Session, Base),
    /// Places in a list.
    Names(&'a Names),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(session: &'a dyn Session, bytes: &'a [u8]) -> Self {
        Reader::over(Scheme::Session(session, session.base()), bytes)
    }

    /// Reads what mentions these names.
    pub(super) fn of_names(names: &'a Names, bytes: &'a [u8]) -> Self {
        Reader::over(Scheme::Names(names), bytes)
    }

    /// As `of_names`, of a part of something that may be kept as a whole.
    pub(super) fn of_part(names: &'a Names, whole: &'a Bytes, part: Range<usize>) -> Self {
        Reader {
            owner: Some(whole),
            ..Reader::of_names(names, &whole[part])
        }
    }

    fn over(scheme: Scheme<'a>, bytes: &'a [u8]) -> Self {
        Reader {
            scheme,
            rest: bytes,
            owner: None,
            symbols: SmallVec::new(),
            types: SmallVec::new(),
            methods: SmallVec::new(),
            instances: SmallVec::new(),
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

    /// Length and bytes, which share the memory that they are read from if that may be kept.
    ///
    /// # Errors
    /// At the end.
    pub fn shared_bytes(&mut self) -> Result<Bytes, Malformed> {
        let bytes = self.bytes()?;
        Ok(match self.owner {
            Some(owner) => owner.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        })
    }

    /// So many bytes as they are.
    ///
    /// # Errors
    /// At the end.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed("it ends early"))?;
        self.rest = rest;
        Ok(*array)
    }

    /// See [`Writer::based`].
    fn based<T: Copy>(
        &mut self,
        base: usize,
        of_base: fn(usize) -> T,
        known: fn(&Self) -> &[T],
    ) -> Result<Option<T>, Malformed> {
        let number = self.index()? as usize;
        let index = number >> 1;
        match number {
            0 => Ok(None),
            _ if number & 1 == 0 => known(self).get(index - 1).copied().map(Some).ok_or(UNKNOWN),
            _ if index < base => Ok(Some(of_base(index))),
            _ => Err(UNKNOWN),
        }
    }

    /// See [`Writer::known`].
    fn known<T: Copy>(&mut self, known: fn(&Self) -> &[T]) -> Result<Option<T>, Malformed> {
        match self.index()? as usize {
            0 => Ok(None),
            number => known(self)
                .get(number - 1)
                .copied()
                .map(Some)
                .ok_or(UNKNOWN),
        }
    }

    /// A number of something.
    #[inline]
    fn index(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number is too large"))
    }

    /// The thing of a list that comes next.
    #[inline]
    fn mentioned(&mut self, list: &[u32]) -> Result<u32, Malformed> {
        let index = self.index()?;
        list.get(index as usize).copied().ok_or(UNKNOWN)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is no UTF-8"))
    }
}

impl Portable for Symbol {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => {
                let number = w.numbers.symbols.number(*self);
                w.number(number);
            }
            Some(session) => write_symbol(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.scheme {
            Scheme::Names(names) => r
                .mentioned(names.symbols())
                .map(|ix| Symbol::from_index(ix as usize)),
            Scheme::Session(session, base) => read_symbol(session, base, r),
        }
    }
}

fn write_symbol(symbol: Symbol, session: &dyn Session, w: &mut Writer<'_>) {
    let known = w.numbers.symbols.find(symbol);
    if !w.based(w.base.symbols, symbol.index(), known) {
        w.bytes(session.types().symbol_str(symbol).as_bytes());
        w.numbers.symbols.add(symbol);
    }
}

fn read_symbol(session: &dyn Session, base: Base, r: &mut Reader<'_>) -> Result<Symbol, Malformed> {
    if let Some(known) = r.based(base.symbols, Symbol::from_index, |r| &r.symbols)? {
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
            None => {
                let number = w.numbers.types.number(*self);
                w.number(number);
            }
            Some(session) => write_ty(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.scheme {
            Scheme::Names(names) => r
                .mentioned(names.types())
                .map(|ix| Ty::from_index(ix as usize)),
            Scheme::Session(session, base) => read_ty(session, base, r),
        }
    }
}

fn write_ty(ty: Ty, session: &dyn Session, w: &mut Writer<'_>) {
    let known = w.numbers.types.find(ty);
    if w.based(w.base.types, ty.index(), known) {
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
    w.numbers.types.add(ty);
}

fn read_ty(session: &dyn Session, base: Base, r: &mut Reader<'_>) -> Result<Ty, Malformed> {
    if let Some(known) = r.based(base.types, Ty::from_index, |r| &r.types)? {
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
            let args: SmallVec<[Arg; 4]> = SmallVec::read(r)?;
            types.nominal(decl, &args).map_err(wrong)?
        }
        3 => {
            let elems: SmallVec<[Ty; 4]> = SmallVec::read(r)?;
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
            None => {
                let number = w.numbers.methods.number(*self);
                w.number(number);
            }
            Some(session) => write_method(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.scheme {
            Scheme::Names(names) => r.mentioned(names.methods()).map(MethodId),
            Scheme::Session(session, _) => read_method(session, r),
        }
    }
}

fn write_method(method_id: MethodId, session: &dyn Session, w: &mut Writer<'_>) {
    let known = w.numbers.methods.find(method_id);
    if w.known(known) {
        return;
    }
    write_method_info(&session.method(method_id), session, w);
    w.numbers.methods.add(method_id);
}

fn write_method_info(method: &MethodInfo, session: &dyn Session, w: &mut Writer<'_>) {
    method.function.write(w);
    match session.table_name(method.table) {
        Some(name) => session.types().symbol(&name).write(w),
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
}

fn read_method(session: &dyn Session, r: &mut Reader<'_>) -> Result<MethodId, Malformed> {
    if let Some(known) = r.known(|r| &r.methods)? {
        return Ok(known);
    }
    let function = Symbol::read(r)?;
    let table = Symbol::read(r)?;
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
    let simple = (vars.is_empty() && intrinsic.is_none()).then_some((function, table, params));
    if let Some(known) = simple.and_then(|simple| session.known_method(simple)) {
        r.methods.push(known);
        return Ok(known);
    }
    let types = session.types();
    let TyKind::Tuple { elems, tail } = types.kind(params) else {
        return Err(Malformed("a signature is no tuple"));
    };
    let sig = Sig::new(types, elems, *tail, vars)
        .map_err(|_| Malformed("a signature cannot be built"))?;
    let method = session.find_method(types.symbol_str(table), function, &sig, intrinsic);
    let method = method.ok_or(Malformed("a method is not defined here"))?;
    if let Some(simple) = simple {
        session.know_method(simple, method);
    }
    r.methods.push(method);
    Ok(method)
}

impl Portable for Mi {
    #[inline]
    fn write(&self, w: &mut Writer<'_>) {
        match w.session {
            None => {
                let number = w.numbers.instances.number(*self);
                w.number(number);
            }
            Some(session) => write_instance(*self, session, w),
        }
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        match r.scheme {
            Scheme::Names(names) => r.mentioned(names.instances()).map(Mi),
            Scheme::Session(session, _) => read_instance(session, r),
        }
    }
}

fn write_instance(mi: Mi, session: &dyn Session, w: &mut Writer<'_>) {
    let known = w.numbers.instances.find(mi);
    if !w.known(known) {
        let key = session.key(mi);
        key.method.write(w);
        key.args.write(w);
        w.numbers.instances.add(mi);
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
    let function = session.function_of(method);
    let key = MiKey {
        function,
        method,
        args,
    };
    let mi = session.intern(key);
    r.instances.push(mi);
    Ok(mi)
}
