//! How values are held on a device: scalars and arrays, side by side; structs are their fields.

use std::fmt;
use worldage_dispatch::Ty;
use worldage_wir::layout::{Layouts, Shape};
use worldage_wir::prim::Scalar;

/// One part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// A number or a Bool.
    Scalar(Scalar),
    /// A pointer and a length.
    Array(Elem),
}

/// The elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elem {
    /// The element type.
    pub(crate) ty: Ty,
    /// The scalars of an element, at their natural alignment.
    pub(crate) fields: Vec<(Scalar, usize)>,
    /// Bytes from one element to the next; at least 1.
    pub(crate) size: usize,
}

/// Why a device cannot hold a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoData {
    String,
    Dynamic(Ty),
    Nested(Ty),
}

impl Elem {
    /// The scalar, if an element is nothing else.
    pub(crate) fn scalar(&self) -> Option<Scalar> {
        match self.fields[..] {
            [(scalar, 0)] if scalar.bytes() == self.size => Some(scalar),
            _ => None,
        }
    }
}

/// The parts of a value of a closed type.
///
/// # Errors
/// A part that a device cannot hold.
pub(crate) fn leaves(layouts: &Layouts, ty: Ty) -> Result<Vec<Leaf>, NoData> {
    let mut all = Vec::new();
    collect(layouts, ty, &mut all)?;
    Ok(all)
}

fn collect(layouts: &Layouts, ty: Ty, all: &mut Vec<Leaf>) -> Result<(), NoData> {
    match layouts.shape(ty) {
        Shape::Scalar(scalar) => all.push(Leaf::Scalar(scalar)),
        Shape::Array(element) => all.push(Leaf::Array(elem(layouts, element)?)),
        Shape::Fields(fields) => {
            for field in &*fields {
                collect(layouts, *field, all)?;
            }
        }
        Shape::String => return Err(NoData::String),
        Shape::Dynamic => return Err(NoData::Dynamic(ty)),
    }
    Ok(())
}

fn elem(layouts: &Layouts, ty: Ty) -> Result<Elem, NoData> {
    let (mut fields, mut end, mut align) = (Vec::new(), 0usize, 1usize);
    for leaf in leaves(layouts, ty)? {
        let Leaf::Scalar(scalar) = leaf else {
            return Err(NoData::Nested(ty));
        };
        let at = end.next_multiple_of(scalar.bytes());
        align = align.max(scalar.bytes());
        end = at + scalar.bytes();
        fields.push((scalar, at));
    }
    let size = end.next_multiple_of(align).max(1);
    Ok(Elem { ty, fields, size })
}

impl NoData {
    /// One sentence without a final point.
    pub(crate) fn sentence(&self, layouts: &Layouts) -> String {
        let show = |ty: Ty| layouts.types().display(ty).to_string();
        match self {
            NoData::String => "a device has no strings".to_string(),
            NoData::Dynamic(ty) => format!(
                "a value of type {} is known only at run time, and a device has no dynamic values",
                show(*ty)
            ),
            NoData::Nested(ty) => {
                format!(
                    "arrays of {} hold arrays, which a device cannot reach",
                    show(*ty)
                )
            }
        }
    }
}

/// Where an array lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Space {
    /// A buffer that the host passed.
    Global,
    /// Shared by the work-group.
    Local,
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Space::Global => "__global",
            Space::Local => "__local",
        })
    }
}

/// The name of a scalar type in OpenCL C.
pub(crate) fn c_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::I8 => "char",
        Scalar::I16 => "short",
        Scalar::I32 => "int",
        Scalar::I64 => "long",
        Scalar::U8 => "uchar",
        Scalar::U16 => "ushort",
        Scalar::U32 => "uint",
        Scalar::U64 => "ulong",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}

/// Its name in memory, where a Bool is a byte.
pub(crate) fn c_memory_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "uchar",
        other => c_type(other),
    }
}
