//! Components of the units that a walk reaches: Tarjan's algorithm with its marks in the units.
//!
//! Nothing here is proportional to the program: a walk touches what it reaches, and takes a few
//! nanoseconds for each. There is no recursion, so chains may be as long as memory allows.

/// What the last walk left at a unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// The walk; the rest means something during this walk only.
    pub(crate) visit: u32,
    /// The place in its order.
    index: u32,
    /// The earliest unit on the walk's stack that is reached from here.
    low: u32,
    pub(crate) component: u32,
}

impl Walk {
    /// Whether the unit belongs to a component of this walk.
    pub(crate) fn is_in(self, visit: u32, component: u32) -> bool {
        (self.visit, self.component) == (visit, component)
    }
}

/// An edge of a unit.
pub(crate) enum Edge<Id> {
    /// To a unit that belongs to the walk.
    To(Id),
    /// To something else.
    Skip,
    /// There are no more.
    End,
}

/// Where a walk goes.
pub(crate) trait Ground<Id> {
    /// The marks of a unit.
    fn walk(&mut self, id: Id) -> &mut Walk;
    /// The edge at a place; places ascend from 0 without a gap.
    fn edge(&self, id: Id, at: usize) -> Edge<Id>;
}

/// Components of one walk, callees first.
pub(crate) struct Components<Id> {
    pub(crate) visit: u32,
    members: Vec<Id>,
    /// Where each component ends.
    ends: Vec<u32>,
}

impl<Id> Components<Id> {
    pub(crate) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    pub(crate) fn members(&self, component: u32) -> &[Id] {
        let ix = component as usize;
        let start = ix.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.members[start as usize..self.ends[ix] as usize]
    }
}

/// While a unit stands on the walk's stack it has no component yet.
const NONE: u32 = u32::MAX;

/// The units that `roots` reach, in components; each unit is left with the number of its own.
pub(crate) fn components<Id: Copy + PartialEq>(
    ground: &mut impl Ground<Id>,
    visit: u32,
    roots: impl IntoIterator<Item = Id>,
) -> Components<Id> {
    let mut found = Components {
        visit,
        members: Vec::new(),
        ends: Vec::new(),
    };
    let mut stack: Vec<Id> = Vec::new();
    let mut path: Vec<(Id, usize)> = Vec::new();
    let mut count = 0;
    let fresh = |index| Walk {
        visit,
        index,
        low: index,
        component: NONE,
    };
    for root in roots {
        if ground.walk(root).visit == visit {
            continue;
        }
        let mut enter = Some(root);
        loop {
            if let Some(id) = enter.take() {
                *ground.walk(id) = fresh(count);
                count += 1;
                stack.push(id);
                path.push((id, 0));
            }
            let Some((id, at)) = path.last_mut() else {
                break;
            };
            let id = *id;
            match ground.edge(id, *at) {
                Edge::Skip => *at += 1,
                Edge::To(callee) => {
                    *at += 1;
                    let read = *ground.walk(callee);
                    if read.visit != visit {
                        enter = Some(callee);
                    } else if read.component == NONE {
                        let own = ground.walk(id);
                        own.low = own.low.min(read.index);
                    }
                }
                Edge::End => {
                    path.pop();
                    let Walk { index, low, .. } = *ground.walk(id);
                    if low == index {
                        let number = found.len();
                        while let Some(member) = stack.pop() {
                            ground.walk(member).component = number;
                            found.members.push(member);
                            if member == id {
                                break;
                            }
                        }
                        found.ends.push(found.members.len() as u32);
                    }
                    if let Some((reader, _)) = path.last() {
                        let above = ground.walk(*reader);
                        above.low = above.low.min(low);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain(Vec<(Walk, Vec<usize>)>);

    impl Ground<usize> for Plain {
        fn walk(&mut self, id: usize) -> &mut Walk {
            &mut self.0[id].0
        }
        fn edge(&self, id: usize, at: usize) -> Edge<usize> {
            self.0[id].1.get(at).map_or(Edge::End, |to| Edge::To(*to))
        }
    }

    #[track_caller]
    fn check(edges: &[&[usize]], expected: &[&[usize]]) {
        let units = edges.iter().map(|to| (Walk::default(), to.to_vec()));
        let mut ground = Plain(units.collect());
        // A walk that was before leaves nothing that matters.
        components(&mut ground, 1, [edges.len() - 1]);
        let found = components(&mut ground, 2, [0]);
        let sorted = (0..found.len()).map(|number| {
            let mut members = found.members(number).to_vec();
            members.sort_unstable();
            members
        });
        assert_eq!(sorted.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn callees_come_first() {
        check(&[&[1, 2], &[3], &[3], &[]], &[&[3], &[1], &[2], &[0]]);
    }

    #[test]
    fn members_of_a_cycle_stand_together() {
        check(&[&[1], &[2, 3], &[1], &[3]], &[&[3], &[1, 2], &[0]]);
        check(&[&[1], &[2], &[0]], &[&[0, 1, 2]]);
        // Two cycles that share a unit are one component; a cross edge joins nothing.
        check(
            &[&[1, 2], &[0], &[0, 3], &[4], &[3]],
            &[&[3, 4], &[0, 1, 2]],
        );
        check(&[&[1, 2], &[3], &[1], &[]], &[&[3], &[1], &[2], &[0]]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let n: usize = 300_000;
        let edges = |i| if i + 1 < n { vec![i + 1] } else { vec![0] };
        let mut ground = Plain((0..n).map(|i| (Walk::default(), edges(i))).collect());
        assert_eq!(components(&mut ground, 1, [0]).len(), 1);
    }
}
