//! Errors of calls in words: for people with positions, for logs without.

use crate::calls::CallFailure;
use crate::session::Inner;
use worldage_cranelift::{RaiseKind, Raised};
use worldage_dispatch::{MethodId, Sig, Symbol, Ty, World, display_sig, resolving_signature};
use worldage_engine::engine::DemandError;
use worldage_engine::{Resolved, TableId, ViewId};
use worldage_wir::diag::{Code, Diagnostic, FileId, nearest};
use worldage_wir::error::{RunError, Site};
use worldage_wir::ir::{Failure, UnknownKind};
use worldage_wir::syntax::TextError;

/// What a call's failure looks like, for people and for logs.
pub(crate) fn of_run(session: &Inner, error: RunError, world: World) -> CallFailure {
    let log_lines = log_lines(&error, world);
    let diagnostic = Box::new(error.to_diagnostic(|site| session.place(site, world)));
    CallFailure {
        diagnostic,
        log_lines,
    }
}

/// An error of a call as logs print it: the error, candidates, the calls that led there; no
/// positions.
///
/// ```
/// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
/// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
/// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
/// let (_, result) = oracle.call("f(\"a\")", None, None);
/// let lines = worldage::log_lines(&result.unwrap_err(), worldage::World(1));
/// assert_eq!(lines[0], "error: no-matching-method: +(String, Int64) in world 1");
/// assert_eq!(lines[1], "  called from f(String)");
/// ```
#[must_use]
pub fn log_lines(error: &RunError, world: World) -> Vec<String> {
    let world = error.world.map_or(world, World);
    let named = matches!(error.code, Code::NoMatchingMethod | Code::AmbiguousCall);
    let mut lines = vec![match &error.subject {
        Some(subject) if named => format!("error: {}: {subject} in world {world}", error.code),
        Some(subject) => format!("error: {}: {subject}", error.code),
        None => format!("error: {}", error.code),
    }];
    let candidates = error.candidates.iter();
    lines.extend(candidates.map(|sig| format!("  candidate {sig}")));
    let resolved_by = error.resolved_by.iter();
    lines.extend(resolved_by.map(|sig| format!("  resolved by {sig}")));
    let frames = error.trace.iter();
    lines.extend(frames.map(|frame| format!("  called from {}", frame.instance)));
    if error.trace_more > 0 {
        lines.push(format!("  … {} more", error.trace_more));
    }
    lines
}

/// What is wrong with a call or a signature in words of its own: its text becomes a source of the
/// session, so that it can be shown.
pub(crate) fn of_text(session: &Inner, error: TextError) -> Diagnostic {
    let mut diagnostic = *error.diagnostic;
    let of_error = FileId(0);
    let (name, text) = (error.sources.name(of_error), error.sources.text(of_error));
    let mut places = session.places.write();
    places.trim();
    let file = places.add_text(name.to_owned(), text.as_bytes().to_vec());
    drop(places);
    let labels = diagnostic.labels.iter_mut().map(|label| &mut label.place);
    for place in diagnostic.place.iter_mut().chain(labels) {
        place.file = file;
    }
    diagnostic
}

/// A failure before anything ran.
pub(crate) fn of_diagnostic(diagnostic: Diagnostic) -> CallFailure {
    let line = match &diagnostic.subject {
        Some(subject) => format!("error: {}: {subject}", diagnostic.code),
        None => format!("error: {}", diagnostic.code),
    };
    CallFailure {
        diagnostic: Box::new(diagnostic),
        log_lines: vec![line],
    }
}

/// A stage failed, or the world is not callable.
pub(crate) fn of_demand(error: &DemandError) -> RunError {
    match error {
        DemandError::WorldExpired(world) => {
            let subject = format!("world {world}");
            RunError::new(Code::WorldExpired, error.to_string()).subject(subject)
        }
        DemandError::NoSuchWorld { .. } => RunError::new(Code::InvalidArgument, error.to_string()),
        _ => {
            let message = error.to_string();
            match message.contains("strict: ") {
                true => RunError::new(Code::NotCached, message)
                    .hint("run it once without --strict, so that the store has it"),
                false => RunError::new(Code::UnsupportedOnTarget, message),
            }
        }
    }
}

