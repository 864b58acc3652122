//! The minimal set of stages after an edit, from the generated graph and the edit alone.
//!
//! The rules, of `infer` / `codegen` / `link`:
//! - an instance whose source changed, or that reads a fact which changed, is inferred; in a
//!   recursive component all members are, because a component restarts from nothing;
//! - an instance whose inferred body differs is generated: another source, another result type
//!   of a callee, another method that a call goes to;
//! - pinned, everything that reaches changed code is linked; live, only the changed code itself.
//!
//! Instances are numbers; a method and the one that it shadows share a number, because only one
//! of them answers at a time.

use super::graph::{Graph, Shape};

/// One edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Another constant in the body.
    Body(u32),
    /// The result of an instance's own computation becomes a Float64, or an Int64 again.
    Type(u32, bool),
    /// An unrelated method of the instance's function.
    AddMethod(u32),
    /// The method is deleted: the one that it shadowed answers.
    Delete(u32),
    /// It is defined again.
    Define(u32),
}

/// Instances by stage, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stages {
    pub(crate) infer: Vec<u32>,
    pub(crate) codegen: Vec<u32>,
    pub(crate) link: Vec<u32>,
}

const INT: u8 = 1;
const FLOAT: u8 = 2;

/// What of the past decides what the next edit needs.
pub(crate) struct Model<'g> {
    graph: &'g Graph,
    live: bool,
    /// The types that an instance's own computation gives, and that it returns, as a set.
    own: Vec<u8>,
    returns: Vec<u8>,
    /// Instances whose shadowed method was compiled once.
    shadowed_known: Vec<u32>,
}

