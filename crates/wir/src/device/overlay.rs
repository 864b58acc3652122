//! Overlay tables of devices: which methods a program's functions have there.
//!
//! A kind of device has two tables over the base: one that this crate fills, from a file of Wir
//! beside this one (`sin` by `__nv_sin`), and above it one that is the program's, which begins
//! empty and is named like the kind. Code for a device is inferred in the view that stacks both
//! over the base, so an overlay method is dispatched to, inlined and invalidated like any other.

use crate::ast::ItemKind;
use crate::diag::Sources;
use crate::source::MethodSource;
use crate::syntax;
use std::sync::{Arc, OnceLock};
use worldage_engine::TableId;

/// A kind of device that has methods of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overlay {
    /// OpenCL devices.
    OpenCl,
    /// Nvidia devices.
    Ptx,
}

impl Overlay {
    /// Every kind, in the order of their tables.
    pub const ALL: [Overlay; 2] = [Overlay::OpenCl, Overlay::Ptx];

    /// The name of the program's table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Overlay::OpenCl => "opencl",
            Overlay::Ptx => "ptx",
        }
    }

    /// The name of the table that is filled here.
    #[must_use]
    pub const fn shipped_name(self) -> &'static str {
        match self {
            Overlay::OpenCl => "shipped opencl",
            Overlay::Ptx => "shipped ptx",
        }
    }

    /// The tables of a session whose first ones are [`Overlay::tables`]: the program's and, below
    /// it, that which is filled here.
    #[must_use]
    pub const fn stack(self) -> [TableId; 2] {
        let shipped = 1 + 2 * self as u32;
        [TableId(shipped + 1), TableId(shipped)]
    }

    /// The names of the tables that a session begins with, the base not among them.
    #[must_use]
    pub fn tables() -> Vec<Arc<str>> {
        let each = Overlay::ALL.into_iter();
        each.flat_map(|overlay| [overlay.shipped_name().into(), overlay.name().into()])
            .collect()
    }

    /// The text of what is shipped.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Overlay::OpenCl => include_str!("opencl.wir"),
            Overlay::Ptx => include_str!("ptx.wir"),
        }
    }

    /// The methods of [`Overlay::text`], read once per process.
    ///
    /// # Panics
    /// Never: tests read the texts.
    pub fn methods(self) -> &'static [Arc<MethodSource>] {
        static READ: [OnceLock<Vec<Arc<MethodSource>>>; 2] = [const { OnceLock::new() }; 2];
        READ[self as usize].get_or_init(|| {
            let mut sources = Sources::new();
            let file = sources.add(self.shipped_name(), self.text());
            let parsed = syntax::parse_file(&sources, file);
            assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
            let items = parsed.file.items.into_iter();
            let methods = items.filter_map(|item| match item.kind {
                ItemKind::Method(def) => Some(Arc::new(MethodSource::new(def))),
                ItemKind::Abstract(_) | ItemKind::Struct(_) => None,
            });
            methods.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Overlay;
    use crate::define::Written;
    use crate::prim::{Library, MathFn, Scalar};
    use crate::universe::Universe;
    use std::sync::Arc;

    /// Every elementary function, on every number type, has a method that is the device's.
    #[test]
    fn devices_have_every_elementary_function() {
        let u = Arc::new(Universe::new());
        let (written, _) = Written::new(Arc::clone(&u));
        for overlay in Overlay::ALL {
            let [_, shipped] = overlay.stack();
            for f in MathFn::ALL {
                let methods = written.methods(shipped, u.types().symbol(f.name()));
                let numbers = Scalar::ALL.into_iter().filter(|s| *s != Scalar::Bool);
                let takes = |args: &[Scalar]| {
                    let tys: Vec<_> = args.iter().map(|s| u.scalar_ty(*s)).collect();
                    let tuple = u.types().tuple(&tys);
                    let sig_takes = |sig| worldage_dispatch::sig_matches(u.types(), tuple, sig);
                    methods
                        .iter()
                        .filter(|method| sig_takes(&method.sig))
                        .count()
                };
                for s in numbers.clone() {
                    if f.arity() == 1 {
                        assert_eq!(takes(&[s]), 1, "{overlay:?} {}({s})", f.name());
                        continue;
                    }
                    for t in numbers.clone() {
                        let of_device = usize::from(s.is_float() || t.is_float());
                        assert_eq!(
                            takes(&[s, t]),
                            of_device,
                            "{overlay:?} {}({s}, {t})",
                            f.name()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn names_of_library_functions_say_what_they_take() {
        let all = Library::ALL.into_iter().flat_map(|library| {
            let each = MathFn::ALL.into_iter();
            each.flat_map(move |f| [Scalar::F32, Scalar::F64].map(|s| (library, f, s)))
        });
        let known = crate::builtins::builtins(&Universe::new());
        for (library, f, s) in all {
            let name = library.name(f, s);
            let named = known.iter().any(|builtin| builtin.name == name);
            assert!(
                named || !library.has(f, s),
                "{name} is no built-in function"
            );
        }
    }
}
