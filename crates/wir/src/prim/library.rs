//! Libraries of elementary functions that devices bring along: what a device's overlay methods
//! call (see `device/overlay.rs`).
//!
//! A function of a library means, to the interpreter and to the host, what Wir's own function of
//! that mathematics means; a device computes it with the precision that its library has.

use super::{MathFn, Prim, Scalar};

/// A library of a kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Library {
    /// The functions of OpenCL C: `cl_sin` is its `sin`.
    OpenCl,
    /// Fast functions of OpenCL C, as precise as the device likes: `native_sin`.
    OpenClNative,
    /// Nvidia's libdevice: `__nv_sin`, `__nv_sinf`.
    Libdevice,
    /// Fast functions of libdevice, of little precision: `__nv_fast_sinf`.
    LibdeviceFast,
}

macro_rules! spelled {
    ($f:expr, $before:literal, $after:literal) => {
        match $f {
            MathFn::Sin => concat!($before, "sin", $after),
            MathFn::Cos => concat!($before, "cos", $after),
            MathFn::Tan => concat!($before, "tan", $after),
            MathFn::Exp => concat!($before, "exp", $after),
            MathFn::Log => concat!($before, "log", $after),
            MathFn::Pow => concat!($before, "pow", $after),
        }
    };
}

impl Library {
    /// Every library.
    pub const ALL: [Library; 4] = [
        Library::OpenCl,
        Library::OpenClNative,
        Library::Libdevice,
        Library::LibdeviceFast,
    ];

    /// As Wir spells a function of it.
    #[must_use]
    pub const fn name(self, f: MathFn, s: Scalar) -> &'static str {
        match (self, s) {
            (Library::OpenCl, _) => spelled!(f, "cl_", ""),
            (Library::OpenClNative, _) => spelled!(f, "native_", ""),
            (Library::Libdevice, Scalar::F32) => spelled!(f, "__nv_", "f"),
            (Library::Libdevice, _) => spelled!(f, "__nv_", ""),
            (Library::LibdeviceFast, _) => spelled!(f, "__nv_fast_", "f"),
        }
    }

    /// Whether it has a function on a float type.
    #[must_use]
    pub const fn has(self, f: MathFn, s: Scalar) -> bool {
        match self {
            Library::OpenCl | Library::Libdevice => s.is_float(),
            // OpenCL C has no `native_pow`.
            Library::OpenClNative => {
                matches!((f, s), (_, Scalar::F32)) && !matches!(f, MathFn::Pow)
            }
            Library::LibdeviceFast => matches!(s, Scalar::F32),
        }
    }

    /// The devices that have it, as sentences name them.
    const fn devices(self) -> &'static str {
        match self {
            Library::OpenCl | Library::OpenClNative => "OpenCL devices",
            Library::Libdevice | Library::LibdeviceFast => "Nvidia devices",
        }
    }
}

impl Prim {
    /// Why a device that has these libraries cannot do the operation, if an elementary function is
    /// the reason. Those of the host get there past the device's overlay only, by `invoke`.
    #[must_use]
    pub fn refused_by(self, libraries: &[Library]) -> Option<String> {
        match self {
            Prim::Math(f, s) => Some(format!(
                "`{}` of {s} as the host has it is not on this device: call it without `invoke`",
                f.name()
            )),
            Prim::Library(library, f, s) if !libraries.contains(&library) => {
                let name = library.name(f, s);
                Some(format!("`{name}` is a function of {}", library.devices()))
            }
            _ => None,
        }
    }
}

impl MathFn {
    /// Every function.
    pub const ALL: [MathFn; 6] = [
        MathFn::Sin,
        MathFn::Cos,
        MathFn::Tan,
        MathFn::Exp,
        MathFn::Log,
        MathFn::Pow,
    ];

    /// How many operands it takes.
    #[must_use]
    pub const fn arity(self) -> usize {
        match self {
            MathFn::Pow => 2,
            _ => 1,
        }
    }
}
