//! What a driver tells of a kernel's parameters, and whether values fit them.

use crate::data::{Elem, Leaf};
use crate::error::Error;
use opencl3::kernel::Kernel as ClKernel;
use std::fmt;
use worldage_wir::prim::Scalar;
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A parameter of a kernel, as the driver tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type in C: `float*`.
    pub ty: String,
    /// Where what it points to lies.
    pub space: Space,
    /// Whether the kernel promises not to write what it points to.
    pub is_const: bool,
}

/// Where what a parameter points to lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// In a buffer.
    Global,
    /// In a buffer that the kernel only reads.
    Constant,
    /// In memory of the work-group.
    Local,
    /// It is no pointer.
    Private,
}

/// A kernel of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its name.
    pub name: String,
    /// How many parameters it has.
    pub count: u32,
    /// What they are, if the driver tells it.
    pub params: Option<Vec<Param>>,
}

/// `blur(__global const float* from, int width)`
impl fmt::Display for KernelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(params) = &self.params else {
            return write!(f, "{}({} parameters)", self.name, self.count);
        };
        write!(f, "{}(", self.name)?;
        for (ix, param) in params.iter().enumerate() {
            let comma = if ix == 0 { "" } else { ", " };
            write!(f, "{comma}{param}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.space {
            Space::Global => "__global ",
            Space::Constant => "__constant ",
            Space::Local => "__local ",
            Space::Private => "",
        })?;
        if self.is_const && self.space == Space::Global {
            f.write_str("const ")?;
        }
        write!(f, "{} {}", self.ty, self.name)
    }
}

// OpenCL 1.2, table 5.17.
const GLOBAL: u32 = 0x119B;
const LOCAL: u32 = 0x119C;
const CONSTANT: u32 = 0x119D;
const CONST: u64 = 1;

impl KernelInfo {
    pub(super) fn of(kernel: &ClKernel, name: &str) -> Result<KernelInfo, Error> {
        let count = kernel.num_args();
        let count = count.map_err(Error::driver("clGetKernelInfo"))?;
        let params = (0..count).map(|ix| Param::of(kernel, ix)).collect();
        Ok(KernelInfo {
            name: name.to_string(),
            count,
            params,
        })
    }

    /// How the arguments are passed: what each is, and for each array whether it may be written.
    pub(super) fn pass(
        &self,
        u: &Universe,
        values: &[Value],
    ) -> Result<(Vec<Vec<Leaf>>, Vec<bool>), Error> {
        let given = u32::try_from(values.len()).unwrap_or(u32::MAX);
        if given != self.count {
            return Err(Error::count(given, self.count));
        }
        let (mut leaves, mut written) = (Vec::new(), Vec::new());
        for (ix, value) in values.iter().enumerate() {
            let param = self.params.as_ref().map(|params| &params[ix]);
            let leaf = leaf(u, value)?;
            if let Some(param) = param {
                param.check(&leaf, value).map_err(|why| {
                    Error::Arguments(format!("argument {} is for `{param}`: {why}", ix + 1))
                })?;
            }
            if matches!(leaf, Leaf::Array(_)) {
                let reads = param.is_some_and(|p| p.is_const || p.space == Space::Constant);
                written.push(!reads);
            }
            leaves.push(vec![leaf]);
        }
        Ok((leaves, written))
    }
}

impl Param {
    /// `None`, if the driver does not tell.
    fn of(kernel: &ClKernel, ix: u32) -> Option<Param> {
        let space = match kernel.get_arg_address_qualifier(ix).ok()? {
            GLOBAL => Space::Global,
            CONSTANT => Space::Constant,
            LOCAL => Space::Local,
            _ => Space::Private,
        };
        let text = |text: String| text.trim_end_matches('\0').trim().to_string();
        Some(Param {
            name: text(kernel.get_arg_name(ix).ok()?),
            ty: text(kernel.get_arg_type_name(ix).ok()?),
            space,
            is_const: kernel.get_arg_type_qualifier(ix).ok()? & CONST != 0,
        })
    }

