//! Look-up, code that the host calls, and the log of what ran.

use crate::compiler::Foreign;
use crate::names::{self, Handle, Instance, Session, Shard, Type, View};
use crate::session::{Open, open};
use crate::stage::{resolved, tuple};
use crate::status::{Error, Status, give, guard, slice, text};
use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use worldage::dispatch::World;
use worldage::engine::{self, CodeInstance, Front, Linked, Mi};

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
        let args = tuple(foreign, types, slice(args, count, "args")?)?;
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

/// One of the three stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Stage {
    /// Source to inferred.
    Infer = 0,
    /// Inferred to code.
    Codegen = 1,
    /// Code to an entry.
    Link = 2,
}

/// Tells each stage that ran since this was last asked, in the order in which they ended, with
/// the instance's name, which lives during the call.
#[unsafe(no_mangle)]
pub extern "C" fn wa_take_log(
    session: Session,
    each: Option<unsafe extern "C" fn(user: *mut c_void, stage: Stage, name: *const c_char)>,
    user: *mut c_void,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let each = each.ok_or_else(|| Error::invalid("the function to tell is null"))?;
        for event in session.engine.take_log() {
            let stage = match event.stage {
                engine::Stage::Infer => Stage::Infer,
                engine::Stage::Codegen => Stage::Codegen,
                engine::Stage::Link => Stage::Link,
            };
            let name = session.engine.name(event.mi).replace('\0', " ");
            let name = CString::new(name).unwrap_or_default();
            // SAFETY: C gave the function for this.
            unsafe { each(user, stage, name.as_ptr()) };
        }
        Ok(())
    })
}