impl<'g> Model<'g> {
    /// The program after its first call.
    pub(crate) fn new(graph: &'g Graph, live: bool) -> Model<'g> {
        let inner_of_chain = |i: u32| graph.shape == Shape::Chain && !graph.callees(i).is_empty();
        let own = (0..graph.len() as u32).map(|i| if inner_of_chain(i) { 0 } else { INT });
        Model {
            graph,
            live,
            own: own.collect(),
            returns: vec![INT; graph.len()],
            shadowed_known: Vec::new(),
        }
    }

    /// What runs at the next call of the root.
    pub(crate) fn after(&mut self, edit: Edit) -> Stages {
        let (read_change, changed_code, new) = match edit {
            Edit::AddMethod(_) => return Stages::default(),
            Edit::Body(i) => (vec![i], vec![i], None),
            Edit::Type(i, float) => {
                let changed = self.retype(i, if float { FLOAT } else { INT });
                let mut differ = vec![i];
                for i in changed {
                    differ.extend(self.graph.callers(i));
                }
                (differ.clone(), differ, None)
            }
            Edit::Delete(i) | Edit::Define(i) => {
                let callers = self.graph.callers(i).to_vec();
                let first = matches!(edit, Edit::Delete(_)) && !self.shadowed_known.contains(&i);
                if first {
                    self.shadowed_known.push(i);
                }
                (callers.clone(), callers, first.then_some(i))
            }
        };
        let mut infer = self.components(&read_change);
        let mut link = match self.live {
            true => changed_code.clone(),
            false => self.reaching(&changed_code),
        };
        let mut codegen = changed_code;
        for stage in [&mut infer, &mut codegen, &mut link] {
            stage.extend(new);
            stage.sort_unstable();
            stage.dedup();
        }
        Stages {
            infer,
            codegen,
            link,
        }
    }

    /// All members of the recursive components of these instances.
    fn components(&self, of: &[u32]) -> Vec<u32> {
        match self.graph.shape {
            Shape::Tree | Shape::Chain => of.to_vec(),
            Shape::Ring | Shape::Random if of.is_empty() => Vec::new(),
            Shape::Ring | Shape::Random => (0..self.graph.len() as u32).collect(),
        }
    }

    /// These instances and everything that calls them, however far.
    fn reaching(&self, of: &[u32]) -> Vec<u32> {
        let mut seen = vec![false; self.graph.len()];
        let mut work = of.to_vec();
        let mut all = Vec::new();
        while let Some(i) = work.pop() {
            if !std::mem::replace(&mut seen[i as usize], true) {
                all.push(i);
                work.extend(self.graph.callers(i));
            }
        }
        all
    }

    /// Gives an instance's own computation another type; the instances whose result type differs.
    fn retype(&mut self, i: u32, own: u8) -> Vec<u32> {
        self.own[i as usize] = own;
        let affected = self.reaching(&[i]);
        let before: Vec<u8> = affected.iter().map(|i| self.returns[*i as usize]).collect();
        for i in &affected {
            self.returns[*i as usize] = self.own[*i as usize];
        }
        let mut work = affected.clone();
        while let Some(i) = work.pop() {
            let callees = self.graph.callees(i).iter();
            let types = callees.fold(self.own[i as usize], |types, callee| {
                types | self.returns[*callee as usize]
            });
            if types != self.returns[i as usize] {
                self.returns[i as usize] = types;
                work.extend(self.graph.callers(i));
            }
        }
        let differs = affected.iter().zip(before);
        let differs = differs.filter(|(i, before)| self.returns[**i as usize] != *before);
        differs.map(|(i, _)| *i).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(model: &mut Model<'_>, edit: Edit, infer: &[u32], codegen: &[u32], link: &[u32]) {
        let expected = Stages {
            infer: infer.to_vec(),
            codegen: codegen.to_vec(),
            link: link.to_vec(),
        };
        assert_eq!(model.after(edit), expected, "{edit:?}");
    }

    /// 0 → 1 2, 1 → 3 4, 2 → 5 6
    #[test]
    fn a_tree_of_seven() {
        let graph = Graph::new(Shape::Tree, 7, 0);
        let mut model = Model::new(&graph, false);
        check(&mut model, Edit::Body(4), &[4], &[4], &[0, 1, 4]);
        check(&mut model, Edit::Body(0), &[0], &[0], &[0]);
        check(&mut model, Edit::AddMethod(4), &[], &[], &[]);
        // 4 gives Float64, so 1 gives either, and so does 0: all three differ.
        check(
            &mut model,
            Edit::Type(4, true),
            &[0, 1, 4],
            &[0, 1, 4],
            &[0, 1, 4],
        );
        // 3 as well: 1 gives Int64 or Float64 as before (its own is Int64), so 0 is as it was.
        check(
            &mut model,
            Edit::Type(3, true),
            &[1, 3],
            &[1, 3],
            &[0, 1, 3],
        );
        check(
            &mut model,
            Edit::Type(3, false),
            &[1, 3],
            &[1, 3],
            &[0, 1, 3],
        );
        check(
            &mut model,
            Edit::Type(4, false),
            &[0, 1, 4],
            &[0, 1, 4],
            &[0, 1, 4],
        );
        // The call in 2 goes to the shadowed method, which is new; later it is known.
        check(&mut model, Edit::Delete(6), &[2, 6], &[2, 6], &[0, 2, 6]);
        check(&mut model, Edit::Define(6), &[2], &[2], &[0, 2]);
        check(&mut model, Edit::Delete(6), &[2], &[2], &[0, 2]);
    }

    #[test]
    fn a_tree_of_seven_live() {
        let graph = Graph::new(Shape::Tree, 7, 0);
        let mut model = Model::new(&graph, true);
        check(&mut model, Edit::Body(4), &[4], &[4], &[4]);
        check(
            &mut model,
            Edit::Type(4, true),
            &[0, 1, 4],
            &[0, 1, 4],
            &[0, 1, 4],
        );
        check(&mut model, Edit::Delete(6), &[2, 6], &[2, 6], &[2, 6]);
        check(&mut model, Edit::Define(6), &[2], &[2], &[2]);
    }

    #[test]
    fn a_chain_of_four() {
        let graph = Graph::new(Shape::Chain, 4, 0);
        let mut model = Model::new(&graph, false);
        check(&mut model, Edit::Body(3), &[3], &[3], &[0, 1, 2, 3]);
        let all = [0, 1, 2, 3];
        check(&mut model, Edit::Type(3, true), &all, &all, &all);
        check(&mut model, Edit::Type(3, false), &all, &all, &all);
        check(&mut model, Edit::Delete(3), &[2, 3], &[2, 3], &all);
        check(&mut model, Edit::Define(3), &[2], &[2], &[0, 1, 2]);
    }

    #[test]
    fn a_ring_of_three() {
        let graph = Graph::new(Shape::Ring, 3, 0);
        let all = [0, 1, 2];
        let mut model = Model::new(&graph, false);
        // One component: inferred together and linked together, but only the edited is generated.
        check(&mut model, Edit::Body(1), &all, &[1], &all);
        check(&mut model, Edit::Type(1, true), &all, &all, &all);
        // 2 as well: everybody gives either as before; 1 calls 2 and reads nothing new.
        check(&mut model, Edit::Type(2, true), &all, &[2], &all);
        check(&mut model, Edit::Delete(2), &all, &[1, 2], &all);
        check(&mut model, Edit::Define(2), &all, &[1], &all);
        let mut live = Model::new(&graph, true);
        check(&mut live, Edit::Body(1), &all, &[1], &[1]);
    }

    /// 0 → 1 2 3, 1 → 2 3 0, …: everybody calls everybody.
    #[test]
    fn a_random_graph_of_four() {
        let graph = Graph::new(Shape::Random, 4, 0);
        let all = [0, 1, 2, 3];
        let mut model = Model::new(&graph, false);
        check(&mut model, Edit::Body(2), &all, &[2], &all);
        check(&mut model, Edit::Type(2, true), &all, &all, &all);
        check(&mut model, Edit::Delete(2), &all, &all, &all);
        check(&mut model, Edit::Define(2), &all, &[0, 1, 3], &all);
    }
}
