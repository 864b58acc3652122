//! Kernels over a grid: the oracle of every other launch.
//!
//! Work-items of a group run one after the other, each until it ends or waits at a barrier. The
//! interpreter follows the program with the host's own stack, so an item that waits keeps its
//! thread, and another thread goes on with the next item; no two ever run at the same time.

use super::machine::Interp;
use super::program::Program;
use crate::error::{RunError, Site};
use crate::ir::GridQuery;
use crate::schedule::Schedule;
use crate::value::{ArrayRef, Value};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::Scope;
use worldage_dispatch::Symbol;

/// Bytes of stack of a thread; what nests deeper takes more by itself.
const STACK: usize = 12 << 20;

/// The index space of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Work-items in each dimension.
    pub global: [u32; 3],
    /// Work-items of a group in each dimension; divides `global`.
    pub local: [u32; 3],
}

/// The work-item that an interpreter runs.
pub(super) struct Item<'a> {
    /// In the order of [`GridQuery`].
    coordinates: [[i64; 3]; 6],
    number: usize,
    group: Arc<Group>,
    /// Starts the items that were not begun, on another thread.
    spawn: &'a dyn Fn(),
}

/// Who runs.
struct Turns {
    begun: usize,
    items: usize,
    /// Items that wait and run again in this round.
    round: VecDeque<usize>,
    /// Items that wait for the next round.
    arrived: VecDeque<usize>,
    turn: Option<usize>,
    error: Option<Box<RunError>>,
    printed: String,
}

/// The items that share arrays and barriers.
pub(super) struct Group {
    turns: Mutex<Turns>,
    changed: Condvar,
    shared: Mutex<FxHashMap<Site, ArrayRef>>,
}

impl Turns {
    /// Lets the next item that waits go on; once each has arrived or ended, a round begins.
    fn pass(&mut self) {
        if self.round.is_empty() {
            std::mem::swap(&mut self.round, &mut self.arrived);
        }
        self.turn = self.round.pop_front();
    }
}

impl Item<'_> {
    pub(super) fn coordinate(&self, query: GridQuery, dimension: i64) -> i64 {
        let (row, outside) = match query {
            GridQuery::GlobalId => (0, 0),
            GridQuery::GlobalSize => (1, 1),
            GridQuery::LocalId => (2, 0),
            GridQuery::LocalSize => (3, 1),
            GridQuery::GroupId => (4, 0),
            GridQuery::NumGroups => (5, 1),
        };
        let dimension = usize::try_from(dimension).ok();
        let known = dimension.and_then(|d| self.coordinates[row].get(d));
        known.copied().unwrap_or(outside)
    }

    /// Waits until every item of the group waits or has ended.
    pub(super) fn wait(&self) {
        let mut turns = self.group.turns.lock();
        turns.arrived.push_back(self.number);
        if turns.begun < turns.items {
            drop(turns);
            (self.spawn)();
            turns = self.group.turns.lock();
        } else {
            turns.pass();
            self.group.changed.notify_all();
        }
        while turns.turn != Some(self.number) {
            self.group.changed.wait(&mut turns);
        }
    }

    /// The array that a place in the program shares in the group.
    pub(super) fn shared<E>(
        &self,
        place: Site,
        make: impl FnOnce() -> Result<ArrayRef, E>,
    ) -> Result<ArrayRef, E> {
        let mut shared = self.group.shared.lock();
        if let Some(array) = shared.get(&place) {
            return Ok(array.clone());
        }
        let array = make()?;
        shared.insert(place, array.clone());
        Ok(array)
    }
}

/// What the threads of a group need.
#[derive(Clone, Copy)]
struct Launch<'a> {
    program: &'a Program,
    view: Option<&'a str>,
    function: Symbol,
    args: &'a [Value],
    grid: Grid,
    schedule: &'a Schedule,
    group: [i64; 3],
}

impl Program {
    /// Runs a kernel in a schedule on every work-item, group by group; arrays among the arguments are changed
    /// in place. A work-item that fails stops; the others go on, and the first error is given.
    ///
    /// # Errors
    /// The program's error.
    ///
    /// # Panics
    /// If the local size does not divide the global size.
    pub fn launch(
        &self,
        view: Option<&str>,
        function: &str,
        args: &[Value],
        (grid, schedule): (Grid, &Schedule),
        print: &mut dyn FnMut(&str),
    ) -> Result<(), Box<RunError>> {
        let divides =
            (0..3).all(|d| grid.local[d] > 0 && grid.global[d].is_multiple_of(grid.local[d]));
        assert!(divides, "the local size divides the global size");
        let counts = std::array::from_fn(|d| i64::from(grid.global[d] / grid.local[d]));
        let mut error = None;
        for group in points(counts) {
            let launch = Launch {
                program: self,
                view,
                function: self.universe().types().symbol(function),
                args,
                grid,
                schedule,
                group,
            };
            let (printed, failed) = launch.run();
            print(&printed);
            error = error.or(failed);
        }
        error.map_or(Ok(()), Err)
    }
}

fn points(size: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
    let [x, y, z] = size;
    (0..x * y * z).map(move |ix| [ix % x, ix / x % y, ix / (x * y)])
}

impl Launch<'_> {
    /// Runs one group: what it printed and its first error.
    fn run(&self) -> (String, Option<Box<RunError>>) {
        let items = self.grid.local.iter().map(|size| *size as usize).product();
        let group = Arc::new(Group {
            turns: Mutex::new(Turns {
                begun: 0,
                items,
                round: VecDeque::new(),
                arrived: VecDeque::new(),
                turn: None,
                error: None,
                printed: String::new(),
            }),
            changed: Condvar::new(),
            shared: Mutex::default(),
        });
        std::thread::scope(|scope| self.spawn(scope, &group));
        let mut turns = group.turns.lock();
        let printed = std::mem::take(&mut turns.printed);
        (printed, turns.error.take())
    }

    fn spawn<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, group: &Arc<Group>) {
        let group = Arc::clone(group);
        let builder = std::thread::Builder::new().stack_size(STACK);
        let spawned = builder.spawn_scoped(scope, move || self.work(scope, &group));
        spawned.expect("the system has threads for the items of a group that wait");
    }

    /// Runs items that were not begun, until none is left; then lets go on what waits.
    fn work<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, group: &Arc<Group>) {
        let spawn = || self.spawn(scope, group);
        let mut print = |text: &str| group.turns.lock().printed.push_str(text);
        let mut interp = Interp::new(self.program, self.view, &mut print);
        interp.schedule = self.schedule.clone();
        loop {
            let mut turns = group.turns.lock();
            if turns.begun == turns.items {
                turns.pass();
                group.changed.notify_all();
                return;
            }
            let number = turns.begun;
            turns.begun += 1;
            drop(turns);
            interp.item = Some(Item {
                coordinates: self.coordinates(number),
                number,
                group: Arc::clone(group),
                spawn: &spawn,
            });
            let result = interp.call(self.function, self.args.to_vec());
            interp.item = None;
            if let Err(error) = result {
                group.turns.lock().error.get_or_insert(error);
            }
        }
    }

    fn coordinates(&self, number: usize) -> [[i64; 3]; 6] {
        let local = self.grid.local.map(i64::from);
        let global = self.grid.global.map(i64::from);
        let number = i64::try_from(number).expect("a group is small");
        let id = [
            number % local[0],
            number / local[0] % local[1],
            number / (local[0] * local[1]),
        ];
        let at = std::array::from_fn(|d| self.group[d] * local[d] + id[d]);
        let counts = std::array::from_fn(|d| global[d] / local[d]);
        [at, global, id, local, self.group, counts]
    }
}
