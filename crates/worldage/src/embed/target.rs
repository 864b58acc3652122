//! Where a call goes: a shard, the tables above the base, a world.

use super::error::Error;
use super::handle::Handle;
use super::session::Session;
use std::sync::Arc;
use worldage_dispatch::{Ty, World};
use worldage_engine::{
    CodeInstance, Compiler, Explanation, Mi, ShardId, TableId, Unresolved, ViewId,
};

/// A shard over a view, in a world: made by [`Session::on`].
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let target = session.on(OneShard).in_world(World(1));
/// assert_eq!(target.call("two", &[], |value| **value)?, 2);
/// # Ok::<(), Error>(())
/// ```
pub struct Target<'s, C: Compiler> {
    session: &'s Session<C>,
    shard: C::Shard,
    tables: Vec<TableId>,
    world: Option<World>,
}

impl<'s, C: Compiler> Target<'s, C> {
    pub(super) fn new(session: &'s Session<C>, shard: C::Shard) -> Self {
        Target {
            session,
            shard,
            tables: Vec::new(),
            world: None,
        }
    }

    /// Under these tables, the topmost first; the base is below them all.
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
    /// assert_eq!(session.on(OneShard).over(&["other"])?.call("two", &[], |value| **value)?, 10);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub fn over(mut self, tables: &[&str]) -> Result<Self, Error> {
        let tables = tables
            .iter()
            .map(|name| self.session.inner.find_table(name));
        self.tables = tables.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// In an older world instead of the newest one.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.edit(|edit| edit.define("one", &[], Sum::Number(5)))?;
    /// assert_eq!(session.on(OneShard).in_world(World(1)).call("two", &[], |value| **value)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn in_world(mut self, world: World) -> Self {
        self.world = Some(world);
        self
    }

    /// As [`Session::compile`].
    ///
    /// # Errors
    /// As there.
    pub fn compile(&self, function: &str, args: &[Ty]) -> Result<Arc<CodeInstance<C>>, Error> {
        let guard = self.session.hold(self.world)?;
        let (mi, shard) = self.instance(function, args, guard.world)?;
        let engine = self.session.engine();
        Ok(engine.demand(mi, shard, Some(guard.world))?)
    }

    /// As [`Session::call`].
    ///
    /// # Errors
    /// As there.
    pub fn call<R>(
        &self,
        function: &str,
        args: &[Ty],
        run: impl FnOnce(&C::Linked) -> R,
    ) -> Result<R, Error> {
        let guard = self.session.hold(self.world)?;
        let (mi, shard) = self.instance(function, args, guard.world)?;
        let engine = self.session.engine();
        let ci = engine.demand(mi, shard, Some(guard.world))?;
        Ok(run(ci.linked()))
    }

    /// As [`Session::handle`]. A handle follows the newest world, whatever the target's.
    ///
    /// # Errors
    /// As there.
    pub fn handle(&self, function: &str, args: &[Ty]) -> Result<Handle<C>, Error> {
        let (view, shard) = self.place();
        let types = self.session.types();
        let (function, args) = (types.symbol(function), types.try_tuple(args, None)?);
        Handle::new(self.session, function, args, view, shard)
    }

    /// As [`Session::explain`].
    ///
    /// # Errors
    /// As there.
    pub fn explain(&self, function: &str, args: &[Ty]) -> Result<Option<Explanation>, Error> {
        let engine = self.session.engine();
        let (mi, shard) = self.instance(function, args, engine.world())?;
        Ok(engine.explain(mi, shard))
    }

    /// The instances that are compiled here and whose next call would run no stage, by name.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// assert_eq!(session.on(OneShard).valid(), ["two()"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn valid(&self) -> Vec<String> {
        let engine = self.session.engine();
        let valid = engine.valid(self.place().1).into_iter();
        let mut names: Vec<String> = valid.map(|mi| engine.name(mi)).collect();
        names.sort();
        names
    }

    fn place(&self) -> (ViewId, ShardId) {
        let engine = self.session.engine();
        let view = engine.view(&self.tables);
        (view, engine.shard(self.shard.clone(), view))
    }

    fn instance(&self, function: &str, args: &[Ty], world: World) -> Result<(Mi, ShardId), Error> {
        let (view, shard) = self.place();
        let types = self.session.types();
        let (function, args) = (types.symbol(function), types.try_tuple(args, None)?);
        let engine = self.session.engine();
        let mi = engine.find_instance(function, args, view, world);
        let mi = mi.map_err(|error: Unresolved| Error::Unresolved { error, world })?;
        Ok((mi, shard))
    }
}