    /// The type of a value that fits, if it is one of numbers: `Float32` or `Array{Float32}`.
    #[must_use]
    pub fn wir_type(&self) -> Option<String> {
        match (self.elem()?, self.space) {
            ((scalar, _), Space::Global | Space::Constant) => {
                Some(format!("Array{{{}}}", scalar.name()))
            }
            ((scalar, 1), Space::Private) => Some(scalar.name().to_string()),
            _ => None,
        }
    }

    /// The scalar that it is, or points to, and how many of them stand together.
    fn elem(&self) -> Option<(Scalar, usize)> {
        let ty = self.ty.trim_end_matches('*').trim();
        let name = ty.trim_end_matches(|c: char| c.is_ascii_digit());
        let lanes = match &ty[name.len()..] {
            "" => 1,
            // A vector of three lies in memory as one of four.
            "3" => 4,
            digits => digits.parse().ok()?,
        };
        let scalar = match name
            .strip_prefix("unsigned ")
            .map_or(name, |name| match name {
                "char" => "uchar",
                "short" => "ushort",
                "int" => "uint",
                "long" => "ulong",
                other => other,
            }) {
            "char" => Scalar::I8,
            "short" => Scalar::I16,
            "int" => Scalar::I32,
            "long" => Scalar::I64,
            "uchar" => Scalar::U8,
            "ushort" => Scalar::U16,
            "uint" => Scalar::U32,
            "ulong" => Scalar::U64,
            "float" => Scalar::F32,
            "double" => Scalar::F64,
            _ => return None,
        };
        Some((scalar, lanes))
    }

    /// Whether a value fits; what only the driver knows is not asked.
    fn check(&self, leaf: &Leaf, value: &Value) -> Result<(), String> {
        let given = match leaf {
            Leaf::Scalar(scalar) => scalar.name().to_string(),
            Leaf::Array(elem) => match elem.scalar() {
                Some(scalar) => format!("Array{{{}}}", scalar.name()),
                None => "an array".to_string(),
            },
        };
        let is_array = matches!(leaf, Leaf::Array(_));
        if self.space == Space::Local {
            return Err(
                "memory of the work-group is not passed: declare it in the kernel".to_string(),
            );
        }
        if self.ty.ends_with("_t") {
            return Err("images, samplers and the like are not passed".to_string());
        }
        if is_array != (self.space != Space::Private) {
            return Err(format!("{given} does not fit"));
        }
        let Some((scalar, lanes)) = self.elem() else {
            return Ok(());
        };
        match (leaf, value) {
            (Leaf::Scalar(own), _) if lanes == 1 && *own == scalar => Ok(()),
            (Leaf::Array(elem), Value::Array(array)) if elem.scalar() == Some(scalar) => {
                let length = array.len();
                match length.is_multiple_of(lanes) {
                    true => Ok(()),
                    false => Err(format!("{length} numbers are no multiple of {lanes}")),
                }
            }
            _ if lanes > 1 && !is_array => Err("vectors are not passed by value".to_string()),
            _ => Err(match self.wir_type() {
                Some(expected) => format!("it takes {expected}, and {given} was given"),
                None => format!("{given} does not fit"),
            }),
        }
    }
}

fn leaf(u: &Universe, value: &Value) -> Result<Leaf, Error> {
    match value {
        Value::Scalar(x) => Ok(Leaf::Scalar(x.scalar())),
        Value::Array(array) => {
            let scalar = u.scalar_of(array.elem_ty());
            let scalar = scalar.ok_or_else(|| {
                Error::Arguments("foreign kernels take arrays of numbers".to_string())
            })?;
            Ok(Leaf::Array(Elem {
                ty: array.elem_ty(),
                fields: vec![(scalar, 0)],
                size: scalar.bytes(),
            }))
        }
        _ => Err(Error::Arguments(
            "foreign kernels take numbers and arrays".to_string(),
        )),
    }
}
