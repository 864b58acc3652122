//! Values as text.

use super::{Record, Value};
use crate::universe::Universe;
use std::cell::RefCell;
use std::fmt::{self, Write};
use worldage_dispatch::TyKind;

/// A value with what it takes to print it: numbers as [`crate::prim::ScalarValue`] says, structs
/// `P(1, 2.5)`, tuples `(1, 2)` and `(1,)`, arrays `[1, 2]`, `nothing`, functions by name; strings
/// in quotes unless the value itself is a string to be printed bare. An element that was never
/// written is `#undef`, an array inside of itself `[…]`.
pub struct Shown<'a> {
    u: &'a Universe,
    value: &'a Value,
    bare: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn quoted(u: &'a Universe, value: &'a Value) -> Self {
        let bare = false;
        Shown { u, value, bare }
    }

    pub(super) fn bare(u: &'a Universe, value: &'a Value) -> Self {
        let bare = true;
        Shown { u, value, bare }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (true, Value::Str(s)) = (self.bare, self.value) {
            return f.write_str(s);
        }
        let printer = Printer {
            u: self.u,
            open: RefCell::default(),
        };
        printer.value(f, self.value)
    }
}

struct Printer<'a> {
    u: &'a Universe,
    /// The arrays that are being printed.
    open: RefCell<Vec<usize>>,
}

impl Printer<'_> {
    fn value(&self, f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
        stacker::maybe_grow(64 << 10, 1 << 20, || match value {
            Value::Nothing => f.write_str("nothing"),
            Value::Scalar(x) => write!(f, "{x}"),
            Value::Str(s) => quoted(f, s),
            Value::Function(name) => f.write_str(self.u.types().symbol_str(*name)),
            Value::Struct(record) => {
                if let TyKind::Nominal { decl, .. } = self.u.types().kind(record.ty()) {
                    f.write_str(self.u.types().symbol_str(self.u.types().decl(*decl).name))?;
                }
                self.parts(f, record, false)
            }
            Value::Tuple(record) => self.parts(f, record, record.parts().len() == 1),
            Value::Array(array) => {
                let identity = array.identity();
                if self.open.borrow().contains(&identity) {
                    return f.write_str("[…]");
                }
                self.open.borrow_mut().push(identity);
                f.write_str("[")?;
                for ix in 0..array.len() {
                    if ix > 0 {
                        f.write_str(", ")?;
                    }
                    let element = array.elems().get(ix);
                    match element {
                        Some(element) => self.value(f, &element)?,
                        None => f.write_str("#undef")?,
                    }
                }
                self.open.borrow_mut().pop();
                f.write_str("]")
            }
        })
    }

    fn parts(&self, f: &mut fmt::Formatter<'_>, record: &Record, comma: bool) -> fmt::Result {
        f.write_str("(")?;
        for (ix, part) in record.parts().iter().enumerate() {
            if ix > 0 {
                f.write_str(", ")?;
            }
            self.value(f, part)?;
        }
        f.write_str(if comma { ",)" } else { ")" })
    }
}

/// A string as a Wir literal.
fn quoted(f: &mut fmt::Formatter<'_>, s: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in s.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
