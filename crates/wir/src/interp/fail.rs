//! The errors that running programs make, in words.

use super::call::Tys;
use super::machine::{Args, Interp};
use super::program::NOW;
use crate::builtins::FORMS;
use crate::diag::{Code, nearest};
use crate::error::RunError;
use crate::prim::PrimError;
use crate::value::Value;
use worldage_dispatch::{MethodId, Sig, Symbol, Ty, TyKind, TypeError};
use worldage_dispatch::{display_sig, resolving_signature};

type Failure = Box<RunError>;

impl Interp<'_> {
    pub(super) fn fail(&self, code: Code, message: &str) -> Failure {
        Box::new(RunError::new(code, message))
    }

    /// `f(Int64, String)`
    pub(super) fn call_text(&self, function: Symbol, tys: &Tys) -> String {
        let types = self.u.types();
        let tys: Vec<String> = tys
            .iter()
            .map(|ty| types.display(*ty).to_string())
            .collect();
        format!("{}({})", types.symbol_str(function), tys.join(", "))
    }

    pub(super) fn no_method(&self, function: Symbol, tys: &Tys) -> Failure {
        let text = self.call_text(function, tys);
        let mut error = RunError::new(Code::NoMatchingMethod, format!("no method matches {text}"));
        error.subject = Some(text);
        self.explain_missing(&mut error, function);
        Box::new(error)
    }

    /// Lists the methods that there are, or names like it.
    fn explain_missing(&self, error: &mut RunError, function: Symbol) {
        let name = self.u.types().symbol_str(function);
        let methods = self.methods(function);
        let entries = methods.iter().flat_map(|methods| methods.iter(NOW));
        let mut sigs: Vec<String> = entries
            .map(|entry| display_sig(self.u.types(), name, &entry.sig))
            .collect();
        sigs.sort();
        sigs.dedup();
        if !sigs.is_empty() {
            let more = sigs.len().saturating_sub(5);
            error.notes.extend(
                sigs.into_iter()
                    .take(5)
                    .map(|sig| format!("there is {sig}")),
            );
            if more > 0 {
                error.notes.push(format!("… {more} more"));
            }
        } else if FORMS.contains(&name) {
            error.hint = Some(format!("`{name}` takes other arguments here"));
        } else if let Some(near) = self.similar(name) {
            error.hint = Some(format!("did you mean `{near}`?"));
        }
    }

    fn similar(&self, name: &str) -> Option<&str> {
        let types = self.u.types();
        let names = self.stack.iter().flat_map(|table| table.keys());
        let names = names.filter(|function| self.is_function(**function));
        nearest(name, names.map(|function| types.symbol_str(*function)))
    }

    pub(super) fn ambiguous(&self, function: Symbol, tys: &Tys, ids: &[MethodId]) -> Failure {
        let types = self.u.types();
        let name = types.symbol_str(function);
        let text = self.call_text(function, tys);
        let message = format!("{text} is ambiguous: no method is the most specific");
        let mut error = RunError::new(Code::AmbiguousCall, message).subject(text);
        let sigs: Vec<Sig> = ids
            .iter()
            .filter_map(|id| self.signature(function, *id))
            .collect();
        error.candidates = sigs
            .iter()
            .map(|sig| display_sig(types, name, sig))
            .collect();
        error.candidates.sort();
        let resolving = resolving_signature(types, &sigs.iter().collect::<Vec<_>>());
        error.resolved_by = Some(display_sig(types, name, &resolving));
        Box::new(error)
    }

    pub(super) fn no_invoke(&self, function: Symbol, sig: Ty) -> Failure {
        let types = self.u.types();
        let sig = Sig::of_args(sig);
        let text = display_sig(types, types.symbol_str(function), &sig);
        let message = format!("no method answers the signature {text} for these arguments");
        let mut error = RunError::new(Code::NoMatchingMethod, message).subject(text);
        self.explain_missing(&mut error, function);
        Box::new(error)
    }

    pub(super) fn no_constructor(&self, ty: Ty, args: &Args) -> Failure {
        let types = self.u.types();
        let tys: Vec<String> = args
            .iter()
            .map(|arg| types.display(arg.ty(self.u)).to_string())
            .collect();
        let text = format!("{}({})", types.display(ty), tys.join(", "));
        let mut error = RunError::new(Code::NoMatchingMethod, format!("no method matches {text}"));
        error.subject = Some(text);
        if let (TyKind::Nominal { .. }, Some(fields)) = (types.kind(ty), self.u.fields(ty)) {
            let tys: Vec<String> = fields
                .tys
                .iter()
                .map(|ty| types.display(*ty).to_string())
                .collect();
            error
                .notes
                .push(format!("the fields are ({})", tys.join(", ")));
        }
        Box::new(error)
    }

    pub(super) fn no_trunc(&self, ty: Ty, x: &Value) -> Failure {
        let types = self.u.types();
        let text = format!(
            "trunc({}, {})",
            types.display(ty),
            types.display(x.ty(self.u))
        );
        let message = format!("no method matches {text}");
        Box::new(RunError::new(Code::NoMatchingMethod, message).subject(text))
    }

    pub(super) fn no_function(&self, callee: &Value) -> Failure {
        self.mismatch(
            "what is called",
            self.u.prelude().function,
            callee.ty(self.u),
        )
    }

    pub(super) fn no_indexing(&self, object: &Value, how: &str) -> Failure {
        let ty = self.u.types().display(object.ty(self.u));
        self.fail(
            Code::TypeMismatch,
            &format!("a value of type {ty} cannot be {how}"),
        )
    }

    pub(super) fn mismatch(&self, what: &str, expected: Ty, ty: Ty) -> Failure {
        let types = self.u.types();
        let (expected, ty) = (types.display(expected), types.display(ty));
        let message = format!("{what} must be of type {expected}, and this is of type {ty}");
        self.fail(Code::TypeMismatch, &message)
    }

    pub(super) fn missing_field(&self, object: &Value, name: &str) -> Failure {
        let ty = object.ty(self.u);
        let message = format!(
            "a value of type {} has no field `{name}`",
            self.u.types().display(ty)
        );
        let mut error = RunError::new(Code::MissingField, message).subject(name);
        if let Some(info) = self.u.fields(ty).and_then(|fields| fields.info) {
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
        Box::new(error)
    }

    pub(super) fn undefined_element(&self, ix: usize) -> Failure {
        let message = format!("element {ix} was never written, and its type has no zero");
        self.fail(Code::UndefinedElement, &message)
    }

    pub(super) fn prim_error(&self, error: PrimError) -> Failure {
        let message = match error {
            PrimError::Division => "integer division by zero, or of the least integer by -1",
            PrimError::Conversion => "the number does not fit the type",
        };
        self.fail(error.code(), message)
    }

    pub(super) fn unknown_name(&self, name: &str) -> Failure {
        if self.p.is_type(name) {
            let message = format!("`{name}` is a type, and types are no values");
            return Box::new(RunError::new(Code::UnknownName, message).subject(name));
        }
        let message = format!("`{name}` is not defined");
        let mut error = RunError::new(Code::UnknownName, message).subject(name);
        error.hint = Some(match self.similar(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("introduce it with `var {name} = …`"),
        });
        Box::new(error)
    }

    pub(super) fn unknown_variable(&self, name: &str) -> Failure {
        let message = format!("there is no variable `{name}` to assign to");
        let hint = format!("introduce it with `var {name} = …`");
        Box::new(
            RunError::new(Code::UnknownName, message)
                .subject(name)
                .hint(hint),
        )
    }

    pub(super) fn unknown_external(&self, key: &str) -> Failure {
        let message = format!("there is no external fact \"{key}\"");
        Box::new(RunError::new(Code::UnknownName, message).subject(key))
    }

    pub(super) fn bad_type(&self, error: &TypeError) -> Failure {
        let code = match error {
            TypeError::TooDeep { .. } | TypeError::TooLarge { .. } => Code::TypeLimit,
            _ => Code::TypeMismatch,
        };
        self.fail(code, &error.to_string())
    }

    pub(super) fn type_limit(&self, function: Symbol, _tys: &Tys) -> Failure {
        let name = self.u.types().symbol_str(function);
        let message = format!("the argument types of this call of `{name}` nest too deep");
        Box::new(RunError::new(Code::TypeLimit, message).subject(name))
    }

    pub(super) fn type_limit_of_tuple(&self) -> Failure {
        self.fail(Code::TypeLimit, "the type of this tuple nests too deep")
    }

    pub(super) fn out_of_memory(&self, bytes: usize) -> Failure {
        let limit = self.p.limits().bytes;
        let message = format!("{bytes} more bytes would exceed the limit of {limit} bytes");
        self.fail(Code::OutOfMemory, &message)
    }
}
