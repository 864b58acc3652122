//! Functions of the host: Rust closures that a program calls by name like its own methods.
//!
//! A declaration makes the method (`Session::host_method`); for scalars and strings the closure's
//! own types are the declaration (`Session::host_function`).

use crate::edits::{EditFailure, EditReport, WorldTypes};
use crate::oracle::InterpreterSession;
use crate::session::{Inner, Session};
use std::sync::Arc;
use worldage_cranelift::{HostCall, RaiseKind};
use worldage_dispatch::{Ty, World, sig_bindings};
use worldage_engine::Mi;
use worldage_wir::diag::{Code, Diagnostic};
use worldage_wir::env::{resolve_bound, var_names};
use worldage_wir::host::{HostBody, HostError};
use worldage_wir::prim::ScalarValue;
use worldage_wir::source::{MethodSource, Source};
use worldage_wir::value::Value;

/// A Rust type that has a type in Wir, as a parameter or result of a host function.
///
/// ```
/// use worldage::{HostValue, Value};
///
/// assert_eq!(<f64 as HostValue>::TYPE, "Float64");
/// assert_eq!(i64::from_value(&Value::int(7)), Some(7));
/// assert_eq!(i64::from_value(&Value::str("7")), None);
/// ```
pub trait HostValue: Sized {
    /// Its name in Wir; `Any` for [`Value`].
    const TYPE: &'static str;

    /// From a value of that type; `None` for one of another.
    fn from_value(value: &Value) -> Option<Self>;

    /// As a value of that type.
    fn into_value(self) -> Value;
}

macro_rules! scalars {
    ($($rust:ty, $scalar:ident, $name:literal;)*) => {$(
        impl HostValue for $rust {
            const TYPE: &'static str = $name;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Scalar(ScalarValue::$scalar(x)) => Some(*x),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::Scalar(ScalarValue::$scalar(self))
            }
        }
    )*};
}

scalars! {
    bool, Bool, "Bool";
    i8, I8, "Int8"; i16, I16, "Int16"; i32, I32, "Int32"; i64, I64, "Int64";
    u8, U8, "UInt8"; u16, U16, "UInt16"; u32, U32, "UInt32"; u64, U64, "UInt64";
    f32, F32, "Float32"; f64, F64, "Float64";
}

impl HostValue for () {
    const TYPE: &'static str = "Nothing";

    fn from_value(value: &Value) -> Option<()> {
        matches!(value, Value::Nothing).then_some(())
    }

    fn into_value(self) -> Value {
        Value::Nothing
    }
}

impl HostValue for String {
    const TYPE: &'static str = "String";

    fn from_value(value: &Value) -> Option<String> {
        match value {
            Value::Str(text) => Some(text.to_string()),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::str(&self)
    }
}

impl HostValue for Value {
    const TYPE: &'static str = "Any";

    fn from_value(value: &Value) -> Option<Value> {
        Some(value.clone())
    }

    fn into_value(self) -> Value {
        self
    }
}

/// What a host function may return: a [`HostValue`], or a `Result` of one.
///
/// ```
/// use worldage::HostResult;
///
/// assert_eq!(<Result<i64, String> as HostResult>::TYPE, "Int64");
/// assert!(Err::<i64, _>("no").into_result().is_err());
/// ```
pub trait HostResult {
    /// The name of the result's type in Wir.
    const TYPE: &'static str;

    /// The value, or the error.
    ///
    /// # Errors
    /// What the function returned.
    fn into_result(self) -> Result<Value, HostError>;
}

impl<T: HostValue> HostResult for T {
    const TYPE: &'static str = T::TYPE;

    fn into_result(self) -> Result<Value, HostError> {
        Ok(self.into_value())
    }
}

impl<T: HostValue, E: std::fmt::Display> HostResult for Result<T, E> {
    const TYPE: &'static str = T::TYPE;

    fn into_result(self) -> Result<Value, HostError> {
        self.map(T::into_value).map_err(HostError::new)
    }
}

/// A closure whose types are all known in Wir; `Args` is the tuple of its parameters.
///
/// ```
/// use worldage::HostCallable;
///
/// fn types<Args, F: HostCallable<Args>>(_: F) -> (Vec<&'static str>, &'static str) {
///     (F::params(), F::RETURNS)
/// }
/// let found = types(|x: f64, n: i64| -> Result<f64, String> { Ok(x.powi(n as i32)) });
/// assert_eq!(found, (vec!["Float64", "Int64"], "Float64"));
/// ```
pub trait HostCallable<Args>: Send + Sync + 'static {
    /// The result's type in Wir.
    const RETURNS: &'static str;

