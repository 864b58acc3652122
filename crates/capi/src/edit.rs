//! Edits, and worlds that stay callable.

use crate::compiler::Foreign;
use crate::names::{self, Edit, HeldWorld, Session, Table, Type};
use crate::question::external_key;
use crate::session::{Open, open};
use crate::status::{Error, Status, give, guard, slice, text};
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError};
use worldage::dispatch::{Sig, Symbol, World};
use worldage::engine::{self, EditError, WorldGuard};

/// Changes that are not committed yet.
struct Draft {
    session: Arc<Open>,
    changes: Mutex<engine::Edit<Arc<[u8]>>>,
}

/// Begins an edit. It is released by `wa_edit_commit` or `wa_edit_release`.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_new(session: Session, edit: *mut Edit) -> Status {
    guard(|| {
        let draft = Draft {
            session: open(session)?,
            changes: Mutex::new(engine::Edit::new()),
        };
        give(edit, names::keep(names::fresh(), draft))
    })
}

/// Forgets an edit.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_release(edit: Edit) -> Status {
    guard(|| names::release::<Draft>(edit))
}

/// Defines a method on parameter types, or replaces the one with the same signature. The source
/// is copied; equal bytes are an equal source.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_define(
    edit: Edit,
    table: Table,
    function: *const c_char,
    params: *const Type,
    count: usize,
    source: *const u8,
    length: usize,
) -> Status {
    guard(|| {
        let draft: Arc<Draft> = names::find(edit)?;
        let table = draft.session.table(table)?;
        let (symbol, sig) = draft.method(text(function, "function")?, params, count)?;
        let source: Arc<[u8]> = slice(source, length, "source")?.into();
        draft.change(|changes| {
            changes.define(table, symbol, sig, source);
        });
        Ok(())
    })
}

/// Deletes the method with exactly these parameter types.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_delete(
    edit: Edit,
    table: Table,
    function: *const c_char,
    params: *const Type,
    count: usize,
) -> Status {
    guard(|| {
        let draft: Arc<Draft> = names::find(edit)?;
        let table = draft.session.table(table)?;
        let (symbol, sig) = draft.method(text(function, "function")?, params, count)?;
        draft.change(|changes| {
            changes.delete(table, symbol, sig);
        });
        Ok(())
    })
}

/// Sets an external fact, or removes it where `value` is null.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_external(
    edit: Edit,
    key: *const c_char,
    value: *const u8,
    length: usize,
) -> Status {
    guard(|| {
        let draft: Arc<Draft> = names::find(edit)?;
        let key = external_key(text(key, "key")?);
        let value = if value.is_null() {
            None
        } else {
            Some(slice(value, length, "value")?.into())
        };
        draft.change(|changes| {
            changes.external(key, value);
        });
        Ok(())
    })
}

/// Commits an edit as one new world, whose number is given. If it is refused the world is as
/// before. The edit is released in any case.
#[unsafe(no_mangle)]
pub extern "C" fn wa_edit_commit(edit: Edit, world: *mut u64) -> Status {
    guard(|| {
        if world.is_null() {
            return Err(Error::invalid("the place for the world is null"));
        }
        let draft: Arc<Draft> = names::find(edit)?;
        names::release::<Draft>(edit)?;
        let mut changes = draft.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = std::mem::take(&mut *changes);
        let committed = draft.session.engine.commit(changes).map_err(|error| {
            let status = match error {
                EditError::DuringStage => Status::DuringStage,
                _ => Status::Refused,
            };
            Error::new(status, error)
        })?;
        give(world, committed.world.0)
    })
}

impl Draft {
    fn method(
        &self,
        function: &str,
        params: *const Type,
        count: usize,
    ) -> Result<(Symbol, Sig), Error> {
        let types = self.session.engine.types();
        let params = slice(params, count, "params")?;
        let params = self.session.foreign().tuple(params)?;
        Ok((types.symbol(function), Sig::of_args(params)))
    }

    fn change(&self, change: impl FnOnce(&mut engine::Edit<Arc<[u8]>>)) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut changes);
    }
}

/// A world that stays callable, and the session that it is of.
struct Held {
    /// Dropped first: it refers to the session.
    _guard: WorldGuard<'static, Foreign>,
    _session: Arc<Open>,
}

/// Keeps a world callable until it is released; without this the newest 64 are.
#[unsafe(no_mangle)]
pub extern "C" fn wa_world_hold(session: Session, world: u64, held: *mut HeldWorld) -> Status {
    guard(|| {
        let session = open(session)?;
        let guard = session.engine.hold(Some(World(world)))?;
        // SAFETY: the guard borrows the session, which lives in the `Arc` beside it and is
        // dropped after it.
        let guard = unsafe {
            std::mem::transmute::<WorldGuard<'_, Foreign>, WorldGuard<'static, Foreign>>(guard)
        };
        let both = Held {
            _guard: guard,
            _session: Arc::clone(&session),
        };
        give(held, names::keep(names::fresh(), both))
    })
}

/// Releases a held world.
#[unsafe(no_mangle)]
pub extern "C" fn wa_world_release(held: HeldWorld) -> Status {
    guard(|| names::release::<Held>(held))
}