/// A call of compiled code that gave no value.
pub(crate) fn of_call(
    session: &Inner,
    view: ViewId,
    world: World,
    error: worldage_cranelift::CallError,
) -> RunError {
    match error {
        worldage_cranelift::CallError::Raised(raised) => of_raised(session, view, world, &raised),
        worldage_cranelift::CallError::Load(error) => {
            RunError::new(Code::OutOfMemory, error.to_string())
        }
    }
}

/// The system has no address space for a stack.
pub(crate) fn no_stack(error: &std::io::Error) -> RunError {
    RunError::new(
        Code::OutOfMemory,
        format!("no stack for compiled code: {error}"),
    )
}

/// An error of running code.
pub(crate) fn of_raised(session: &Inner, view: ViewId, world: World, raised: &Raised) -> RunError {
    let failed_in = match raised.world {
        0 => world,
        failed_in => World(failed_in),
    };
    let types = session.universe.types();
    let show = |ty: Ty| types.display(ty).to_string();
    let mismatch = |expected: Ty, found: Ty| {
        let message = format!(
            "a value of type {} is needed, and this is of type {}",
            show(expected),
            show(found)
        );
        RunError::new(Code::TypeMismatch, message)
    };
    let mut error = match &raised.kind {
        RaiseKind::Failure(failure) => of_failure(session, view, failed_in, failure),
        RaiseKind::Bounds { index, length } => RunError::new(
            Code::IndexOutOfBounds,
            format!("index {index} is out of bounds for length {length}"),
        ),
        RaiseKind::Uninitialized => RunError::new(
            Code::UndefinedElement,
            "the element was never written, and its type has no zero",
        ),
        RaiseKind::Length(length) => RunError::new(
            Code::InvalidArgument,
            format!("{length} is no length of an array"),
        ),
        RaiseKind::StackOverflow => RunError::new(Code::StackOverflow, "calls nest too deeply")
            .hint("check that the recursion ends, or reserve a larger stack"),
        RaiseKind::OutOfMemory => {
            RunError::new(Code::OutOfMemory, "the program's memory limit is reached")
        }
        RaiseKind::TypeMismatch(found, expected) => mismatch(*expected, *found),
        RaiseKind::MissingField(ty, field) => missing_field(session, *ty, *field),
        RaiseKind::NotIndexable(ty, index) => RunError::new(
            Code::TypeMismatch,
            format!(
                "a value of type {} cannot be indexed by {}",
                show(*ty),
                show(*index)
            ),
        ),
        RaiseKind::Host(error) if error.is::<RunError>() => {
            error.downcast_ref::<RunError>().expect("just seen").clone()
        }
        RaiseKind::Host(error) => {
            let message = error.downcast_ref::<String>().cloned();
            RunError::new(
                Code::UnsupportedOnTarget,
                message.unwrap_or_else(|| "a host function failed".to_string()),
            )
        }
        RaiseKind::Unsupported(what) => RunError::new(Code::UnsupportedOnTarget, &**what),
    };
    for frame in &raised.trace {
        if !session.is_intrinsic(frame.mi) && !session.is_host(frame.mi, failed_in) {
            let method = session.engine.key(frame.mi).method;
            let site = Site {
                method,
                node: frame.node,
            };
            error.unwind(site, || session.engine.name(frame.mi));
        }
    }
    error.trace_more += raised.more;
    error.world = (failed_in != world).then_some(failed_in.0);
    error
}

