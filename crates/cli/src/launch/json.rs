//! The JSON of a launch: sizes and typed arguments in, the arguments afterwards out.
//!
//! Numbers are exact: an integer that does not fit its type is refused, floats are written in the
//! shortest form that reads back, and what JSON has no number for is "NaN", "Inf" or "-Inf".

use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::wir::value::{ArrayRef, Elems};
use worldage::{Extent, LaunchSize, Universe, Value};

/// What the file says; unknown keys are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct Launch {
    pub(crate) kernel: Option<String>,
    global_size: Vec<u64>,
    local_size: Option<Vec<Items>>,
    args: Vec<Arg>,
}

/// Work-items of a group: a number, or the name of a tuning parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Items {
    Number(u32),
    Parameter(Box<str>),
}

/// What a reference says beside the launch.
#[cfg(feature = "opencl")]
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    /// The name of the file that holds the kernel.
    pub(crate) file: String,
    expected: std::collections::BTreeMap<String, Json>,
    /// How far floats may be from it: see `ScalarValue::is_close`.
    #[serde(default)]
    pub(crate) within: f64,
}

#[cfg(feature = "opencl")]
impl Expected {
    /// `None`, if it says nothing.
    pub(crate) fn read(bytes: &[u8]) -> Option<Expected> {
        serde_json::from_slice(bytes).ok()
    }
}

#[derive(Debug, Deserialize)]
struct Arg {
    name: String,
    #[serde(rename = "type", default)]
    ty: String,
    value: Json,
}

#[derive(Serialize)]
struct Answer<'a> {
    args: Vec<AnswerArg<'a>>,
}

#[derive(Serialize)]
struct AnswerArg<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    ty: &'a str,
    value: Shown<'a>,
}

/// Work-items of a group where the file says nothing: as many as divide, up to this.
const LOCAL: u32 = 64;

impl Launch {
    /// Reads the file; what is wrong with it is rendered with its position.
    pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Launch, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            let (line, col) = (error.line().max(1), error.column().max(1));
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text);
            let source = String::from_utf8_lossy(bytes);
            let shown = source.lines().nth(line - 1).unwrap_or("");
            let from = shown
                .char_indices()
                .nth(col.saturating_sub(60))
                .map_or(0, |(at, _)| at);
            let shown: String = shown[from..].chars().take(120).collect();
            let caret = " ".repeat((col - 1).min(59));
            let gutter = " ".repeat(line.to_string().len());
            format!(
                "{name}:{line}:{col}: error[syntax]: {message}\n\
                 {gutter} |\n{line} | {shown}\n{gutter} | {caret}^\n  = hint: {FORM}\n"
            )
        })
    }

    /// The index space.
    pub(crate) fn size(&self, name: &str) -> Result<LaunchSize, String> {
        let global = dimensions(name, "global_size", &self.global_size, &1)?;
        if global.contains(&0) {
            return Err(wrong(name, "every \"global_size\" is at least 1"));
        }
        let most = u32::MAX;
        if global.iter().any(|size| *size > u64::from(most)) {
            let message = format!("every \"global_size\" is at most {most}");
            return Err(wrong(name, &message));
        }
        let global = global.map(|size| u32::try_from(size).unwrap_or(most));
        let local = match &self.local_size {
            Some(local) => {
                let one = Items::Number(1);
                dimensions(name, "local_size", local, &one)?.map(|items| match items {
                    Items::Number(items) => Extent::Items(items),
                    Items::Parameter(parameter) => Extent::Parameter(parameter),
                })
            }
            None => [gcd(global[0], LOCAL), 1, 1].map(Extent::Items),
        };
        Ok(LaunchSize { global, local })
    }

    /// The arguments as values.
    pub(crate) fn values(&self, name: &str, u: &Universe) -> Result<Vec<Value>, String> {
        let value = |arg: &Arg| {
            let value = value(u, &arg.ty, &arg.value);
            value.map_err(|error| wrong(name, &format!("argument `{}`: {error}", arg.name)))
        };
        self.args.iter().map(value).collect()
    }

    /// Adds types that the file leaves out, where the kernel says them.
    #[cfg(feature = "opencl")]
    pub(crate) fn complete(&mut self, types: impl Iterator<Item = Option<String>>) {
        for (arg, ty) in self.args.iter_mut().zip(types) {
            if let (true, Some(ty)) = (arg.ty.is_empty(), ty) {
                arg.ty = ty;
            }
        }
    }

    /// What must come out: names of arguments, their places, values.
    #[cfg(feature = "opencl")]
    pub(crate) fn expected(
        &self,
        name: &str,
        u: &Universe,
        expected: &Expected,
    ) -> Result<Vec<(String, usize, Value)>, String> {
        let mut all = Vec::new();
        for (of, json) in &expected.expected {
            let ix = self.args.iter().position(|arg| arg.name == *of);
            let ix = ix.ok_or_else(|| wrong(name, &format!("there is no argument `{of}`")))?;
            let value = value(u, &self.args[ix].ty, json);
            let value = value.map_err(|error| wrong(name, &format!("expected `{of}`: {error}")))?;
            all.push((of.clone(), ix, value));
        }
        Ok(all)
    }

    /// A kernel on the types of the arguments, as text.
    pub(crate) fn signature(&self, kernel: &str) -> String {
        let types: Vec<&str> = self.args.iter().map(|arg| &*arg.ty).collect();
        format!("{kernel}({})", types.join(", "))
    }

    /// What is printed: the arguments with the values that they have afterwards.
    pub(crate) fn answer(&self, after: &[Value]) -> String {
        let args = self.args.iter().zip(after).map(|(arg, value)| AnswerArg {
            name: &arg.name,
            ty: &arg.ty,
            value: Shown(value),
        });
        let args = args.collect();
        serde_json::to_string(&Answer { args }).unwrap_or_default()
    }
}

