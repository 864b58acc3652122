//! How values of each type are held: SSA leaves, memory, and whether zero bits are a value.
//!
//! Invariants: a representation depends on the type alone; it never has more than
//! [`MAX_LEAVES`] leaves (a larger struct is one pointer to an immutable box), so deep nesting
//! cannot blow up; a pointer leaf of a live SSA value is never null.

use crate::prim::Scalar;
use crate::universe::Universe;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::{Ty, Types};

/// More leaves than this and a struct is boxed.
pub const MAX_LEAVES: usize = 16;

/// What a type is, structurally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A machine scalar.
    Scalar(Scalar),
    /// `String`.
    String,
    /// `Array{T}`.
    Array(Ty),
    /// A struct or tuple with these field types; none for `nothing`, functions, empty structs.
    Fields(Arc<[Ty]>),
    /// Not concrete: known at run time only.
    Dynamic,
}

/// One machine word or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// An integer or Bool of 8 bits.
    I8,
    /// An integer of 16 bits.
    I16,
    /// An integer of 32 bits.
    I32,
    /// An integer of 64 bits.
    I64,
    /// `Float32`
    F32,
    /// `Float64`
    F64,
    /// A pointer to an array or a string.
    Ptr,
    /// A pointer to the immutable box of a large struct of this type.
    Box(Ty),
    /// The type tag of a dynamic value; 0 = never written.
    Tag,
    /// The payload of a dynamic value: a scalar's bits or a pointer.
    Payload,
}

impl Leaf {
    /// Bytes in memory; also the alignment.
    #[must_use]
    pub fn size(self) -> u32 {
        match self {
            Leaf::I8 => 1,
            Leaf::I16 => 2,
            Leaf::I32 | Leaf::F32 => 4,
            _ => 8,
        }
    }

    /// Whether the word may hold a heap pointer.
    #[must_use]
    pub fn may_point(self) -> bool {
        matches!(self, Leaf::Ptr | Leaf::Box(_) | Leaf::Payload)
    }

    /// The leaf of a scalar.
    #[must_use]
    pub fn of(scalar: Scalar) -> Leaf {
        match scalar {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => Leaf::I8,
            Scalar::I16 | Scalar::U16 => Leaf::I16,
            Scalar::I32 | Scalar::U32 => Leaf::I32,
            Scalar::I64 | Scalar::U64 => Leaf::I64,
            Scalar::F32 => Leaf::F32,
            Scalar::F64 => Leaf::F64,
        }
    }
}

/// Leaves laid out in memory, each at its natural alignment, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mem {
    /// What stands there.
    pub leaves: Box<[Leaf]>,
    /// Byte offset of every leaf.
    pub offsets: Box<[u32]>,
    /// Bytes, a multiple of `align`; 0 for zero-size types.
    pub size: u32,
    /// Alignment, a power of two at most 8.
    pub align: u32,
}

impl Mem {
    fn new(leaves: &[Leaf]) -> Mem {
        let (mut end, mut align) = (0u32, 1u32);
        let mut offsets = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let size = leaf.size();
            align = align.max(size);
            end = end.next_multiple_of(size);
            offsets.push(end);
            end += size;
        }
        Mem {
            leaves: leaves.into(),
            offsets: offsets.into(),
            size: end.next_multiple_of(align),
            align,
        }
    }

    /// Offsets of the words that may hold heap pointers.
    pub fn pointers(&self) -> impl Iterator<Item = u32> + '_ {
        let each = self.leaves.iter().zip(&*self.offsets);
        each.filter(|(leaf, _)| leaf.may_point()).map(|(_, &o)| o)
    }
}

/// A field of a struct or tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRep {
    /// Its type.
    pub ty: Ty,
    /// Its first leaf among the leaves of [`Rep::contents`].
    pub first: u32,
    /// How many leaves it has.
    pub count: u32,
}

/// The representation of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rep {
    /// The type.
    pub ty: Ty,
    /// What it is.
    pub shape: Shape,
    /// How an SSA value is held.
    pub leaves: SmallVec<[Leaf; 4]>,
    /// The fields of a struct or tuple.
    pub fields: Box<[FieldRep]>,
    /// The leaves in memory, as an array element or field.
    pub mem: Mem,
    /// The contents of a box of this type: all leaves of the fields of a struct, else `mem`.
    pub contents: Mem,
    /// Whether all zero bits are a value (a null [`Leaf::Box`] then stands for the zero struct).
    pub zero: bool,
}