/// What a body or the dispatcher said.
pub(crate) fn of_failure(
    session: &Inner,
    view: ViewId,
    world: World,
    failure: &Failure,
) -> RunError {
    let types = session.universe.types();
    match failure {
        Failure::NoMethod(function, args) => {
            let args = session.universe.tuple_elems(*args).unwrap_or_default();
            no_method(session, types.symbol_str(*function), args)
        }
        Failure::Ambiguous(function, args) => {
            // The signature of an `invoke` need not be concrete; where it is, both answers agree.
            let answer = session.engine.invoke(*function, *args, *args, view, world);
            match answer {
                Resolved::Ambiguous(methods) => {
                    ambiguous(session, *function, *args, &methods, world)
                }
                _ => {
                    let args = session.universe.tuple_elems(*args).unwrap_or_default();
                    no_method(session, types.symbol_str(*function), args)
                }
            }
        }
        Failure::NoInvoke(function, sig) => {
            let name = types.symbol_str(*function);
            let text = display_sig(types, name, &Sig::of_args(*sig));
            let message = format!("no method answers the signature {text} for these arguments");
            RunError::new(Code::NoMatchingMethod, message).subject(text)
        }
        Failure::TypeMismatch(expected, found) => {
            let (expected, found) = (types.display(*expected), types.display(*found));
            let message =
                format!("a value of type {expected} is needed, and this is of type {found}");
            RunError::new(Code::TypeMismatch, message)
        }
        Failure::MissingField(ty, field) => missing_field(session, *ty, *field),
        Failure::Bounds => RunError::new(Code::IndexOutOfBounds, "the index is out of bounds"),
        Failure::Prim(error) => RunError::new(
            error.code(),
            match error {
                worldage_wir::prim::PrimError::Division => {
                    "integer division by zero, or of the least integer by -1"
                }
                worldage_wir::prim::PrimError::Conversion => "the number does not fit the type",
            },
        ),
        Failure::Unknown(kind, name) => unknown(session, world, *kind, types.symbol_str(*name)),
        Failure::BadType(what) => RunError::new(Code::TypeMismatch, &**what),
        Failure::TypeLimit(function) => {
            let name = types.symbol_str(*function);
            let message = format!("the argument types of this call of `{name}` nest too deep");
            RunError::new(Code::TypeLimit, message).subject(name)
        }
        Failure::Unsupported(what) => RunError::new(Code::UnsupportedOnTarget, &**what),
    }
}

/// A name that is not bound to what is asked of it, with a name that may have been meant.
fn unknown(session: &Inner, world: World, kind: UnknownKind, name: &str) -> RunError {
    let (code, message) = match kind {
        UnknownKind::Name if session.is_type(name, world) => (
            Code::UnknownName,
            format!("`{name}` is a type, and types are no values"),
        ),
        UnknownKind::Name => (Code::UnknownName, format!("`{name}` is not defined")),
        UnknownKind::Type => (Code::UnknownType, format!("`{name}` is not a type")),
        UnknownKind::External => (
            Code::UnknownName,
            format!("there is no external fact \"{name}\""),
        ),
    };
    let mut error = RunError::new(code, message).subject(name);
    error.hint = match kind {
        UnknownKind::Name if session.is_type(name, world) => {
            let hint = "give variables other names than types, such as a small first letter";
            return error.hint(hint);
        }
        UnknownKind::Name => session.similar_function(name, world),
        UnknownKind::Type => session.similar_type(name),
        UnknownKind::External => None,
    }
    .map(|near| format!("did you mean `{near}`?"));
    error
}

/// No method takes these arguments; lists the methods that there are.
pub(crate) fn no_method(session: &Inner, name: &str, args: &[Ty]) -> RunError {
    let types = session.universe.types();
    let shown: Vec<String> = args
        .iter()
        .map(|ty| types.display(*ty).to_string())
        .collect();
    let text = format!("{name}({})", shown.join(", "));
    let mut error = RunError::new(Code::NoMatchingMethod, format!("no method matches {text}"));
    error.subject = Some(text);
    let function = types.symbol(name);
    let world = session.engine.world();
    let mut sigs = session
        .engine
        .with_methods(TableId::BASE, function, |methods| {
            methods.map_or(Vec::new(), |methods| {
                methods
                    .iter(world)
                    .map(|entry| display_sig(types, name, &entry.sig))
                    .collect()
            })
        });
    sigs.sort();
    if sigs.is_empty() {
        let near = session.similar_function(name, world);
        error.hint = near.map(|near| format!("did you mean `{near}`?"));
    }
    let more = sigs.len().saturating_sub(5);
    error.notes.extend(
        sigs.into_iter()
            .take(5)
            .map(|sig| format!("there is {sig}")),
    );
    if more > 0 {
        error.notes.push(format!("… {more} more"));
    }
    error
}

