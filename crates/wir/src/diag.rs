//! What is wrong with a program, as values: a code, a message, places in source text, a hint.
//!
//! Invariants: a diagnostic owns its text and names places by [`FileId`] and byte range, so it can
//! outlive the parser and travel between threads; it is rendered only at the rim, against the
//! [`Sources`] that it was made with. A code, once published, keeps its spelling.

mod advice;
mod render;
mod sources;
#[cfg(test)]
mod tests;

pub use advice::nearest;
pub(crate) use sources::BadText;
pub use sources::{FileId, LineCol, Sources};

use crate::ast::Span;

/// At most this many calls are listed below an error; the rest is counted.
pub const MAX_TRACE: usize = 20;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kind of a diagnostic; users and tests see its kebab-case spelling.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The published spelling, such as `no-matching-method`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }
        }
    };
}

codes! {
    /// The text is not a program.
    Syntax = "syntax",
    /// The bytes are not text.
    InvalidUtf8 = "invalid-utf8",
    /// A variable that nothing introduces.
    UnknownName = "unknown-name",
    /// A type that nothing declares.
    UnknownType = "unknown-type",
    /// No method takes these arguments.
    NoMatchingMethod = "no-matching-method",
    /// Several methods take these arguments and none is the most specific.
    AmbiguousCall = "ambiguous-call",
    /// `delete` of a signature that no method has.
    NoSuchMethod = "no-such-method",
    /// A name, method or type is defined twice.
    DuplicateDefinition = "duplicate-definition",
    /// A struct has no field of this name.
    MissingField = "missing-field",
    /// A value or an argument has the wrong type.
    TypeMismatch = "type-mismatch",
    /// An index is outside of its array or tuple.
    IndexOutOfBounds = "index-out-of-bounds",
    /// An array element was read before it was written, and its type has no zero.
    UndefinedElement = "undefined-element",
    /// Integer division by zero, or of the least integer by -1.
    DivisionError = "division-error",
    /// A number does not fit the type that it is converted to.
    ConversionError = "conversion-error",
    /// A built-in function got a value outside of its domain, such as a negative length.
    InvalidArgument = "invalid-argument",
    /// Calls nest too deeply.
    StackOverflow = "stack-overflow",
    /// The program needs more memory than it may have.
    OutOfMemory = "out-of-memory",
    /// Types nest or multiply without end.
    TypeLimit = "type-limit",
    /// A call in a world that nothing holds any more.
    WorldExpired = "world-expired",
    /// A function of the host failed or panicked.
    HostError = "host-error",
    /// A construct that the chosen target cannot run.
    UnsupportedOnTarget = "unsupported-on-target",
    /// `--strict`: a stage would have run.
    NotCached = "not-cached",
    /// A foreign text that a device's compiler refuses.
    BuildError = "build-error",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Code, ()> {
        Code::ALL
            .iter()
            .copied()
            .find(|c| c.as_str() == text)
            .ok_or(())
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The program cannot be used as it is.
    Error,
    /// The program works, but its author should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A byte range in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The range in its text.
    pub span: Span,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// Why it is shown.
    pub text: String,
}

/// A call that led to a run-time error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The method instance that called, such as `f(Int64)`.
    pub caller: String,
    /// The calling expression.
    pub place: Option<Place>,
}

/// One finding about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence without a final point, for people.
    pub message: String,
    /// The name or signature it is about, which scenarios print after the code.
    pub subject: Option<String>,
    /// Where; `None` when there is no source text, as for a host's call.
    pub place: Option<Place>,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// Facts without a place.
    pub notes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The calls that led here, innermost first; at most [`MAX_TRACE`] are shown.
    pub trace: Vec<Frame>,
    /// How many more calls there were than `trace` holds.
    pub trace_more: u64,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            subject: None,
            place: None,
            labels: Vec::new(),
            notes: Vec::new(),
            hint: None,
            trace: Vec::new(),
            trace_more: 0,
        }
    }

    /// A warning without a place.
    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(code, message)
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, file: FileId, span: Span) -> Diagnostic {
        self.place = Some(Place { file, span });
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Diagnostic {
        self.subject = Some(subject.into());
        self
    }

    /// Shows a second place.
    #[must_use]
    pub fn label(mut self, file: FileId, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            place: Place { file, span },
            text: text.into(),
        });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Diagnostic {
        self.hint = Some(text.into());
        self
    }

    /// Adds the next outer call: kept up to [`MAX_TRACE`], counted beyond.
    pub fn called_from(&mut self, caller: impl Into<String>, place: Option<Place>) {
        if self.trace.len() < MAX_TRACE {
            self.trace.push(Frame {
                caller: caller.into(),
                place,
            });
        } else {
            self.trace_more += 1;
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text for people: `file:line:col: error[code]: message`, the line with a caret, then
    /// labels, notes, the calls that led here and the hint. Ends with a newline.
    ///
    /// ```
    /// use worldage_wir::{ast::Span, diag::{Code, Diagnostic, Sources}};
    /// let mut sources = Sources::default();
    /// let file = sources.add("demo.wir", "fn f() { y }\n");
    /// let text = Diagnostic::error(Code::UnknownName, "`y` is not defined")
    ///     .at(file, Span { lo: 9, hi: 10 })
    ///     .hint("introduce it with `var y = …`")
    ///     .render(&sources);
    /// assert_eq!(text, "\
    /// demo.wir:1:10: error[unknown-name]: `y` is not defined
    ///   |
    /// 1 | fn f() { y }
    ///   |          ^
    ///   = hint: introduce it with `var y = …`
    /// ");
    /// ```
    pub fn render(&self, sources: &Sources) -> String {
        render::render(self, sources)
    }
}
