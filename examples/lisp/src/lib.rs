//! A small dynamic language with types of its own and multiple dispatch, compiled through
//! Cranelift over [`worldage::embed`].
//!
//! Reading order: [`read`] (text to forms), [`syntax`] (forms to methods), [`compiler`] (the three
//! stages), `codegen` (methods to CLIF), [`runtime`] (values, and what running code asks for);
//! here is what holds it together, an [`Image`].

mod codegen;
pub mod compiler;
pub mod read;
pub mod runtime;
pub mod syntax;

use compiler::{Lisp, Op, PRIMITIVES, Source};
use read::{Error, Form};
use runtime::{Context, HostFunction, Objects, Value};
use std::sync::{Arc, OnceLock};
use syntax::{IT, Method, Top};
use worldage::embed::native::{NativeCode, NativeError, NativeFunction, host_isa};
use worldage::embed::{Error as SessionError, Linked, Session, Stages, Ty};

/// A program that is being written, and run.
pub struct Image {
    session: Session<Lisp>,
    print: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What a form did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It defined or deleted something: what, and the world that this made.
    Edit(String, u64),
    /// It had this value.
    Value(Value),
}

/// The stack of a call.
const STACK: usize = 64 << 20;

impl Image {
    /// An empty program; what it prints goes to `print`.
    ///
    /// # Errors
    /// There is no code generator for this machine.
    pub fn new(print: impl Fn(&str) + Send + Sync + 'static) -> Result<Image, String> {
        // Tail calls need frame pointers.
        let settings = [("opt_level", "speed"), ("preserve_frame_pointers", "true")];
        let isa = host_isa(&settings, None);
        let session = Session::new(Lisp::new(isa.map_err(|error| error.to_string())?));
        let image = Image {
            session,
            print: Arc::new(print),
        };
        image.begin().map_err(|error| error.to_string())?;
        Ok(image)
    }

