//! Method tables under edits: lookup against the definition, `find_all` against lookup, and the
//! index of recorded calls against what really changed.

use crate::bytes::Bytes;
use crate::fixture::Fixture;
use crate::oracle::{accepts, is_member, tuples};
use worldage_dispatch::{
    CallIndex, Lookup, Matches, MethodId, Methods, Sig, Ty, World, ambiguities, find_all, lookup,
    more_specific, sig_disjoint, sig_intersect, sig_matches, sig_subtype,
};

/// What is called with: enough to tell the types below apart.
const VALUES: [&str; 8] = [
    "Int64",
    "String",
    "Any*",
    "Number*",
    "Array{Int64}",
    "Array{Number}",
    "Tuple{Int64}",
    "Array{Union{Int64, String}}",
];

/// What variables are tried with, beside the values.
const ABSTRACT: [&str; 5] = [
    "Any",
    "Number",
    "Integer",
    "Union{Int64, String}",
    "Union{}",
];

const NOMINAL: [&str; 9] = [
    "Int64",
    "Integer",
    "Number",
    "String",
    "Any",
    "Array{Int64}",
    "Array{Number}",
    "AbstractArray{Int64}",
    "AbstractArray{Number}",
];

const OPEN: [&str; 12] = [
    "T",
    "S",
    "Array{T}",
    "AbstractArray{T}",
    "Array{S}",
    "Tuple{T}",
    "Union{String, T}",
    "Array{Union{String, T}}",
    "Union{Array{T}, Tuple{S}}",
    "Int64",
    "Number",
    "Any",
];

/// How many edits are made, and calls looked up after each.
const EDITS: u64 = 10;
const CALLS: usize = 10;

/// Makes two tables by a series of edits, and checks calls in every world.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let mut bytes = Bytes(data);
    let fixture = Fixture::new();
    let values = VALUES.map(|text| fixture.ty(text));
    let candidates: Vec<Ty> = VALUES
        .iter()
        .chain(&ABSTRACT)
        .map(|text| fixture.ty(text))
        .collect();
    let all = tuples(&fixture, &values, 3);
    let calls: Vec<Ty> = (0..CALLS).map(|_| *bytes.pick(&all)).collect();
    let args: Vec<Ty> = (0..3)
        .map(|_| fixture.ty(&tuple(&mut bytes, 3, element)))
        .collect();
    let mut tables = Tables::new(&fixture, &calls, &args);
    let mut world = World(0);
    while !bytes.is_empty() && world.0 < EDITS {
        world = world.next();
        tables.edit(&mut bytes, world);
    }
    for world in (0..=world.0).map(World) {
        for call in &calls {
            let found = lookup(&fixture.types, &tables.stack(), *call, world);
            let expected = tables.answer(*call, world, &candidates);
            assert_eq!(found, expected, "{} in {world}", fixture.show(*call));
        }
        for args in &args {
            tables.check_find_all(*args, world, &all);
        }
    }
}

/// An overlay over a base table, and the calls that are recorded.
struct Tables<'a> {
    fixture: &'a Fixture,
    tables: [Methods; 2],
    sigs: Vec<Sig>,
    recorded: Vec<Ty>,
    index: CallIndex,
}

impl<'a> Tables<'a> {
    fn new(fixture: &'a Fixture, calls: &[Ty], args: &[Ty]) -> Self {
        let recorded = [calls, args].concat();
        let mut index = CallIndex::new();
        for (number, args) in (0..).zip(&recorded) {
            index.insert(&fixture.types, *args, number);
        }
        Tables {
            fixture,
            tables: [Methods::new(), Methods::new()],
            sigs: Vec::new(),
            recorded,
            index,
        }
    }

    fn stack(&self) -> [&Methods; 2] {
        self.tables.each_ref()
    }

    /// Inserts or deletes a method; the index must list every call whose answer changes.
    fn edit(&mut self, bytes: &mut Bytes<'_>, world: World) {
        let types = &self.fixture.types;
        let what = bytes.byte();
        let table = usize::from(what & 3 != 0);
        let is_deletion = what & 0x0c == 0 && !self.sigs.is_empty();
        let sig = match is_deletion {
            true => bytes.pick(&self.sigs).clone(),
            false => self.fixture.sig(&signature(bytes)),
        };
        let affected = self.index.affected(types, &sig);
        let methods = &mut self.tables[table];
        if is_deletion {
            methods.delete(types, &sig, world);
            assert_eq!(methods.find_exact(types, &sig, world), None);
        } else {
            let id = MethodId(world.0 as u32);
            let before = methods.find_exact(types, &sig, world);
            assert_eq!(methods.insert(types, sig.clone(), id, world), before);
            assert_eq!(methods.find_exact(types, &sig, world), Some(id));
            for found in ambiguities(types, methods, &sig, world) {
                let other = methods.get(found.b).expect("it is there").sig.clone();
                assert!(!more_specific(types, &sig, &other) && !more_specific(types, &other, &sig));
                assert!(!sig_disjoint(types, &sig, &other));
            }
            self.sigs.push(sig);
        }
        let answers = |args: Ty, world: World| {
            (
                lookup(types, &self.stack(), args, world),
                find_all(types, &self.stack(), args, 4, world),
            )
        };
        for (number, args) in (0..).zip(&self.recorded) {
            if answers(*args, World(world.0 - 1)) != answers(*args, world) {
                let shown = self.fixture.show(*args);
                assert!(affected.contains(&number), "{shown} changed in {world}");
            }
        }
        self.check_order();
    }

