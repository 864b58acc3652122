//! Launches from JSON: the form of the command, with what is expected.

use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use worldage::oracle::InterpreterSession;
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::wir::value::{ArrayRef, Elems};
use worldage::{
    CallOptions, Extent, Grid, LaunchSize, OptLevel, Schedule, Session, SessionOptions, Shard,
    Universe, Value,
};

/// What runs a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Interpreter,
    None,
    Speed,
    #[cfg(feature = "llvm")]
    Aggressive,
    OpenCl,
    #[cfg(feature = "cuda")]
    Cuda,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Launch {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) kernel: String,
    global_size: Vec<u32>,
    local_size: Vec<Json>,
    args: Vec<Arg>,
    expected: BTreeMap<String, Json>,
    /// How far a result may be from what is expected, relative to it or to 1.
    #[serde(default)]
    within: f64,
    /// Units in the last place that engines may be apart; 0 is equality of bits.
    ulp: u32,
}

#[derive(Clone, Debug, Deserialize)]
struct Arg {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    value: Json,
}

impl Engine {
    pub(crate) const ALL: &[Engine] = &[
        Engine::Interpreter,
        Engine::None,
        Engine::Speed,
        #[cfg(feature = "llvm")]
        Engine::Aggressive,
        Engine::OpenCl,
        #[cfg(feature = "cuda")]
        Engine::Cuda,
    ];

    /// Why it cannot run here.
    pub(crate) fn missing(self) -> Option<String> {
        #[cfg(feature = "cuda")]
        if self == Engine::Cuda {
            let shard = session().cuda_shard(OptLevel::Speed);
            return shard.err().map(|error| error.to_string());
        }
        static DEVICE: OnceLock<Option<String>> = OnceLock::new();
        if self != Engine::OpenCl {
            return None;
        }
        let missing = DEVICE.get_or_init(|| match session().opencl_device() {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        });
        missing.clone()
    }

    /// The shard that it runs; none of the interpreter.
    pub(crate) fn shard(self) -> Option<Shard> {
        Some(match self {
            Engine::Interpreter => return None,
            Engine::None => Shard::Host(OptLevel::None),
            Engine::Speed => Shard::Host(OptLevel::Speed),
            #[cfg(feature = "llvm")]
            Engine::Aggressive => Shard::Host(OptLevel::Aggressive),
            Engine::OpenCl => Shard::OpenCl,
            // Without a device nothing of it runs; any shard is a name for it.
            #[cfg(feature = "cuda")]
            Engine::Cuda => {
                let shard = session().cuda_shard(OptLevel::Speed);
                shard.unwrap_or(Shard::Host(OptLevel::Speed))
            }
        })
    }

    /// Runs a kernel of a program: the arguments afterwards, or the error as logs have it, with
    /// its line and column at the end.
    pub(crate) fn launch(
        self,
        program: &str,
        kernel: &str,
        args: impl Fn(&Universe) -> Vec<Value>,
        grid: Grid,
    ) -> Result<Vec<Value>, String> {
        let size = LaunchSize::from(grid);
        self.launch_in(program, kernel, args, &size, &Schedule::default())
    }

    /// As [`Engine::launch`], in a schedule; what it does not say is the first choice.
    pub(crate) fn launch_in(
        self,
        program: &str,
        kernel: &str,
        args: impl Fn(&Universe) -> Vec<Value>,
        size: &LaunchSize,
        schedule: &Schedule,
    ) -> Result<Vec<Value>, String> {
        let session = session();
        let defined = session.define("program.wir", program, None);
        defined.map_err(|failure| {
            let shown = failure.diagnostics.iter();
            shown.map(|d| session.render(d)).collect::<String>()
        })?;
        let Some(shard) = self.shard() else {
            return interpret(program, kernel, args, size, schedule);
        };
        let args = args(session.universe());
        let options = CallOptions::default();
        let launched = session.launch_in(shard, kernel, args, size, schedule, &options);
        match launched.report.result {
            Ok(Value::Tuple(after)) => Ok(after.parts().to_vec()),
            Ok(_) => Err("no tuple".to_string()),
            Err(failure) => {
                let place = failure
                    .diagnostic
                    .place
                    .map(|place| session.line_col(place));
                let place = place.map_or(String::new(), |at| format!(" at {}:{}", at.line, at.col));
                Err(format!(
                    "{}: {}{place}",
                    failure.diagnostic.code, failure.diagnostic.message
                ))
            }
        }
    }
}

