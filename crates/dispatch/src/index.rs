//! The index of signatures: by the number of parameters, then by the heads of the first few.
//!
//! The *head* of a parameter is the declaration of its type (all tuples share one head; a union has
//! several; Any and wide unions have none and are *wide*). A leaf that grows is split by the next
//! parameter, so that a query visits what the heads of its arguments allow, and little else.
//! A query returns candidates: a superset of the answer, without order, each once or more.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::sig::{Sig, TypeVar};
use crate::ty::{DeclId, Ty, TyKind};
use crate::types::Types;

/// A leaf with more entries is split.
const LEAF: usize = 8;
/// How many parameters are looked at.
const COLUMNS: usize = 6;
/// A union of more members is wide.
const MAX_HEADS: usize = 8;

/// A declaration, or [`Head::TUPLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Head(u32);

impl Head {
    pub(crate) const TUPLE: Head = Head(u32::MAX);

    pub(crate) fn of(decl: DeclId) -> Self {
        Head(decl.0)
    }

    /// The heads from the root of its declarations down to this one.
    #[inline]
    pub(crate) fn path(self, types: &Types) -> impl Iterator<Item = Head> + '_ {
        let declared: &[DeclId] = match self {
            Head::TUPLE => &[DeclId(u32::MAX)],
            Head(decl) => &types.decl_data(DeclId(decl)).path,
        };
        declared.iter().map(|decl| Head::of(*decl))
    }
}

/// The heads of a type; `None` = wide.
pub(crate) fn heads(types: &Types, ty: Ty, vars: &[TypeVar]) -> Option<SmallVec<[Head; 2]>> {
    match types.kind(ty) {
        TyKind::Bottom | TyKind::Any => None,
        TyKind::Var(ix) => vars
            .get(*ix as usize)
            .and_then(|var| heads(types, var.upper, vars)),
        TyKind::Nominal { decl, .. } => Some(SmallVec::from_elem(Head::of(*decl), 1)),
        TyKind::Tuple { .. } => Some(SmallVec::from_elem(Head::TUPLE, 1)),
        TyKind::Union(members) if members.len() > MAX_HEADS => None,
        TyKind::Union(members) => {
            let mut all = SmallVec::new();
            for member in members {
                all.extend(heads(types, *member, vars)?);
            }
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
    }
}

/// What a query wants of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It accepts all of the arguments.
    Covering,
    /// It accepts some of them.
    Overlapping,
}

/// Arguments to search for: a tuple, over the variables of a signature.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) types: &'a Types,
    pub(crate) elems: &'a [Ty],
    pub(crate) tail: Option<Ty>,
    pub(crate) vars: &'a [TypeVar],
    pub(crate) wanted: Wanted,
}

impl<'a> Query<'a> {
    /// A query for a closed tuple type; `None` if it is no tuple.
    pub(crate) fn new(types: &'a Types, args: Ty, wanted: Wanted) -> Option<Self> {
        let (elems, tail) = types.tuple_parts(args)?;
        Some(Query {
            types,
            elems,
            tail,
            vars: &[],
            wanted,
        })
    }

    /// A query for what relates to all calls of a signature.
    pub(crate) fn of_sig(types: &'a Types, sig: &'a Sig, wanted: Wanted) -> Option<Self> {
        let (elems, tail) = types.tuple_parts(sig.params)?;
        Some(Query {
            types,
            elems,
            tail,
            vars: &sig.vars,
            wanted,
        })
    }

    fn has_length(&self, length: usize) -> bool {
        self.elems.len() == length || (self.elems.len() < length && self.tail.is_some())
    }

    fn column(&self, column: usize) -> Option<Ty> {
        self.elems.get(column).copied().or(self.tail)
    }
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(SmallVec<[u32; 4]>),
    Split(Box<Split>),
}

#[derive(Clone, Debug, Default)]
struct Split {
    by_head: FxHashMap<Head, Node>,
    /// For each head, the heads in use strictly below it.
    below: FxHashMap<Head, Vec<Head>>,
    wide: Node,
}

impl Default for Node {
    fn default() -> Self {
        Node::Leaf(SmallVec::new())
    }
}

/// The index of signatures, which the owner numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SigIndex {
    fixed: FxHashMap<usize, Node>,
    open: Node,
}

impl SigIndex {
    /// Adds the signature number `ix`; `sig_of` gives those that were added before.
    pub(crate) fn insert<'a>(
        &mut self,
        types: &Types,
        sig: &'a Sig,
        ix: u32,
        sig_of: &dyn Fn(u32) -> &'a Sig,
    ) {
        let node = match types.tuple_parts(sig.params) {
            Some((elems, None)) => self.fixed.entry(elems.len()).or_default(),
            Some((_, Some(_))) => &mut self.open,
            None => return,
        };
        node.insert(types, sig, ix, 0, sig_of);
    }

    pub(crate) fn remove(&mut self, types: &Types, sig: &Sig, ix: u32) {
        match types.tuple_parts(sig.params) {
            Some((elems, None)) => {
                if let Some(node) = self.fixed.get_mut(&elems.len()) {
                    node.remove(types, sig, ix, 0);
                    if node.is_empty() {
                        self.fixed.remove(&elems.len());
                    }
                }
            }
            Some((_, Some(_))) => self.open.remove(types, sig, ix, 0),
            None => {}
        }
    }

    /// Calls `found` for each candidate.
    pub(crate) fn search(&self, query: &Query<'_>, found: &mut impl FnMut(u32)) {
        if query.tail.is_none() {
            if let Some(node) = self.fixed.get(&query.elems.len()) {
                node.search(query, 0, found);
            }
        } else if query.wanted == Wanted::Overlapping {
            for (length, node) in &self.fixed {
                if query.has_length(*length) {
                    node.search(query, 0, found);
                }
            }
        }
        self.open.search(query, 0, found);
    }

    /// Candidates for a signature that is type-equal.
    pub(crate) fn search_equal(&self, types: &Types, sig: &Sig, found: &mut impl FnMut(u32)) {
        let Some(query) = Query::of_sig(types, sig, Wanted::Covering) else {
            return;
        };
        let node = match query.tail {
            None => self.fixed.get(&query.elems.len()),
            Some(_) => Some(&self.open),
        };
        if let Some(node) = node {
            node.search(&query, 0, found);
        }
    }
}

