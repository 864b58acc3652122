//! The ripple of the newest edit: what it marked, until it is known to come to nothing.
//!
//! Most edits change what one unit of inference read, and most of those leave what its readers
//! saw as it was. Then everything that the edit marked is valid, and one sweep over a list says
//! so: no edge of a caller is looked at. The list is kept only while that can still come out;
//! otherwise what is marked is settled edge by edge (`settle`, `generate`).
//!
//! It makes no stage run that would not run without it: what one unit alone marked read that unit,
//! directly or through others, and nothing else that it read is different; so whoever demands it
//! comes to that unit first.

use crate::compiler::Compiler;
use crate::generate::{self, Halt};
use crate::graph::{CodeId, Env, Graph, InferId, State};
use crate::link;
use crate::settle::{self, Cancelled};
use worldage_dispatch::{World, WorldRange};

/// What the newest edit marked.
pub(crate) enum Ripple {
    /// Nothing yet, in this world.
    Still(World),
    /// What one unit marked.
    From(Marks),
    /// More than one unit did, or what was marked is not all valid.
    Lost,
}

/// What one unit marked.
pub(crate) struct Marks {
    world: World,
    /// The one unit that read something which the edit changed.
    source: InferId,
    infers: Vec<InferId>,
    codes: Vec<CodeId>,
}

impl Ripple {
    /// A unit read something that the edit changed, and so all of these were marked.
    pub(crate) fn spread(&mut self, source: InferId, infers: Vec<InferId>, codes: Vec<CodeId>) {
        *self = match *self {
            Ripple::Still(world) => Ripple::From(Marks {
                world,
                source,
                infers,
                codes,
            }),
            _ => Ripple::Lost,
        };
    }

    /// The edit reaches further than one unit, or that unit's result is another one for others.
    pub(crate) fn give_up(&mut self) {
        *self = Ripple::Lost;
    }

    /// What marked a unit, if it is this ripple and nothing else, and still the newest one.
    fn of(&self, now: World, state: State, marked: Option<WorldRange>) -> Option<&Marks> {
        let Ripple::From(marks) = self else {
            return None;
        };
        let only = marks.world == now && is_marked_in(state, marked, now);
        only.then_some(marks)
    }
}

/// Whether a unit was valid until this world's edit marked it.
fn is_marked_in(state: State, marked: Option<WorldRange>, world: World) -> bool {
    let only = marked.is_some_and(|range| (range.first, range.last) == (world, world));
    state == State::Marked && only
}

/// Settles the source of what marked `unit`. If readers see what they saw before, all that it
/// marked is clean again.
pub(crate) fn settle_infer<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    unit: InferId,
) -> Result<(), Cancelled> {
    let unit = graph.infer(unit);
    let marks = graph.ripple.of(graph.world, unit.state, unit.marked);
    match marks.map(|marks| marks.source) {
        Some(source) => settle_source(shared, graph, source),
        None => Ok(()),
    }
}

fn settle_source<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    source: InferId,
) -> Result<(), Cancelled> {
    settle::try_settle(shared, graph, source)?;
    let Ripple::From(marks) = &mut graph.ripple else {
        return Ok(());
    };
    let (world, marked) = (marks.world, std::mem::take(&mut marks.infers));
    // Of a component that fell apart there may be members that nobody ran.
    if marked
        .iter()
        .any(|id| graph.infer(*id).state == State::Dirty)
    {
        graph.ripple.give_up();
        return Ok(());
    }
    for id in marked {
        let unit = graph.infer_mut(id);
        if is_marked_in(unit.state, unit.marked, world) {
            settle::restore(graph, id);
        }
    }
    Ok(())
}

/// The same for code: generates and links the one code unit that differs, if `id` calls it. If
/// callers call the cell that they called before, all that was marked is clean again.
///
/// # Errors
/// A stage of that code unit failed, or an edit waits.
pub(crate) fn settle_code<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
) -> Result<(), Halt> {
    let unit = graph.code(id);
    let (world, calls_edited) = (graph.world, unit.calls_edited);
    let Some(marks) = graph.ripple.of(world, unit.state, unit.marked) else {
        return Ok(());
    };
    let source = marks.source;
    settle_source(shared, graph, source)?;
    if !matches!(graph.ripple, Ripple::From(_)) {
        return Ok(());
    }
    if calls_edited
        && let [edited] = graph.made_from(source)[..]
        && graph.code(edited).state == State::Dirty
    {
        generate::demand(shared, graph, edited)?;
    }
    let Ripple::From(marks) = &mut graph.ripple else {
        return Ok(());
    };
    let marked = std::mem::take(&mut marks.codes);
    graph.ripple.give_up();
    if marked
        .iter()
        .any(|id| graph.code(*id).state == State::Dirty)
    {
        return Ok(());
    }
    for id in marked {
        let unit = graph.code_mut(id);
        if is_marked_in(unit.state, unit.marked, world) {
            link::restore(graph, id);
        }
    }
    Ok(())
}
