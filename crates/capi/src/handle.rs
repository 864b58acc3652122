//! Look-up, and code that the host calls.

use crate::compiler::Foreign;
use crate::names::{self, Handle, Instance, Session, Shard, Type, View};
use crate::question::resolved;
use crate::session::{Open, open};
use crate::status::{Status, give, guard, slice, text};
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use worldage::dispatch::World;
use worldage::engine::{CodeInstance, Front, Linked, Mi};

/// The instance that a call of `function` with these concrete argument types reaches in the
/// newest world.
#[unsafe(no_mangle)]
pub extern "C" fn wa_find(
    session: Session,
    view: View,
    function: *const c_char,
    args: *const Type,
    count: usize,
    instance: *mut Instance,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let (types, foreign) = (session.engine.types(), session.foreign());
        let function = text(function, "function")?;
        let args = foreign.tuple(slice(args, count, "args")?)?;
        let (view, world) = (session.view(view)?, session.engine.world());
        let found = session
            .engine
            .lookup(types.symbol(function), args, view, world);
        give(instance, resolved(foreign, function, found)?)
    })
}

/// What a handle follows: the newest world, or code of one world.
struct Followed {
    session: Arc<Open>,
    front: Arc<Front<Foreign>>,
    world: Option<World>,
    /// What C was given last: it lives while C may call it.
    given: Mutex<Option<Arc<CodeInstance<Foreign>>>>,
}

/// A handle on an instance in a shard. With `world` 0 it follows the newest world; otherwise it
/// is of that world. Nothing is compiled yet.
#[unsafe(no_mangle)]
pub extern "C" fn wa_handle_new(
    session: Session,
    instance: Instance,
    shard: Shard,
    world: u64,
    handle: *mut Handle,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let mi = Mi(session.foreign().instances.index(instance)?);
        let front = session.engine.front(mi, session.shard(shard)?);
        let followed = Followed {
            front,
            world: (world > 0).then_some(World(world)),
            given: Mutex::default(),
            session,
        };
        give(handle, names::keep(names::fresh(), followed))
    })
}

/// Releases a handle.
#[unsafe(no_mangle)]
pub extern "C" fn wa_handle_release(handle: Handle) -> Status {
    guard(|| names::release::<Followed>(handle))
}

/// The entry to call, compiled if it is not up to date. It lives until this is asked again of the
/// same handle, or the handle is released.
#[unsafe(no_mangle)]
pub extern "C" fn wa_handle_entry(handle: Handle, entry: *mut *const c_void) -> Status {
    guard(|| {
        let followed: Arc<Followed> = names::find(handle)?;
        let Followed {
            session,
            front,
            world,
            given,
        } = &*followed;
        let current = if world.is_none() { front.get() } else { None };
        let code = match current {
            Some(code) => code,
            None => session.engine.demand(front.mi, front.shard, *world)?,
        };
        give(entry, code.linked().entry() as *const c_void)?;
        let before = given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(code);
        drop(before);
        Ok(())
    })
}