impl Rep {
    /// Whether a value of this concrete type is held in a heap box: always (a large struct).
    #[must_use]
    pub fn is_boxed(&self) -> bool {
        matches!(self.leaves[..], [Leaf::Box(_)])
    }

    /// Whether a *dynamic* value of this concrete type has its only leaf in the payload word; if
    /// not, and it has leaves, the payload is a pointer to a box with [`Rep::contents`].
    #[must_use]
    pub fn payload_inline(&self) -> bool {
        self.leaves.len() <= 1
    }

    /// Whether the type is dynamic: a tag and a payload.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.shape == Shape::Dynamic
    }

    /// The leaf of an element that tells whether it was ever written (for types with no zero):
    /// it is non-zero in every written element.
    #[must_use]
    pub fn witness(&self) -> Option<usize> {
        (!self.zero)
            .then(|| {
                self.leaves
                    .iter()
                    .position(|l| matches!(l, Leaf::Ptr | Leaf::Tag | Leaf::Box(_)))
            })
            .flatten()
    }
}

/// The representations of all types, computed once each.
pub struct Layouts {
    universe: Arc<Universe>,
    reps: RwLock<FxHashMap<Ty, Arc<Rep>>>,
}

impl std::fmt::Debug for Layouts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layouts").finish_non_exhaustive()
    }
}

impl Layouts {
    /// Layouts over a universe.
    #[must_use]
    pub fn new(universe: Arc<Universe>) -> Layouts {
        Layouts {
            universe,
            reps: RwLock::default(),
        }
    }

    /// The universe.
    #[must_use]
    pub fn universe(&self) -> &Arc<Universe> {
        &self.universe
    }

    /// The lattice.
    #[must_use]
    pub fn types(&self) -> &Types {
        self.universe.types()
    }

    /// What a closed type is, structurally.
    #[must_use]
    pub fn shape(&self, ty: Ty) -> Shape {
        let u = &self.universe;
        if let Some(scalar) = u.scalar_of(ty) {
            Shape::Scalar(scalar)
        } else if ty == u.prelude().string {
            Shape::String
        } else if let Some(element) = u.array_elem(ty) {
            Shape::Array(element)
        } else if ty == Ty::BOTTOM {
            Shape::Fields(Arc::new([]))
        } else if u.types().is_concrete(ty) {
            match u.fields(ty) {
                // A struct of nothing but empty structs has fields too, though only one value.
                Some(fields) => Shape::Fields(fields.tys),
                None if u.is_singleton(ty) => Shape::Fields(Arc::new([])),
                None => Shape::Dynamic,
            }
        } else {
            Shape::Dynamic
        }
    }

    /// The representation of a closed type; `Ty::BOTTOM` has no leaves.
    #[must_use]
    pub fn rep(&self, ty: Ty) -> Arc<Rep> {
        if let Some(rep) = self.reps.read().get(&ty) {
            return Arc::clone(rep);
        }
        let rep = Arc::new(self.compute(ty));
        Arc::clone(self.reps.write().entry(ty).or_insert(rep))
    }

    fn compute(&self, ty: Ty) -> Rep {
        let shape = self.shape(ty);
        let mut all: Vec<Leaf> = Vec::new();
        let mut fields = Vec::new();
        let mut zero = true;
        match &shape {
            Shape::Scalar(scalar) => all.push(Leaf::of(*scalar)),
            Shape::String | Shape::Array(_) => {
                zero = false;
                all.push(Leaf::Ptr);
            }
            Shape::Dynamic => {
                zero = false;
                all.extend([Leaf::Tag, Leaf::Payload]);
            }
            Shape::Fields(types) => {
                for &field in &**types {
                    let rep = self.rep(field);
                    zero &= rep.zero;
                    let first = u32::try_from(all.len()).expect("fewer than 2^32 leaves");
                    let count = u32::try_from(rep.leaves.len()).expect("at most MAX_LEAVES");
                    fields.push(FieldRep {
                        ty: field,
                        first,
                        count,
                    });
                    all.extend_from_slice(&rep.leaves);
                }
            }
        }
        let contents = Mem::new(&all);
        let leaves: SmallVec<[Leaf; 4]> = if all.len() > MAX_LEAVES {
            SmallVec::from_slice(&[Leaf::Box(ty)])
        } else {
            SmallVec::from_slice(&all)
        };
        let mem = Mem::new(&leaves);
        Rep {
            ty,
            shape,
            leaves,
            fields: fields.into(),
            mem,
            contents,
            zero,
        }
    }
}
