//! Arrays: references to typed vectors; scalars are kept unboxed.

use super::{Value, count_bytes, drop_all};
use crate::prim::{Scalar, ScalarValue};
use crate::universe::Universe;
use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::sync::{Arc, Weak};
use worldage_dispatch::Ty;
use zerocopy::FromZeros;

macro_rules! elems {
    ($($variant:ident($scalar:ty),)*) => {
        /// The elements of an array.
        #[derive(Clone, Debug)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Elems {
            $($variant(Vec<$scalar>),)*
            /// Elements that are no scalars; `None` was never written and has no zero.
            Values(Vec<Option<Value>>),
        }

        impl Elems {
            /// Zeroed scalars; `None` if there is no memory for them.
            #[must_use]
            pub fn scalars(scalar: Scalar, length: usize) -> Option<Elems> {
                Some(match scalar {
                    $(Scalar::$variant => Elems::$variant(<$scalar>::new_vec_zeroed(length).ok()?),)*
                })
            }

            /// The scalar type, if the elements are scalars.
            #[must_use]
            pub fn scalar(&self) -> Option<Scalar> {
                match self {
                    $(Elems::$variant(_) => Some(Scalar::$variant),)*
                    Elems::Values(_) => None,
                }
            }

            /// How many there are.
            #[must_use]
            pub fn len(&self) -> usize {
                match self {
                    $(Elems::$variant(xs) => xs.len(),)*
                    Elems::Values(xs) => xs.len(),
                }
            }

            /// An element; `None` if it was never written and has no zero.
            ///
            /// # Panics
            /// If the index is out of bounds.
            #[must_use]
            pub fn get(&self, ix: usize) -> Option<Value> {
                match self {
                    $(Elems::$variant(xs) => Some(Value::Scalar(ScalarValue::$variant(xs[ix]))),)*
                    Elems::Values(xs) => xs[ix].clone(),
                }
            }

            /// Writes an element; gives back what it replaced. A value of another type than the
            /// elements is ignored.
            ///
            /// # Panics
            /// If the index is out of bounds.
            pub fn set(&mut self, ix: usize, value: Value) -> Option<Value> {
                match (self, value) {
                    $((Elems::$variant(xs), Value::Scalar(ScalarValue::$variant(x))) => {
                        xs[ix] = x;
                        None
                    })*
                    (Elems::Values(xs), value) => xs[ix].replace(value),
                    _ => None,
                }
            }
        }
    };
}

elems! {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

fn filled<T: Clone>(element: T, length: usize) -> Option<Vec<T>> {
    let mut elements = Vec::new();
    elements.try_reserve_exact(length).ok()?;
    elements.resize(length, element);
    Some(elements)
}

impl Elems {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that so many elements of a type take.
    #[must_use]
    pub fn bytes_for(u: &Universe, elem: Ty, length: usize) -> usize {
        let each = u
            .scalar_of(elem)
            .map_or(size_of::<Option<Value>>(), Scalar::bytes);
        length
            .saturating_mul(each)
            .saturating_add(size_of::<Object>())
    }

    fn bytes(&self) -> i64 {
        let each = self
            .scalar()
            .map_or(size_of::<Option<Value>>(), Scalar::bytes);
        let bytes = self
            .len()
            .saturating_mul(each)
            .saturating_add(size_of::<Object>());
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

struct Object {
    ty: Ty,
    elem: Ty,
    /// What was counted when it was made.
    bytes: i64,
    elems: Mutex<Elems>,
}

/// A reference to an array; clones are the same array.
#[derive(Clone)]
pub struct ArrayRef(Arc<Object>);

impl ArrayRef {
    /// `array(elem, length)`: all zero bits, or unwritten where the type has no zero. `ty` is
    /// `Array{elem}`. `None` if there is no memory for it.
    #[must_use]
    pub fn zeroed(u: &Universe, ty: Ty, elem: Ty, length: usize) -> Option<ArrayRef> {
        let elems = match u.scalar_of(elem) {
            Some(scalar) => Elems::scalars(scalar, length)?,
            None => Elems::Values(filled(Value::zero(u, elem), length)?),
        };
        Some(ArrayRef::new(ty, elem, elems))
    }

    /// From elements of type `elem`; `ty` is `Array{elem}`.
    #[must_use]
    pub fn new(ty: Ty, elem: Ty, elems: Elems) -> ArrayRef {
        let bytes = elems.bytes();
        count_bytes(bytes);
        let elems = Mutex::new(elems);
        ArrayRef(Arc::new(Object {
            ty,
            elem,
            bytes,
            elems,
        }))
    }

    /// `Array{T}`
    #[must_use]
    pub fn ty(&self) -> Ty {
        self.0.ty
    }

    /// The `T` of `Array{T}`.
    #[must_use]
    pub fn elem_ty(&self) -> Ty {
        self.0.elem
    }

    /// The elements, locked: hold it briefly, and do not touch other values meanwhile.
    pub fn elems(&self) -> MutexGuard<'_, Elems> {
        self.0.elems.lock()
    }

    /// How many elements there are; it never changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elems().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both are the same array.
    #[must_use]
    pub fn is(&self, other: &ArrayRef) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that tells arrays apart while they live.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// A reference that does not keep the array alive.
    pub(crate) fn downgrade(&self) -> WeakArray {
        WeakArray(Arc::downgrade(&self.0))
    }

    pub(super) fn take_nested(&mut self, work: &mut Vec<Value>) {
        if let Some(object) = Arc::get_mut(&mut self.0) {
            object.take_nested(work);
        }
    }
}

/// See [`ArrayRef::downgrade`].
#[derive(Clone)]
pub(crate) struct WeakArray(Weak<Object>);

impl WeakArray {
    /// The array, if it lives.
    pub(crate) fn upgrade(&self) -> Option<ArrayRef> {
        self.0.upgrade().map(ArrayRef)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Object {
    fn take_nested(&mut self, work: &mut Vec<Value>) {
        if let Elems::Values(values) = self.elems.get_mut() {
            for value in values.iter_mut() {
                work.extend(value.take_if(|value| value.nests()));
            }
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        count_bytes(-self.bytes);
        if matches!(self.elems.get_mut(), Elems::Values(_)) {
            let mut work = Vec::new();
            self.take_nested(&mut work);
            drop_all(work);
        }
    }
}

impl fmt::Debug for ArrayRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{}]", self.ty(), self.len())
    }
}