    /// The order of the newest two signatures.
    fn check_order(&self) {
        let types = &self.fixture.types;
        let [.., a, b] = self.sigs.as_slice() else {
            return;
        };
        let (below, above) = (sig_subtype(types, a, b), sig_subtype(types, b, a));
        let (first, second) = (more_specific(types, a, b), more_specific(types, b, a));
        assert!(!(first && second), "more specific is asymmetric");
        if below != above {
            assert_eq!((first, second), (below, above), "a strict subtype is");
        }
        for args in &self.recorded {
            let common = sig_intersect(types, *args, a);
            assert!(types.subtype(common, *args), "an intersection is below");
            if sig_matches(types, *args, a) {
                assert!(types.type_equal(common, *args), "all of it is accepted");
                assert!(!below || sig_matches(types, *args, b), "transitive");
            }
        }
    }

    /// The answer by the definition: of the tables' matches, the first table's that no other
    /// beats.
    fn answer(&self, call: Ty, world: World, candidates: &[Ty]) -> Lookup {
        let types = &self.fixture.types;
        for methods in self.stack() {
            let matches: Vec<_> = methods
                .iter(world)
                .filter(|entry| accepts(self.fixture, call, &entry.sig, candidates))
                .collect();
            let is_beaten = |sig: &Sig| {
                let mut others = matches.iter();
                others.any(|other| more_specific(types, &other.sig, sig))
            };
            let ids = |keep: &dyn Fn(&Sig) -> bool| {
                let kept = matches.iter().filter(|entry| keep(&entry.sig));
                let mut ids: Vec<MethodId> = kept.map(|entry| entry.id).collect();
                ids.sort_unstable();
                ids
            };
            let mut best = ids(&|sig| !is_beaten(sig));
            if best.is_empty() {
                best = ids(&|_| true);
            }
            match best.as_slice() {
                [] => {}
                [only] => return Lookup::Method(*only),
                _ => return Lookup::Ambiguous(best.into()),
            }
        }
        Lookup::NoMethod
    }

    /// Every call that the arguments stand for has its answer in the list.
    fn check_find_all(&self, args: Ty, world: World, calls: &[Ty]) {
        let (types, stack) = (&self.fixture.types, self.stack());
        let found = find_all(types, &stack, args, 100, world);
        let Matches::Matches {
            matches,
            covered,
            ambiguous,
        } = found
        else {
            panic!("there are fewer than 100 methods");
        };
        let is_listed = |id: MethodId, call: Ty| {
            let mut listed = matches.iter();
            listed.any(|found| found.method == id && is_member(types, call, found.args))
        };
        for call in calls.iter().filter(|call| is_member(types, **call, args)) {
            let shown = || {
                format!(
                    "{} within {}",
                    self.fixture.show(*call),
                    self.fixture.show(args)
                )
            };
            match lookup(types, &stack, *call, world) {
                Lookup::Method(id) => assert!(is_listed(id, *call), "{} is {}", shown(), id.0),
                Lookup::NoMethod => assert!(!covered, "{}", shown()),
                Lookup::Ambiguous(ids) => {
                    let listed = ids.iter().all(|id| is_listed(*id, *call));
                    assert!(ambiguous && listed, "{}", shown());
                }
            }
        }
    }
}

/// What can stand in a tuple: nominal types, unions of them, and small tuples.
fn element(bytes: &mut Bytes<'_>) -> String {
    fn simple(bytes: &mut Bytes<'_>) -> String {
        match bytes.byte() % 5 {
            0 => tuple(bytes, 1, |bytes| {
                (*bytes.pick(&["Int64", "Number", "Any"])).to_owned()
            }),
            _ => (*bytes.pick(&NOMINAL)).to_owned(),
        }
    }
    match bytes.byte() % 4 {
        0 => {
            let members: Vec<String> = (0..2 + bytes.below(2)).map(|_| simple(bytes)).collect();
            format!("Union{{{}}}", members.join(", "))
        }
        _ => simple(bytes),
    }
}

/// A tuple of at most `longest` elements and maybe a tail.
fn tuple(bytes: &mut Bytes<'_>, longest: usize, element: fn(&mut Bytes<'_>) -> String) -> String {
    format!("Tuple{{{}}}", elements(bytes, longest, element))
}

fn elements(
    bytes: &mut Bytes<'_>,
    longest: usize,
    element: fn(&mut Bytes<'_>) -> String,
) -> String {
    let shape = bytes.byte();
    let len = usize::from(shape & 0x3f) % (longest + 1);
    let mut parts: Vec<String> = (0..len).map(|_| element(bytes)).collect();
    if shape & 0xc0 == 0 {
        parts.push(format!("Vararg{{{}}}", element(bytes)));
    }
    parts.join(", ")
}

/// A signature, maybe with variables.
fn signature(bytes: &mut Bytes<'_>) -> String {
    if bytes.byte() & 1 == 0 {
        return elements(bytes, 3, element);
    }
    let params = elements(bytes, 3, |bytes| (*bytes.pick(&OPEN)).to_owned());
    let first = *bytes.pick(&["Any", "Number", "Integer"]);
    let second = *bytes.pick(&["Any", "Number", "Integer", "Array{T}", "T"]);
    format!("{params} where T <: {first}, S <: {second}")
}
