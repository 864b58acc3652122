//! Values into and out of a context's heap: deep copies between the host's [`Value`] and leaves.
//!
//! Arrays that are one stay one inside of a conversion, so cycles end. Long chains of structs
//! recurse: they grow the host's stack as they need it.

use crate::code::Content;
use crate::heap::object::{DATA, DynVal, LENGTH};
use crate::heap::{Heap, OutOfMemory};
use crate::load::Loader;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::Ty;
use worldage_wir::layout::{Mem, Rep, Shape};
use worldage_wir::prim::ScalarValue;
use worldage_wir::universe::Universe;
use worldage_wir::value::{ArrayRef, Elems, Record, Value};

/// The leaves of one value as payload words.
type Words = smallvec::SmallVec<[u64; 4]>;

/// The stack that one level of a conversion may take, and how much more is made when it is short.
const RED_ZONE: usize = 128 << 10;
const GROWTH: usize = 4 << 20;

/// Copies host values into a heap; no collection may happen meanwhile.
pub(crate) struct Importer<'a> {
    pub(crate) loader: &'a Loader,
    pub(crate) heap: &'a mut Heap,
    arrays: FxHashMap<usize, usize>,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(loader: &'a Loader, heap: &'a mut Heap) -> Importer<'a> {
        Importer {
            loader,
            heap,
            arrays: FxHashMap::default(),
        }
    }

    fn rep(&self, ty: Ty) -> Arc<Rep> {
        self.loader.generator().layouts().rep(ty)
    }

    /// A value with its exact type.
    pub(crate) fn dynamic(&mut self, value: &Value) -> Result<DynVal, OutOfMemory> {
        stacker::maybe_grow(RED_ZONE, GROWTH, || self.dynamic_here(value))
    }

    fn dynamic_here(&mut self, value: &Value) -> Result<DynVal, OutOfMemory> {
        let layouts = Arc::clone(self.loader.generator().layouts());
        let ty = value.ty(layouts.universe());
        let rep = self.rep(ty);
        let words = self.leaves(value, ty)?;
        let payload = match &*words {
            [] => 0,
            [word] => *word,
            words => self.boxed(&rep, words)? as u64,
        };
        Ok(DynVal {
            tag: self.loader.tag(ty),
            payload,
        })
    }

    fn boxed(&mut self, rep: &Rep, words: &[u64]) -> Result<usize, OutOfMemory> {
        let descriptor = self.loader.descriptor(rep.ty, Content::Box);
        // SAFETY: descriptors live as long as the loader.
        let object = self.heap.new_box(unsafe { &*descriptor }, |_| ())?;
        // SAFETY: the box was made for these contents.
        unsafe { write_leaves(&rep.contents, object + 8, words) };
        Ok(object)
    }

    /// The leaves of a value as a value of a declared type.
    fn leaves(&mut self, value: &Value, ty: Ty) -> Result<Words, OutOfMemory> {
        let rep = self.rep(ty);
        Ok(match (&rep.shape, value) {
            (Shape::Dynamic, value) => {
                let DynVal { tag, payload } = self.dynamic(value)?;
                Words::from_slice(&[tag, payload])
            }
            (Shape::Scalar(_), Value::Scalar(scalar)) => Words::from_slice(&[scalar.to_bits()]),
            (Shape::String, Value::Str(text)) => Words::from_slice(&[self.string(text)? as u64]),
            (Shape::Array(elem), Value::Array(array)) => {
                Words::from_slice(&[self.array(array, *elem)? as u64])
            }
            (Shape::Fields(types), Value::Struct(record) | Value::Tuple(record)) => {
                let mut words = Words::new();
                for (&ty, part) in types.iter().zip(record.parts()) {
                    words.extend(self.leaves(part, ty)?);
                }
                if rep.is_boxed() {
                    words = Words::from_slice(&[self.boxed(&rep, &words)? as u64]);
                }
                words
            }
            (Shape::Fields(_), _) => Words::new(),
            (shape, value) => unreachable!("{value:?} where the type's shape is {shape:?}"),
        })
    }

    fn string(&mut self, text: &str) -> Result<usize, OutOfMemory> {
        let object = self
            .heap
            .new_array(self.loader.string_descriptor(), text.len(), |_| ())?;
        // SAFETY: the object has room for the text.
        unsafe {
            let to = (object + DATA as usize) as *mut u8;
            to.copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Ok(object)
    }

    fn array(&mut self, array: &ArrayRef, elem: Ty) -> Result<usize, OutOfMemory> {
        // The elements stand in the array's own object: their address is its identity.
        let identity = std::ptr::from_ref(&*array.elems()) as usize;
        if let Some(&known) = self.arrays.get(&identity) {
            return Ok(known);
        }
        let rep = self.rep(elem);
        let descriptor = self.loader.descriptor(elem, Content::Array);
        let length = array.len();
        // SAFETY: descriptors live as long as the loader.
        let object = self
            .heap
            .new_array(unsafe { &*descriptor }, length, |_| ())?;
        self.arrays.insert(identity, object);
        // Scalars are read under the lock; other elements are cloned out of it first, since they
        // may lead back to this array.
        let values: Vec<Option<Value>> = match &*array.elems() {
            Elems::Values(values) => values.clone(),
            scalars => {
                for ix in 0..length {
                    let Some(Value::Scalar(x)) = scalars.get(ix) else {
                        continue;
                    };
                    let at = object + DATA as usize + ix * rep.mem.size as usize;
                    // SAFETY: element `ix` of the array just made.
                    unsafe { write_leaves(&rep.mem, at, &[x.to_bits()]) };
                }
                Vec::new()
            }
        };
        for (ix, value) in values.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let words = self.leaves(&value, elem)?;
            let at = object + DATA as usize + ix * rep.mem.size as usize;
            // SAFETY: element `ix` of the array just made.
            unsafe { write_leaves(&rep.mem, at, &words) };
        }
        Ok(object)
    }
}

