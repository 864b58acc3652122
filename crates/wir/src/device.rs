//! What the backends of devices share: how a kernel's values are held there, what can fail in it,
//! and how it says so.
//!
//! A value is scalars and arrays, side by side; a struct is its fields. A kernel is given, for each
//! array, a pointer and a length, and after its arguments a buffer of [`ERROR_WORDS`] words: zero
//! before, [`Fault::read`] afterwards.

pub mod memory;
pub mod overlay;
pub mod reach;
pub mod writes;

use crate::ir::{Failure, Op};
use crate::layout::{Layouts, Shape};
use crate::module::At;
use crate::prim::Scalar;
use worldage_dispatch::Ty;

/// 32-bit words of the error buffer: the number of the site that failed first, counted from 1, or
/// 0; how many calls follow; the index and the length that did not fit (two words each, the low
/// one first); the numbers of the sites of the calls, innermost first.
pub const ERROR_WORDS: usize = 6 + MAX_CALLS;

/// The most calls that an error names.
pub const MAX_CALLS: usize = 20;

/// One part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A number or a Bool.
    Scalar(Scalar),
    /// A pointer and a length.
    Array(Elem),
}

/// The elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elem {
    /// The element type.
    pub ty: Ty,
    /// The scalars of an element, at their natural alignment.
    pub fields: Vec<(Scalar, usize)>,
    /// Bytes from one element to the next; at least 1.
    pub size: usize,
}

/// Why a device cannot hold a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoData {
    /// Devices have no strings.
    String,
    /// A value whose type is known only at run time.
    Dynamic(Ty),
    /// An array of such elements would be an array of arrays.
    Nested(Ty),
}

impl Elem {
    /// The scalar, if an element is nothing else.
    pub fn scalar(&self) -> Option<Scalar> {
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
pub fn leaves(layouts: &Layouts, ty: Ty) -> Result<Vec<Leaf>, NoData> {
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
    pub fn sentence(&self, layouts: &Layouts) -> String {
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

/// Why a device cannot do an operation: one sentence without a final point.
#[must_use]
pub fn refusal(op: &Op) -> &'static str {
    match op {
        Op::Print(_) => "a device cannot print",
        Op::ArrayNew(_) => {
            "a device cannot allocate arrays: pass them, or use `shared(T, n)` for the work-group"
        }
        Op::StrEq(..) | Op::StrLen(_) => "a device has no strings",
        Op::CallDyn(..) | Op::CallValue(..) | Op::InvokeDyn(..) => {
            "the method of this call is known only at run time, and a device has no run-time dispatch"
        }
        Op::Latest(..) => "a device cannot call in the newest world",
        Op::CallHost(..) => "a device cannot call the host",
        _ => "the type of this value is known only at run time, and a device has no dynamic values",
    }
}

/// A place where a work-item can fail, or a call on the way there.
#[derive(Clone, Debug, PartialEq)]
pub struct FailSite {
    /// How.
    pub kind: FailKind,
    /// Where, innermost first, with what was inlined.
    pub trace: Vec<At>,
}

/// How a work-item fails.
#[derive(Clone, Debug, PartialEq)]
pub enum FailKind {
    /// An index out of bounds; the launch says which.
    Bounds,
    /// As the body says.
    Failure(Failure),
    /// Not here, but in a function that is called here.
    Call,
}

/// How a work-item failed: the first one that said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The site, an index into the artifact's sites.
    pub site: usize,
    /// The index and the length, if the index was out of bounds.
    pub bounds: Option<(i64, i64)>,
    /// The calls that led there, innermost first; indices into the artifact's sites.
    pub calls: Vec<usize>,
}

impl Fault {
    /// What the error buffer says after a launch, as little-endian words; `None` if nothing failed.
    #[must_use]
    pub fn read(sites: &[FailSite], bytes: &[u8]) -> Option<Fault> {
        let words: Vec<i32> = bytes
            .chunks_exact(4)
            .map(|word| i32::from_le_bytes(word.try_into().expect("four bytes")))
            .collect();
        let number =
            |ix: usize| i64::from(words[ix].cast_unsigned()) | (i64::from(words[ix + 1]) << 32);
        let site = |word: i32| usize::try_from(word).ok()?.checked_sub(1);
        let at = site(words[0]).filter(|at| *at < sites.len())?;
        let is_bounds = sites[at].kind == FailKind::Bounds;
        let depth = usize::try_from(words[1]).unwrap_or(0);
        let calls = words[6..].iter().take(depth).filter_map(|word| site(*word));
        Some(Fault {
            site: at,
            bounds: is_bounds.then(|| (number(2), number(4))),
            calls: calls.filter(|at| *at < sites.len()).collect(),
        })
    }
}