fn ambiguous(
    session: &Inner,
    function: Symbol,
    args: Ty,
    methods: &[MethodId],
    world: World,
) -> RunError {
    let types = session.universe.types();
    let name = types.symbol_str(function);
    let text = display_sig(types, name, &Sig::of_args(args));
    let message = format!("{text} is ambiguous: no method is the most specific");
    let mut error = RunError::new(Code::AmbiguousCall, message).subject(text);
    let sigs: Vec<Sig> = methods
        .iter()
        .map(|id| session.engine.method_sig(*id, world))
        .collect();
    error.candidates = sigs
        .iter()
        .map(|sig| display_sig(types, name, sig))
        .collect();
    error.candidates.sort();
    let resolving = resolving_signature(types, &sigs.iter().collect::<Vec<_>>());
    error.resolved_by = Some(display_sig(types, name, &resolving));
    error
}

fn missing_field(session: &Inner, ty: Ty, field: Symbol) -> RunError {
    let types = session.universe.types();
    let name = types.symbol_str(field);
    let message = format!(
        "a value of type {} has no field `{name}`",
        types.display(ty)
    );
    let mut error = RunError::new(Code::MissingField, message).subject(name);
    if let Some(info) = session.universe.fields(ty).and_then(|fields| fields.info) {
        let names: Vec<String> = info
            .fields
            .iter()
            .map(|field| format!("`{}`", field.name))
            .collect();
        error.notes.push(match names.is_empty() {
            true => "it has no fields".into(),
            false => format!("its fields are {}", names.join(", ")),
        });
    }
    error
}

impl Inner {
    fn is_type(&self, name: &str, world: World) -> bool {
        let fact = worldage_wir::define::type_fact(name);
        self.universe.is_reserved_type(name) || self.engine.external(&fact, world).is_some()
    }

    /// The function whose name is most like one.
    fn similar_function(&self, name: &str, world: World) -> Option<String> {
        let types = self.universe.types();
        let methods = self.engine.methods_in(TableId::BASE, world);
        let functions = methods.iter().map(|id| self.engine.method(*id).function);
        let mut functions: Vec<Symbol> = functions.collect();
        functions.sort_unstable();
        functions.dedup();
        let names = functions.iter().map(|function| types.symbol_str(*function));
        nearest(name, names).map(str::to_string)
    }

    /// The type whose name is most like one.
    fn similar_type(&self, name: &str) -> Option<String> {
        let written = self.written.lock();
        let mut names: Vec<&str> = self.universe.reserved_types().collect();
        names.extend(written.types().iter().map(|(name, _)| &**name));
        nearest(name, names.into_iter()).map(str::to_string)
    }
}

/// The longest name of an instance that is shown whole, in characters: types can nest until their
/// names are longer than any terminal.
const LONGEST_NAME: usize = 120;

/// The longest sentence.
const LONGEST_TEXT: usize = 1000;

/// A diagnostic for people: with advice where it has no hint, and without endless names.
pub(crate) fn for_people(diagnostic: &Diagnostic) -> Diagnostic {
    let mut shown = diagnostic.clone();
    if shown.is_error() {
        let advice = shown.code.advice();
        shown.hint.get_or_insert_with(|| advice.to_string());
    }
    for frame in &mut shown.trace {
        shorten(&mut frame.caller, LONGEST_NAME);
    }
    for text in std::iter::once(&mut shown.message).chain(&mut shown.notes) {
        shorten(text, LONGEST_TEXT);
    }
    shown
}

/// Cuts out the middle.
fn shorten(text: &mut String, longest: usize) {
    let half = longest / 2;
    let Some((head, _)) = text.char_indices().nth(half) else {
        return;
    };
    let Some((tail, _)) = text.char_indices().rev().nth(half - 1) else {
        return;
    };
    if tail > head {
        text.replace_range(head..tail, " … ");
    }
}
