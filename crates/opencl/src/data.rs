//! How OpenCL C names what a device holds.

use std::fmt;
pub(crate) use worldage_wir::device::{Elem, Leaf, NoData, leaves};
use worldage_wir::prim::Scalar;

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
