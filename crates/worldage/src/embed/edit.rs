//! Edits by name: any number of changes make one world, or none.

use super::error::Error;
use super::session::Inner;
use std::sync::Arc;
use worldage_dispatch::{Sig, Ty};
use worldage_engine::{Compiler, ExternalKey, TableId, Tool};

/// Changes that will be committed together, collected by [`super::Session::edit`].
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let commit = session.edit(|edit| {
///     edit.define("one", &[], Sum::Number(21))?;
///     edit.define("three", &[], Sum::Of(vec!["two", "one"]))
/// })?;
/// assert_eq!((commit.world, commit.changes.len()), (World(2), 2));
/// # Ok::<(), Error>(())
/// ```
pub struct Edit<'s, C: Compiler> {
    session: &'s Inner<C>,
    table: TableId,
    pub(super) changes: worldage_engine::Edit<C::Source>,
}

impl<'s, C: Compiler> Edit<'s, C> {
    pub(super) fn new(session: &'s Inner<C>) -> Self {
        Edit {
            session,
            table: TableId::BASE,
            changes: worldage_engine::Edit::new(),
        }
    }

    /// From here on, methods are defined in and deleted from this table; `None` is the base.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.table("other");
    /// session.edit(|edit| {
    ///     edit.in_table(Some("other"))?;
    ///     edit.define("one", &[], Sum::Number(5))
    /// })?;
    /// assert_eq!(session.on(OneShard).over(&["other"])?.call("two", &[], |x| **x)?, 10);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub fn in_table(&mut self, table: Option<&str>) -> Result<(), Error> {
        self.table = match table {
            Some(name) => self.session.find_table(name)?,
            None => TableId::BASE,
        };
        Ok(())
    }

    /// Defines a method on parameter types; replaces the one with a type-equal signature.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let circle = session.concrete_type("Circle", Ty::ANY)?;
    /// session.edit(|edit| edit.define("area", &[circle], Sum::Number(3)))?;
    /// assert_eq!(session.call("area", &[circle], |x| **x)?, 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Type`]: parameters that no call can have.
    pub fn define(
        &mut self,
        function: &str,
        params: &[Ty],
        source: C::Source,
    ) -> Result<(), Error> {
        let sig = self.session.sig(params)?;
        self.define_sig(function, sig, source);
        Ok(())
    }

    /// Defines a method with a signature that has type variables or a tail.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let any_number = Sig::new(session.types(), &[], Some(Ty::ANY), Vec::new())?;
    /// session.edit(|edit| {
    ///     edit.define_sig("count", any_number, Sum::Number(0));
    ///     Ok(())
    /// })?;
    /// assert_eq!(session.call("count", &[], |x| **x)?, 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn define_sig(&mut self, function: &str, sig: Sig, source: C::Source) {
        let function = self.session.engine.types().symbol(function);
        self.changes.define(self.table, function, sig, source);
    }

    /// Deletes the method with exactly these parameter types.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.edit(|edit| edit.delete("one", &[]))?;
    /// assert!(session.call("two", &[], |x| **x).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Type`]: parameters that no method can have. That there is no such method is found
    /// when the edit is committed.
    pub fn delete(&mut self, function: &str, params: &[Ty]) -> Result<(), Error> {
        let sig = self.session.sig(params)?;
        let function = self.session.engine.types().symbol(function);
        self.changes.delete(self.table, function, sig);
        Ok(())
    }

    /// Registers a tool under a name: what stages get by `InferCx::tool`. The same tool of another
    /// version is another fact.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let cc = Tool::from_bytes(b"/usr/bin/cc\x0012.2").unwrap();
    /// session.edit(|edit| {
    ///     edit.tool("cc", &cc);
    ///     Ok(())
    /// })?;
    /// assert_eq!(session.world(), World(2));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn tool(&mut self, name: &str, tool: &Tool) {
        let bytes = Arc::from(tool.to_bytes());
        self.changes.external(Tool::fact(name), Some(bytes));
    }

    /// Sets an external fact: what stages read by `InferCx::external`; `None` removes it.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let key = ExternalKey { kind: "option", name: "fast".into() };
    /// session.edit(|edit| {
    ///     edit.external(key.clone(), Some(b"yes"));
    ///     Ok(())
    /// })?;
    /// assert_eq!(session.engine().external(&key, session.world()).as_deref(), Some(&b"yes"[..]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn external(&mut self, key: ExternalKey, value: Option<&[u8]>) {
        self.changes.external(key, value.map(Arc::from));
    }
}