/// Writes leaves, given as payload words, at an address.
///
/// # Safety
/// `at` is memory laid out as `mem` says.
pub(crate) unsafe fn write_leaves(mem: &Mem, at: usize, words: &[u64]) {
    for ((&word, &leaf), &offset) in words.iter().zip(&*mem.leaves).zip(&*mem.offsets) {
        let at = at + offset as usize;
        // SAFETY: inside of the memory that the caller names, aligned by the layout.
        unsafe {
            match leaf.size() {
                1 => (at as *mut u8).write(word as u8),
                2 => (at as *mut u16).write(word as u16),
                4 => (at as *mut u32).write(word as u32),
                _ => (at as *mut u64).write(word),
            }
        }
    }
}

/// Reads a leaf as a payload word.
///
/// # Safety
/// `at` is memory laid out as `mem` says.
pub(crate) unsafe fn read_leaf(mem: &Mem, at: usize, ix: usize) -> u64 {
    let at = at + mem.offsets[ix] as usize;
    // SAFETY: inside of the memory that the caller names, aligned by the layout.
    unsafe {
        match mem.leaves[ix].size() {
            1 => u64::from(*(at as *const u8)),
            2 => u64::from(*(at as *const u16)),
            4 => u64::from(*(at as *const u32)),
            _ => *(at as *const u64),
        }
    }
}

/// Copies values out of a heap.
pub(crate) struct Exporter<'a> {
    pub(crate) loader: &'a Loader,
    arrays: FxHashMap<usize, Value>,
}