const FORM: &str = "the form is {\"kernel\": …, \"global_size\": [320], \"local_size\": [64], \
                    \"args\": [{\"name\": \"x\", \"type\": \"Array{Float32}\", \"value\": […]}]}";

fn wrong(name: &str, message: &str) -> String {
    format!("{name}: error[invalid-argument]: {message}\n  = hint: {FORM}\n")
}

/// Three sizes, of one to three that are given.
fn dimensions<T: Clone>(name: &str, key: &str, sizes: &[T], one: &T) -> Result<[T; 3], String> {
    match sizes.len() {
        1..=3 => Ok(std::array::from_fn(|d| sizes.get(d).unwrap_or(one).clone())),
        _ => Err(wrong(name, &format!("\"{key}\" has one to three numbers"))),
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A value of a type by its name: a number, a Bool, or an array of them.
fn value(u: &Universe, ty: &str, json: &Json) -> Result<Value, String> {
    let elem = ty
        .strip_prefix("Array{")
        .and_then(|ty| ty.strip_suffix('}'));
    let name = elem.unwrap_or(ty).trim();
    if ty.is_empty() {
        return Err("it has no \"type\"".to_string());
    }
    let Some(scalar) = Scalar::ALL.into_iter().find(|scalar| scalar.name() == name) else {
        return Err(format!(
            "`{ty}` is no number type, Bool, or array of one, such as Array{{Float32}}"
        ));
    };
    if elem.is_none() {
        return Ok(Value::from(number(scalar, json)?));
    }
    let Json::Array(items) = json else {
        return Err(format!("its value is no list, and its type is {ty}"));
    };
    let no_memory = || "there is no memory for it".to_string();
    let mut elems = Elems::scalars(scalar, items.len()).ok_or_else(no_memory)?;
    for (ix, item) in items.iter().enumerate() {
        let item = number(scalar, item).map_err(|error| format!("element {ix}: {error}"))?;
        elems.set(ix, Value::from(item));
    }
    let elem = u.scalar_ty(scalar);
    let ty = u.array_ty(elem).map_err(|error| error.to_string())?;
    Ok(Value::Array(ArrayRef::new(ty, elem, elems)))
}

fn number(scalar: Scalar, json: &Json) -> Result<ScalarValue, String> {
    let misfit = || format!("{json} is no {}", scalar.name());
    if scalar == Scalar::Bool {
        return json.as_bool().map(ScalarValue::Bool).ok_or_else(misfit);
    }
    if scalar.is_int() {
        let int = json
            .as_i64()
            .map(i128::from)
            .or(json.as_u64().map(i128::from));
        return int
            .filter(|int| {
                let range = scalar.int_range();
                range.is_some_and(|(lo, hi)| (lo..=hi).contains(int))
            })
            .map(|int| ScalarValue::wrap(scalar, int))
            .ok_or_else(misfit);
    }
    let float = match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Inf" => Some(f64::INFINITY),
            "-Inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => json.as_f64(),
    };
    let float = float.ok_or_else(misfit)?;
    Ok(ScalarValue::from_float(scalar, float))
}

/// A scalar or an array of scalars, to be written.
struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(array) => {
                let elems = array.elems();
                let mut seq = serializer.serialize_seq(Some(elems.len()))?;
                for ix in 0..elems.len() {
                    match elems.get(ix) {
                        Some(Value::Scalar(x)) => seq.serialize_element(&Number(x))?,
                        _ => seq.serialize_element(&())?,
                    }
                }
                seq.end()
            }
            Value::Scalar(x) => Number(*x).serialize(serializer),
            _ => serializer.serialize_unit(),
        }
    }
}

struct Number(ScalarValue);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let special = |x: f64| match x {
            x if x.is_nan() => "NaN",
            x if x > 0.0 => "Inf",
            _ => "-Inf",
        };
        match self.0 {
            ScalarValue::Bool(x) => serializer.serialize_bool(x),
            ScalarValue::F32(x) if x.is_finite() => serializer.serialize_f32(x),
            ScalarValue::F32(x) => serializer.serialize_str(special(x.into())),
            ScalarValue::F64(x) if x.is_finite() => serializer.serialize_f64(x),
            ScalarValue::F64(x) => serializer.serialize_str(special(x)),
            x => match x.as_int() {
                Some(int) => serializer.serialize_i128(int),
                None => serializer.serialize_unit(),
            },
        }
    }
}