    /// The types and functions of the language.
    fn begin(&self) -> Result<(), SessionError> {
        let session = &self.session;
        let number = session.abstract_type("Number", Ty::ANY)?;
        for name in runtime::TYPES {
            let parent = match name {
                "Int" | "Float" => number,
                _ => Ty::ANY,
            };
            let ty = session.concrete_type(name, parent)?;
            session.compiler().objects.add_type(ty, name);
        }
        session.edit(|edit| {
            for (ix, (name, params, _)) in PRIMITIVES.iter().enumerate() {
                let params = params.iter().map(|name| self.ty(name));
                let params: Vec<Ty> = params.collect::<Result<_, _>>()?;
                edit.define(name, &params, Source::Op(Op::Primitive(ix)))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn ty(&self, name: &str) -> Result<Ty, SessionError> {
        match name {
            "Any" => Ok(Ty::ANY),
            name => self.session.ty(name),
        }
    }

    /// Makes a Rust function a method on these types; one on the same types is replaced.
    ///
    /// # Errors
    /// A type that is not there.
    pub fn host(
        &self,
        name: &str,
        params: &[&str],
        run: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Result<(), SessionError> {
        let params = params.iter().map(|name| self.ty(name));
        let params: Vec<Ty> = params.collect::<Result<_, _>>()?;
        let source = Source::Host(HostFunction::new(Box::new(run)));
        self.session
            .edit(|edit| edit.define(name, &params, source))?;
        Ok(())
    }

    /// Runs the forms of a text one after the other, and tells what each did.
    ///
    /// # Errors
    /// The text is no text of the language; then nothing is run. Or a form failed; those before
    /// it are done.
    pub fn run(&self, text: &str, mut done: impl FnMut(Outcome)) -> Result<(), Error> {
        for form in read::read(text)? {
            done(self.form(&form)?);
        }
        Ok(())
    }

    /// The stages that ran since this was last asked.
    pub fn take_stages(&self) -> Stages {
        self.session.take_stages()
    }

    fn form(&self, form: &Form) -> Result<Outcome, Error> {
        let top = syntax::parse(form)?;
        self.top(top).map_err(|why| Error::at(form.line, why))
    }

    fn top(&self, top: Top) -> Result<Outcome, String> {
        let shown = |error: SessionError| error.to_string();
        match top {
            Top::Abstract(name, parent) => {
                let parent = self.ty(&parent).map_err(shown)?;
                self.session.abstract_type(&name, parent).map_err(shown)?;
                Ok(Outcome::Edit(name.to_string(), self.session.world().0))
            }
            Top::Type(name, parent, fields) => self.declare(&name, &parent, &fields).map_err(shown),
            Top::Define(methods) => self.define(&methods).map_err(shown),
            Top::Delete(function, types) => {
                let types = types.iter().map(|name| self.ty(name));
                let types: Vec<Ty> = types.collect::<Result<_, _>>().map_err(shown)?;
                let commit = self.session.edit(|edit| edit.delete(&function, &types));
                let world = commit.map_err(shown)?.world.0;
                Ok(Outcome::Edit(function.to_string(), world))
            }
            Top::Expr(methods) => {
                self.define(&methods).map_err(shown)?;
                self.call_it().map(Outcome::Value)
            }
        }
    }

    fn declare(
        &self,
        name: &str,
        parent: &str,
        fields: &[Arc<str>],
    ) -> Result<Outcome, SessionError> {
        if fields.len() > syntax::MAX_PARAMS {
            let most = syntax::MAX_PARAMS;
            return Err(SessionError::refused(format!(
                "a type has at most {most} fields"
            )));
        }
        let ty = self.session.concrete_type(name, self.ty(parent)?)?;
        self.session.compiler().objects.add_type(ty, name);
        let commit = self.session.edit(|edit| {
            edit.define(name, &vec![Ty::ANY; fields.len()], Source::Op(Op::Make(ty)))?;
            for (ix, field) in fields.iter().enumerate() {
                edit.define(field, &[ty], Source::Op(Op::Field(ix)))?;
            }
            Ok(())
        })?;
        Ok(Outcome::Edit(name.to_string(), commit.world.0))
    }

    /// One edit: a method, and those of the functions in it.
    fn define(&self, methods: &[Method]) -> Result<Outcome, SessionError> {
        let mut shown = String::new();
        let commit = self.session.edit(|edit| {
            for method in methods {
                let params = method.params.iter().map(|(name, _)| self.ty(name));
                let params: Vec<Ty> = params.collect::<Result<_, _>>()?;
                let source = Source::Method(Arc::new(method.clone()));
                edit.define(&method.name, &params, source)?;
                let types: Vec<&str> = method.params.iter().map(|(name, _)| &**name).collect();
                shown = format!("{}({})", method.name, types.join(", "));
            }
            Ok(())
        })?;
        Ok(Outcome::Edit(shown, commit.world.0))
    }

    /// Calls the method that the last expression has become, on a stack of its own.
    fn call_it(&self) -> Result<Value, String> {
        let shown = |error: SessionError| error.to_string();
        let guard = self.session.hold(None).map_err(shown)?;
        let world = guard.world;
        let code = self.session.compile(IT, &[]).map_err(shown)?;
        let (session, print) = (self.session.clone(), Arc::clone(&self.print));
        let call = || Context::run(session, world, print, &code, STACK - (2 << 20));
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let thread = thread.spawn_scoped(scope, call);
            let thread = thread.map_err(|error| format!("no stack to run on: {error}"))?;
            let result = thread.join();
            result.unwrap_or_else(|_| Err("the run-time system panicked".into()))
        })
    }
}

/// Code that calls what the context says with what it has: by the number of parameters, and for
/// the host.
#[derive(Default)]
struct Thunks {
    by_params: [OnceLock<Result<NativeFunction, NativeError>>; syntax::MAX_PARAMS + 1],
    entry: OnceLock<Result<NativeFunction, NativeError>>,
}

impl Lisp {
    fn new(isa: cranelift_codegen::isa::OwnedTargetIsa) -> Lisp {
        Lisp {
            isa,
            objects: Arc::new(Objects::default()),
            thunks: Thunks::default(),
        }
    }

    fn installed(
        &self,
        place: &OnceLock<Result<NativeFunction, NativeError>>,
        build: impl FnOnce() -> cranelift_codegen::ir::Function,
    ) -> Result<usize, String> {
        let made = place.get_or_init(|| {
            let code = NativeCode::compile(&self.isa, build())?;
            code.install(&self.isa, |_| std::ptr::null())
        });
        let entry = made.as_ref().map(Linked::entry);
        entry.map_err(ToString::to_string)
    }

    /// A thunk for so many parameters.
    fn thunk(&self, params: usize) -> Result<usize, String> {
        let place = self.thunks.by_params.get(params);
        let place = place.ok_or_else(|| format!("a call has more than {params} arguments"))?;
        self.installed(place, || codegen::thunk(self, params))
    }

    /// Where the host enters a call without arguments.
    fn entry(&self) -> Result<usize, String> {
        self.installed(&self.thunks.entry, || codegen::entry(self))
    }
}