impl<'a> Exporter<'a> {
    pub(crate) fn new(loader: &'a Loader) -> Exporter<'a> {
        Exporter {
            loader,
            arrays: FxHashMap::default(),
        }
    }

    fn rep(&self, ty: Ty) -> Arc<Rep> {
        self.loader.generator().layouts().rep(ty)
    }

    fn universe(&self) -> &Universe {
        self.loader.generator().layouts().universe()
    }

    /// The value of a tag and a payload.
    ///
    /// # Safety
    /// A live dynamic value of the loader's universe.
    pub(crate) unsafe fn dynamic(&mut self, value: DynVal) -> Value {
        // SAFETY: as the caller says.
        stacker::maybe_grow(RED_ZONE, GROWTH, || unsafe { self.dynamic_here(value) })
    }

    unsafe fn dynamic_here(&mut self, value: DynVal) -> Value {
        let ty = self.loader.type_of(value.tag);
        let rep = self.rep(ty);
        if rep.payload_inline() {
            let words = if rep.leaves.is_empty() {
                &[][..]
            } else {
                &[value.payload]
            };
            // SAFETY: as the caller says.
            return unsafe { self.value(&rep, words) };
        }
        let words: Words = (0..rep.contents.leaves.len())
            // SAFETY: the payload of such a type is a box with its contents.
            .map(|ix| unsafe { read_leaf(&rep.contents, value.payload as usize + 8, ix) })
            .collect();
        // SAFETY: leaves of a live value.
        unsafe { self.value(&rep, &words) }
    }

    /// The value of leaves.
    ///
    /// # Safety
    /// Leaves of a live value of the representation's type.
    unsafe fn value(&mut self, rep: &Rep, words: &[u64]) -> Value {
        match &rep.shape {
            Shape::Scalar(scalar) => Value::Scalar(ScalarValue::from_bits(*scalar, words[0])),
            // SAFETY: as the caller says.
            Shape::String => unsafe { Value::Str(string_at(words[0] as usize).into()) },
            Shape::Array(elem) => {
                // SAFETY: as the caller says.
                unsafe { self.array(rep.ty, *elem, words[0] as usize) }
            }
            Shape::Dynamic => {
                // SAFETY: as the caller says.
                unsafe {
                    self.dynamic(DynVal {
                        tag: words[0],
                        payload: words[1],
                    })
                }
            }
            Shape::Fields(_) => {
                let u = self.universe();
                if rep.ty == u.prelude().nothing {
                    return Value::Nothing;
                }
                if let Some(function) = u.function_of(rep.ty) {
                    return Value::Function(function);
                }
                let is_tuple = u.tuple_elems(rep.ty).is_some();
                let all: Words = if !rep.is_boxed() {
                    Words::from_slice(words)
                } else if words[0] == 0 {
                    // The null of a zero struct.
                    rep.contents.leaves.iter().map(|_| 0).collect()
                } else {
                    (0..rep.contents.leaves.len())
                        // SAFETY: a boxed struct's leaf points at its contents.
                        .map(|ix| unsafe { read_leaf(&rep.contents, words[0] as usize + 8, ix) })
                        .collect()
                };
                let mut values = Vec::with_capacity(rep.fields.len());
                for field in &rep.fields {
                    let field_rep = self.rep(field.ty);
                    let range = field.first as usize..(field.first + field.count) as usize;
                    // SAFETY: leaves of a live value's field.
                    values.push(unsafe { self.value(&field_rep, &all[range]) });
                }
                let record = Record::new(rep.ty, values);
                if is_tuple {
                    Value::Tuple(record)
                } else {
                    Value::Struct(record)
                }
            }
        }
    }

    unsafe fn array(&mut self, ty: Ty, elem: Ty, object: usize) -> Value {
        if let Some(known) = self.arrays.get(&object) {
            return known.clone();
        }
        // SAFETY: the length stands behind the header of every array.
        let length = unsafe { *((object + LENGTH as usize) as *const usize) };
        let rep = self.rep(elem);
        let array = ArrayRef::zeroed(self.universe(), ty, elem, length)
            .expect("an array of the compiled heap fits the host's memory");
        let value = Value::Array(array.clone());
        self.arrays.insert(object, value.clone());
        let witness = rep.witness();
        for ix in 0..length {
            let at = object + DATA as usize + ix * rep.mem.size as usize;
            let words: Words = (0..rep.mem.leaves.len())
                // SAFETY: an element of a live array.
                .map(|leaf| unsafe { read_leaf(&rep.mem, at, leaf) })
                .collect();
            if witness.is_some_and(|leaf| words[leaf] == 0) {
                continue;
            }
            // SAFETY: leaves of a live element.
            let value = unsafe { self.value(&rep, &words) };
            array.elems().set(ix, value);
        }
        value
    }
}

/// The text of a string object.
///
/// # Safety
/// A live string object; the text lives as long as it.
pub(crate) unsafe fn string_at<'a>(object: usize) -> &'a str {
    // SAFETY: as the caller says; strings are made of text only.
    unsafe {
        let length = *((object + LENGTH as usize) as *const usize);
        let bytes = std::slice::from_raw_parts((object + DATA as usize) as *const u8, length);
        std::str::from_utf8_unchecked(bytes)
    }
}
