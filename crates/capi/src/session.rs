//! Sessions, types, tables, views and shards.

use crate::compiler::{Foreign, Stages};
use crate::names::{self, Count, Session, Shard, Table, Type, View};
use crate::status::{Error, Status, give, guard, slice, text};
use std::ffi::c_char;
use std::sync::{Arc, Mutex};
use worldage::dispatch::{Decl, DeclKind, Ty, Types};
use worldage::engine::{self, Engine, Options, ShardId, TableId, ViewId};
use worldage::store::Store;

/// A session, and how its things are counted.
pub(crate) struct Open {
    pub(crate) engine: Engine<Foreign>,
    pub(crate) tables: Count,
    pub(crate) views: Count,
    pub(crate) shards: Count,
    /// The store that is on.
    pub(crate) store: Mutex<Option<Arc<Store>>>,
}

/// The session with this number.
pub(crate) fn open(session: Session) -> Result<Arc<Open>, Error> {
    names::find(session)
}

impl Open {
    pub(crate) fn foreign(&self) -> &Foreign {
        self.engine.compiler()
    }

    pub(crate) fn table(&self, table: Table) -> Result<TableId, Error> {
        self.tables.index(table).map(TableId)
    }

    pub(crate) fn shard(&self, shard: Shard) -> Result<ShardId, Error> {
        self.shards.index(shard).map(ShardId)
    }

    pub(crate) fn view(&self, view: View) -> Result<ViewId, Error> {
        self.views.index(view).map(ViewId)
    }
}

/// Opens a session in world 0 with nothing defined. `threads` run codegen; 0 is one per core.
#[unsafe(no_mangle)]
pub extern "C" fn wa_session_open(
    stages: *const Stages,
    threads: usize,
    session: *mut Session,
) -> Status {
    guard(|| {
        let stages = *slice(stages, 1, "stages")?
            .first()
            .expect("one was asked for");
        for (stage, name) in [
            (stages.infer, "infer"),
            (stages.codegen, "codegen"),
            (stages.link, "link"),
        ] {
            if stage.is_none() {
                return Err(Error::invalid(format!(
                    "the function of stage {name} is null"
                )));
            }
        }
        let id = names::fresh();
        let types = Arc::new(Types::new());
        let foreign = Foreign::new(stages, Arc::clone(&types), id);
        let mut options = Options::default();
        if threads > 0 {
            options.threads = threads;
        }
        let engine = Engine::new(foreign, types, options, engine::Edit::new());
        let engine = engine.map_err(|error| Error::new(Status::Refused, error))?;
        // The base view is the first.
        let _ = engine.view(&[]);
        let open = Open {
            engine,
            tables: Count::new(id, 1),
            views: Count::new(id, 1),
            shards: Count::new(id, 0),
            store: Mutex::default(),
        };
        give(session, names::keep(id, open))
    })
}

/// Closes a session. Its handles and held worlds keep it alive until they are released.
#[unsafe(no_mangle)]
pub extern "C" fn wa_session_close(session: Session) -> Status {
    guard(|| names::release::<Open>(session))
}

/// The newest world.
#[unsafe(no_mangle)]
pub extern "C" fn wa_world(session: Session, world: *mut u64) -> Status {
    guard(|| give(world, open(session)?.engine.world().0))
}

/// The type of which every type is a subtype.
#[unsafe(no_mangle)]
pub extern "C" fn wa_type_any(session: Session, ty: *mut Type) -> Status {
    guard(|| give(ty, open(session)?.foreign().name_of(Ty::ANY)))
}

/// Declares a nominal type under a parent (`wa_type_any`, or one that was declared abstract).
/// Each call declares another type, also under a known name.
///
/// In a store a type is known by its name, its kind and its parent. What else stages know of it
/// (fields, sizes) is an external fact that they ask for. Results that mention a type of whose
/// name there are several are not stored.
#[unsafe(no_mangle)]
pub extern "C" fn wa_type_declare(
    session: Session,
    name: *const c_char,
    parent: Type,
    is_abstract: bool,
    ty: *mut Type,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let foreign = session.foreign();
        let name = foreign.lattice.symbol(text(name, "name")?);
        let kind = if is_abstract {
            DeclKind::Abstract
        } else {
            DeclKind::Concrete
        };
        give(
            ty,
            foreign.declare(Decl::leaf(name, kind, foreign.ty(parent)?))?,
        )
    })
}

/// The union of types.
#[unsafe(no_mangle)]
pub extern "C" fn wa_type_union(
    session: Session,
    members: *const Type,
    count: usize,
    ty: *mut Type,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let foreign = session.foreign();
        let members = foreign.tys(slice(members, count, "members")?)?;
        let union = foreign.lattice.try_union(&members);
        give(ty, foreign.name_of(union.map_err(Error::invalid)?))
    })
}

/// Makes a table of methods.
#[unsafe(no_mangle)]
pub extern "C" fn wa_table_new(session: Session, name: *const c_char, table: *mut Table) -> Status {
    guard(|| {
        let session = open(session)?;
        let made = session.engine.table(text(name, "name")?);
        give(table, session.tables.name(made.0))
    })
}

/// The view that stacks tables over the base table, the top one first.
#[unsafe(no_mangle)]
pub extern "C" fn wa_view(
    session: Session,
    tables: *const Table,
    count: usize,
    view: *mut View,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let tables = slice(tables, count, "tables")?.iter();
        let tables = tables.map(|table| session.table(*table));
        let stacked = session.engine.view(&tables.collect::<Result<Vec<_>, _>>()?);
        give(view, session.views.name(stacked.0))
    })
}

/// The shard with this name over a view.
#[unsafe(no_mangle)]
pub extern "C" fn wa_shard(
    session: Session,
    name: *const c_char,
    view: View,
    shard: *mut Shard,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let name = text(name, "name")?.to_string();
        let made = session.engine.shard(name, session.view(view)?);
        give(shard, session.shards.name(made.0))
    })
}
