//! Errors as codes with messages, and the border that no panic crosses.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use worldage::engine::DemandError;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A null pointer, text that is not UTF-8, a thing that was released, that is of another
    /// session or that never was, or a question that this stage cannot ask.
    InvalidArgument = 1,
    /// No method takes these arguments, or none has this signature.
    NoMethod = 2,
    /// Several methods take these arguments and none is most specific.
    Ambiguous = 3,
    /// The edit was refused; the world is as before.
    Refused = 4,
    /// A stage failed: the message is that of the stage.
    StageFailed = 5,
    /// The world is no longer callable, or does not exist yet.
    NoSuchWorld = 6,
    /// A stage used the session that runs it: it asks its context instead.
    DuringStage = 7,
    /// The engine needs something else first and runs the stage again: the stage returns this.
    Stop = 8,
    /// A fault of this library. The session goes on.
    Panicked = 9,
    /// The store's folder cannot be emptied.
    Store = 10,
}

/// A code with its message.
pub(crate) struct Error {
    pub(crate) status: Status,
    message: String,
}

impl Error {
    pub(crate) fn new(status: Status, message: impl fmt::Display) -> Error {
        let message = message.to_string();
        Error { status, message }
    }

    pub(crate) fn invalid(message: impl fmt::Display) -> Error {
        Error::new(Status::InvalidArgument, message)
    }
}

impl From<DemandError> for Error {
    fn from(error: DemandError) -> Error {
        let status = match error {
            DemandError::Stage(_) => Status::StageFailed,
            DemandError::WorldExpired(_) | DemandError::NoSuchWorld { .. } => Status::NoSuchWorld,
            DemandError::DuringStage => Status::DuringStage,
        };
        Error::new(status, error)
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Runs what a C function does: errors and panics become codes with messages.
pub(crate) fn guard(work: impl FnOnce() -> Result<(), Error>) -> Status {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::new(Status::Panicked, text.unwrap_or_default()))
    });
    let Err(error) = outcome else {
        return Status::Ok;
    };
    let text = error.message.replace('\0', " ");
    LAST.with(|last| last.replace(CString::new(text).unwrap_or_default()));
    error.status
}

/// Forgets this thread's message.
pub(crate) fn forget() {
    LAST.take();
}

/// This thread's message since it was last forgotten.
pub(crate) fn message() -> String {
    LAST.with_borrow(|last| last.to_string_lossy().into_owned())
}

/// The message of this thread's last call that did not succeed; valid until the next such call.
#[unsafe(no_mangle)]
pub extern "C" fn wa_last_error() -> *const c_char {
    LAST.with(|last| last.borrow().as_ptr())
}

/// Reads a C string.
pub(crate) fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Error> {
    if pointer.is_null() {
        return Err(Error::invalid(format!("{what} is null")));
    }
    // SAFETY: C gives strings that end in zero and live during the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    let text = text.to_str();
    text.map_err(|_| Error::invalid(format!("{what} is not UTF-8")))
}

/// Reads `count` values; none of them may be anywhere.
pub(crate) fn slice<'a, T>(first: *const T, count: usize, what: &str) -> Result<&'a [T], Error> {
    match (count, first.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Error::invalid(format!(
            "{what} is null and its length is not 0"
        ))),
        // SAFETY: C gives as many values as it says.
        (_, false) => Ok(unsafe { std::slice::from_raw_parts(first, count) }),
    }
}

/// Writes a result.
pub(crate) fn give<T>(to: *mut T, value: T) -> Result<(), Error> {
    if to.is_null() {
        return Err(Error::invalid("the place for the result is null"));
    }
    // SAFETY: C gives a place for a value of this type; it may be uninitialised, so it is
    // written and not assigned.
    unsafe { to.write(value) };
    Ok(())
}