pub(crate) fn session() -> Session {
    Session::new(SessionOptions::default()).expect("this host has a code generator")
}

fn interpret(
    program: &str,
    kernel: &str,
    args: impl Fn(&Universe) -> Vec<Value>,
    size: &LaunchSize,
    schedule: &Schedule,
) -> Result<Vec<Value>, String> {
    let grid = size.grid(schedule)?;
    let mut oracle = InterpreterSession::new(Arc::new(Universe::new()));
    let defined = oracle.define("program.wir", program, None);
    defined.map_err(|failure| format!("{:?}", failure.diagnostics))?;
    let args = args(oracle.universe());
    match oracle.launch_in(kernel, &args, grid, schedule, None).1 {
        Ok(()) => Ok(args),
        Err(error) => {
            let diagnostic = oracle.diagnostic(&error);
            let place = diagnostic.place.map(|place| oracle.line_col(place));
            let place = place.map_or(String::new(), |at| format!(" at {}:{}", at.line, at.col));
            Err(format!(
                "{}: {}{place}",
                diagnostic.code, diagnostic.message
            ))
        }
    }
}

/// The schedules of a kernel.
fn schedules(program: &str, sig: &str) -> Result<Vec<Schedule>, String> {
    let session = session();
    let defined = session.define("program.wir", program, None);
    defined.map_err(|failure| format!("{:?}", failure.diagnostics))?;
    let schedules = session.schedules(sig);
    schedules.map_err(|failure| format!("{:?}", failure.diagnostics))
}

impl Launch {
    /// Whether an engine can run its program: OpenCL C is for OpenCL devices.
    pub(crate) fn is_for(&self, engine: Engine) -> bool {
        !self.is_foreign() || engine == Engine::OpenCl
    }

    pub(crate) fn is_foreign(&self) -> bool {
        self.file.ends_with(".cl")
    }

    /// Every launch of `kernels/reference`, sorted.
    pub(crate) fn all() -> Vec<Launch> {
        let folder = std::fs::read_dir("kernels/reference").expect("the folder is there");
        let mut launches: Vec<Launch> = folder
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .map(|path| {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                let mut launch: Launch = serde_json::from_str(&text).expect("a launch");
                launch.name = path
                    .file_stem()
                    .map_or(String::new(), |s| s.to_string_lossy().into());
                launch
            })
            .collect();
        launches.sort_by(|a, b| a.name.cmp(&b.name));
        launches
    }

    /// Runs it on an engine, in every schedule, and compares with what is expected, and with the
    /// interpreter.
    pub(crate) fn check(&self, engine: Engine) -> Result<(), String> {
        if self.is_foreign() {
            return super::foreign::check(self);
        }
        let path = format!("kernels/{}", self.file);
        let program = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        for schedule in schedules(&program, &self.signature())? {
            self.check_in(engine, &program, &schedule)
                .map_err(|error| format!("{schedule}: {error}"))?;
        }
        Ok(())
    }

    fn signature(&self) -> String {
        let types: Vec<&str> = self.args.iter().map(|arg| &*arg.ty).collect();
        format!("{}({})", self.kernel, types.join(", "))
    }