fn column_heads(types: &Types, sig: &Sig, column: usize) -> Option<SmallVec<[Head; 2]>> {
    let (elems, _) = types.tuple_parts(sig.params)?;
    // A tail is wide: a call need not reach it.
    elems
        .get(column)
        .and_then(|ty| heads(types, *ty, &sig.vars))
}

impl Node {
    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(entries) => entries.is_empty(),
            Node::Split(split) => split.by_head.is_empty() && split.wide.is_empty(),
        }
    }

    fn insert<'a>(
        &mut self,
        types: &Types,
        sig: &'a Sig,
        ix: u32,
        column: usize,
        sig_of: &dyn Fn(u32) -> &'a Sig,
    ) {
        match self {
            Node::Leaf(entries) if entries.len() < LEAF || column == COLUMNS => entries.push(ix),
            Node::Leaf(entries) => {
                let entries = std::mem::take(entries);
                let mut split = Split::default();
                for entry in entries {
                    split.insert(types, sig_of(entry), entry, column, sig_of);
                }
                split.insert(types, sig, ix, column, sig_of);
                *self = Node::Split(Box::new(split));
            }
            Node::Split(split) => split.insert(types, sig, ix, column, sig_of),
        }
    }

    fn remove(&mut self, types: &Types, sig: &Sig, ix: u32, column: usize) {
        match self {
            Node::Leaf(entries) => entries.retain(|entry| *entry != ix),
            Node::Split(split) => split.remove(types, sig, ix, column),
        }
    }

    fn search(&self, query: &Query<'_>, column: usize, found: &mut impl FnMut(u32)) {
        match self {
            Node::Leaf(entries) => entries.iter().for_each(|ix| found(*ix)),
            Node::Split(split) => split.search(query, column, found),
        }
    }
}

impl Split {
    fn insert<'a>(
        &mut self,
        types: &Types,
        sig: &'a Sig,
        ix: u32,
        column: usize,
        sig_of: &dyn Fn(u32) -> &'a Sig,
    ) {
        let Some(heads) = column_heads(types, sig, column) else {
            return self.wide.insert(types, sig, ix, column + 1, sig_of);
        };
        for head in heads {
            let node = self.by_head.entry(head).or_insert_with(|| {
                for above in head.path(types).filter(|above| *above != head) {
                    self.below.entry(above).or_default().push(head);
                }
                Node::default()
            });
            node.insert(types, sig, ix, column + 1, sig_of);
        }
    }

    fn remove(&mut self, types: &Types, sig: &Sig, ix: u32, column: usize) {
        let Some(heads) = column_heads(types, sig, column) else {
            return self.wide.remove(types, sig, ix, column + 1);
        };
        for head in heads {
            let Some(node) = self.by_head.get_mut(&head) else {
                continue;
            };
            node.remove(types, sig, ix, column + 1);
            if !node.is_empty() {
                continue;
            }
            self.by_head.remove(&head);
            for above in head.path(types).filter(|above| *above != head) {
                let Some(below) = self.below.get_mut(&above) else {
                    continue;
                };
                below.retain(|other| *other != head);
                if below.is_empty() {
                    self.below.remove(&above);
                }
            }
        }
    }

    fn search(&self, query: &Query<'_>, column: usize, found: &mut impl FnMut(u32)) {
        self.wide.search(query, column + 1, found);
        if self.by_head.is_empty() {
            return;
        }
        // Where the arguments end, these signatures need one more.
        let Some(ty) = query.column(column) else {
            return;
        };
        match heads(query.types, ty, query.vars) {
            Some(mut heads) => {
                if query.wanted == Wanted::Covering {
                    // What accepts all of a union accepts its first member.
                    heads.truncate(1);
                }
                self.search_related(query, &heads, column, found);
            }
            // No single head holds Any; a wide union may lie below the supertype of all its members.
            None if query.wanted == Wanted::Covering && ty == Ty::ANY => {}
            None => {
                for node in self.by_head.values() {
                    node.search(query, column + 1, found);
                }
            }
        }
    }

    /// Searches under the heads at and above `heads`, and below where that is wanted.
    fn search_related(
        &self,
        query: &Query<'_>,
        heads: &[Head],
        column: usize,
        found: &mut impl FnMut(u32),
    ) {
        if let ([head], Wanted::Covering) = (heads, query.wanted) {
            for node in head
                .path(query.types)
                .filter_map(|head| self.by_head.get(&head))
            {
                node.search(query, column + 1, found);
            }
            return;
        }
        let mut related: SmallVec<[Head; 16]> = SmallVec::new();
        for head in heads {
            related.extend(head.path(query.types));
            if query.wanted == Wanted::Overlapping {
                related.extend(self.below.get(head).into_iter().flatten().copied());
            }
        }
        if heads.len() > 1 {
            related.sort_unstable();
            related.dedup();
        }
        for node in related.iter().filter_map(|head| self.by_head.get(head)) {
            node.search(query, column + 1, found);
        }
    }
}