    /// The types of the parameters in Wir.
    fn params() -> Vec<&'static str>;

    /// Calls it with values of just these types.
    ///
    /// # Errors
    /// What it returned.
    fn call(&self, args: &[Value]) -> Result<Value, HostError>;
}

macro_rules! callables {
    ($(($($arg:ident $ty:ident),*)),* $(,)?) => {$(
        impl<Run, R, $($ty),*> HostCallable<($($ty,)*)> for Run
        where
            Run: Fn($($ty),*) -> R + Send + Sync + 'static,
            R: HostResult,
            $($ty: HostValue,)*
        {
            const RETURNS: &'static str = R::TYPE;

            fn params() -> Vec<&'static str> {
                vec![$($ty::TYPE),*]
            }

            fn call(&self, args: &[Value]) -> Result<Value, HostError> {
                let [$($arg),*] = args else {
                    unreachable!("dispatch has counted the arguments")
                };
                $(let Some($arg) = $ty::from_value($arg) else {
                    unreachable!("dispatch has seen the types of the arguments")
                };)*
                self($($arg),*).into_result()
            }
        }
    )*};
}

callables!(
    (), (a A), (a A, b B), (a A, b B, c C), (a A, b B, c C, d D), (a A, b B, c C, d D, e E),
    (a A, b B, c C, d D, e E, f F),
);

impl Session {
    /// Makes a Rust function a method of the program, on the closure's own types: numbers, `bool`,
    /// `()`, `String`, and [`Value`] for any. Defining it again replaces it; that is an edit like
    /// any other, and runs nothing of its callers. It is deleted by its signature.
    ///
    /// An error that it returns, and a panic, is the error `host-error` of the call, at the
    /// position of the call in the program. It may call back into the session.
    ///
    /// ```
    /// use worldage::{CallOptions, Session, SessionOptions};
    ///
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// session.host_function("half", |x: i64| match x % 2 {
    ///     0 => Ok(x / 2),
    ///     _ => Err(format!("{x} is odd")),
    /// }).unwrap();
    /// session.define("f.wir", "fn f(x) { half(x) + 1 }", None).unwrap();
    /// assert_eq!(session.call("f(8)", &CallOptions::default()).shown(&session), "5");
    ///
    /// let failed = session.call("f(7)", &CallOptions::default()).result.unwrap_err();
    /// assert_eq!(failed.log_lines, ["error: host-error: half(Int64)", "  called from f(Int64)"]);
    /// assert!(session.render(&failed.diagnostic).starts_with("f.wir:1:11: error[host-error]: \
    ///     the host function failed: 7 is odd"));
    /// ```
    ///
    /// # Errors
    /// The name is none of a function, or names a built-in of these types.
    pub fn host_function<Args, F: HostCallable<Args>>(
        &self,
        name: &str,
        run: F,
    ) -> Result<EditReport, EditFailure> {
        self.host_method(&declaration::<Args, F>(name), None, move |args| {
            run.call(args)
        })
    }

    /// Makes a closure over values the body of a method that is declared in Wir, in the base table
    /// or a named one: `area(shape: Shape) -> Float64`, `log(xs: Vararg{Any})`,
    /// `first(xs: Array{T}) -> T where T`. Without a result type callers know nothing of the
    /// result. It is checked whenever the function returns: another type is `type-mismatch`.
    ///
    /// The closure gets its arguments one by one, copied out of the program: what it changes in an
    /// array, the program does not see.
    ///
    /// ```
    /// use worldage::{CallOptions, HostError, HostValue, Session, SessionOptions, Value};
    ///
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// session.define("p.wir", "struct P { x: Float64, y: Float64 }\nfn f(p) { norm(p) + 1 }", None).unwrap();
    /// session.host_method("norm(p: P) -> Float64", None, |args| {
    ///     let Value::Struct(p) = &args[0] else { unreachable!() };
    ///     let field = |ix: usize| f64::from_value(&p.parts()[ix]).ok_or(HostError::new("no float"));
    ///     Ok(Value::float(field(0)?.hypot(field(1)?)))
    /// }).unwrap();
    /// assert_eq!(session.call("f(P(3.0, 4.0))", &CallOptions::default()).shown(&session), "6.0");
    /// ```
    ///
    /// # Errors
    /// The declaration is wrong, or hides a built-in.
    pub fn host_method(
        &self,
        declaration: &str,
        table: Option<&str>,
        run: impl Fn(&[Value]) -> Result<Value, HostError> + Send + Sync + 'static,
    ) -> Result<EditReport, EditFailure> {
        let table = self.inner.table_id(table)?;
        let body = Arc::new(HostBody::new(run));
        let file = (FILE.to_string(), text_of(declaration).into_bytes());
        self.edit_text(vec![file], |written, items| match items {
            [item] => written.plan_host(*item, table, body),
            _ => Err(vec![not_a_declaration()]),
        })
    }
}