    pub(crate) fn size(&self) -> LaunchSize {
        let global = std::array::from_fn(|d| self.global_size.get(d).copied().unwrap_or(1));
        let local = std::array::from_fn(|d| match self.local_size.get(d) {
            Some(Json::String(parameter)) => Extent::Parameter(parameter.as_str().into()),
            Some(items) => {
                let items = items.as_u64().and_then(|items| u32::try_from(items).ok());
                Extent::Items(items.expect("a number of work-items"))
            }
            None => Extent::Items(1),
        });
        LaunchSize { global, local }
    }

    pub(crate) fn args(&self, u: &Universe) -> Vec<Value> {
        let each = self.args.iter();
        each.map(|arg| value(u, &arg.ty, &arg.value)).collect()
    }

    /// Compares what an engine gives with what is expected.
    pub(crate) fn compare_expected(&self, engine: Engine, found: &[Value]) -> Result<(), String> {
        for (arg, found) in self.args.iter().zip(found) {
            if let Some(expected) = self.expected.get(&arg.name) {
                let universe = Universe::new();
                let expected = value(&universe, &arg.ty, expected);
                let what = format!("{engine:?} and what is expected, {}", arg.name);
                compare(&what, &found.scalars(), &expected.scalars(), self.within)?;
            }
        }
        Ok(())
    }

    fn check_in(&self, engine: Engine, program: &str, schedule: &Schedule) -> Result<(), String> {
        let size = self.size();
        let args = |u: &Universe| self.args(u);
        let found = engine.launch_in(program, &self.kernel, args, &size, schedule)?;
        // The oracle runs the first schedule: all give the same.
        let first = schedules(program, &self.signature())?.remove(0);
        let oracle = Engine::Interpreter;
        let oracle = oracle.launch_in(program, &self.kernel, args, &size, &first)?;
        for ((arg, found), oracle) in self.args.iter().zip(&found).zip(&oracle) {
            let what = format!("{engine:?} and the interpreter, {}", arg.name);
            let within = if self.ulp == 0 { 0.0 } else { self.within };
            compare(&what, &found.scalars(), &oracle.scalars(), within)?;
        }
        self.compare_expected(engine, &found)
    }
}

fn compare(
    what: &str,
    found: &[ScalarValue],
    other: &[ScalarValue],
    within: f64,
) -> Result<(), String> {
    if found.len() != other.len() {
        return Err(format!(
            "{what}: {} and {} numbers",
            found.len(),
            other.len()
        ));
    }
    for (ix, (a, b)) in found.iter().zip(other).enumerate() {
        if !a.is_close(*b, within) {
            return Err(format!("{what}, number {ix}: {a} and {b}"));
        }
    }
    Ok(())
}

fn value(u: &Universe, ty: &str, json: &Json) -> Value {
    let of = |name: &str| {
        *Scalar::ALL
            .iter()
            .find(|s| s.name() == name)
            .expect("a number type")
    };
    let scalar = |scalar: Scalar, json: &Json| match json.as_i64() {
        Some(x) if !scalar.is_float() => ScalarValue::wrap(scalar, i128::from(x)),
        _ => ScalarValue::from_float(scalar, json.as_f64().expect("a number")),
    };
    match ty
        .strip_prefix("Array{")
        .and_then(|ty| ty.strip_suffix('}'))
    {
        Some(elem) => {
            let numbers = json.as_array().expect("an array").iter();
            let numbers: Vec<_> = numbers.map(|x| scalar(of(elem), x)).collect();
            array(u, of(elem), &numbers)
        }
        None => Value::Scalar(scalar(of(ty), json)),
    }
}

/// An array of numbers of one type.
pub(crate) fn array(u: &Universe, scalar: Scalar, numbers: &[ScalarValue]) -> Value {
    let mut elems = Elems::scalars(scalar, numbers.len()).expect("memory for a small array");
    for (ix, x) in numbers.iter().enumerate() {
        elems.set(ix, Value::Scalar(*x));
    }
    let elem = u.scalar_ty(scalar);
    Value::Array(ArrayRef::new(
        u.array_ty(elem).expect("an array type"),
        elem,
        elems,
    ))
}