impl InterpreterSession {
    /// As [`Session::host_method`].
    ///
    /// # Errors
    /// As there.
    pub fn host_method(
        &mut self,
        declaration: &str,
        table: Option<&str>,
        run: impl Fn(&[Value]) -> Result<Value, HostError> + Send + Sync + 'static,
    ) -> Result<(), EditFailure> {
        let body = Arc::new(HostBody::new(run));
        self.edit(
            FILE,
            &text_of(declaration),
            |program, items, file| match items {
                [item] => program
                    .define_host(table, item, file, &body)
                    .map_err(|error| crate::edits::unresolved(error.error)),
                _ => Err(EditFailure::of(not_a_declaration())),
            },
        )
    }
}

/// What declarations are a file of.
const FILE: &str = "<host>";

/// A declaration as a definition.
fn text_of(declaration: &str) -> String {
    format!("noinline fn {declaration} {{ }}")
}

fn declaration<Args, F: HostCallable<Args>>(name: &str) -> String {
    let params = F::params();
    let params: Vec<String> = params
        .iter()
        .enumerate()
        .map(|(ix, ty)| format!("x{ix}: {ty}"))
        .collect();
    format!("{name}({}) -> {}", params.join(", "), F::RETURNS)
}

fn not_a_declaration() -> Diagnostic {
    Diagnostic::error(Code::Syntax, "this is not the declaration of one method")
        .hint("write it as `name(x: Int64) -> Float64`")
}

impl Inner {
    /// The method of an instance in a world, if the host runs it.
    fn host_source(&self, mi: Mi, world: World) -> Option<Arc<MethodSource>> {
        let source = self.engine.source(self.engine.key(mi).method, world)?;
        match &*source {
            Source::Method(method) if method.host.is_some() => Some(Arc::clone(method)),
            _ => None,
        }
    }

    /// Whether the host runs an instance.
    pub(crate) fn is_host(&self, mi: Mi, world: World) -> bool {
        self.host_source(mi, world).is_some()
    }

    pub(crate) fn call_host(&self, call: HostCall<'_>) -> Result<Value, RaiseKind> {
        let own = World(call.world);
        let method = match call.live {
            false => self.host_source(call.mi, own),
            true => self.newest_host(&call).or(self.host_source(call.mi, own)),
        };
        let body = method.as_ref().and_then(|method| method.host.as_ref());
        let Some(body) = body else {
            let gone = "the host function is gone from every world that is callable";
            return Err(RaiseKind::Unsupported(gone.into()));
        };
        body.run(call.args).map_err(|fault| {
            let error = fault.error(self.engine.name(call.mi));
            RaiseKind::Host(Arc::new(error))
        })
    }

    /// The newest function that keeps the promise which the running code was made for.
    fn newest_host(&self, call: &HostCall<'_>) -> Option<Arc<MethodSource>> {
        let oldest = self.engine.oldest_callable().0;
        let worlds = (oldest..=self.engine.world().0).rev().map(World);
        let mut found = worlds.filter_map(|world| Some((world, self.host_source(call.mi, world)?)));
        found
            .find(|(world, method)| self.declared(call.mi, *world, method) == Some(call.ret))
            .map(|(_, method)| method)
    }

    /// The type that a function of the host is declared to return.
    fn declared(&self, mi: Mi, world: World, method: &MethodSource) -> Option<Ty> {
        let Some(ret) = &method.def.ret else {
            return Some(Ty::ANY);
        };
        let key = self.engine.key(mi);
        let sig = self.engine.method_sig(key.method, world);
        let bindings = sig_bindings(self.universe.types(), key.args, &sig)?;
        let scope = WorldTypes {
            session: self,
            world,
        };
        resolve_bound(
            &self.universe,
            &scope,
            &var_names(&method.def),
            &bindings,
            ret,
        )
        .ok()
    }
}
