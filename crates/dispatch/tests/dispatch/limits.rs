//! Big and deep inputs: an answer or a clear error, in bounded time.

use expect_test::expect;

use crate::fixture::{Fixture, NOW};
use worldage_dispatch::*;

fn leaves(types: &Types, count: usize) -> Vec<Ty> {
    let leaf = |ix| Decl::leaf(types.symbol(&format!("L{ix}")), DeclKind::Concrete, Ty::ANY);
    (0..count)
        .map(|ix| types.leaf(types.declare(leaf(ix)).unwrap()))
        .collect()
}

#[test]
fn deep_types_end_in_an_error() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let TyKind::Nominal { decl: array, .. } = *types.kind(fixture.ty("Array{Any}")) else {
        panic!("nominal")
    };
    let mut ty = fixture.ty("Int64");
    let mut depth = 1;
    let error = loop {
        match types.nominal(array, &[Arg::Ty(ty)]) {
            Ok(deeper) => (ty, depth) = (deeper, depth + 1),
            Err(error) => break error,
        }
    };
    expect!["the type nests 257 deep, the limit is 256: name a part of it as a struct"]
        .assert_eq(&error.to_string());
    assert_eq!(
        (depth, types.depth(ty)),
        (MAX_DEPTH as u32, MAX_DEPTH as u32)
    );
    let mut tuple = types.tuple(&[]);
    for _ in 0..100_000 {
        tuple = types.tuple(&[tuple]);
    }
    assert!(
        types.depth(tuple) <= MAX_DEPTH as u32,
        "a tuple widens to Any"
    );
}

#[test]
fn deep_types_are_compared_and_matched() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let TyKind::Nominal { decl: array, .. } = *types.kind(fixture.ty("Array{Any}")) else {
        panic!("nominal")
    };
    let nest = |inner| {
        (0..MAX_DEPTH - 4).fold(inner, |ty, _| types.nominal(array, &[Arg::Ty(ty)]).unwrap())
    };
    let (int, string, open) = (
        nest(fixture.ty("Int64")),
        nest(fixture.ty("String")),
        nest(types.var(0)),
    );
    assert!(!types.subtype(int, string) && !types.overlaps(int, string));
    let vars = vec![TypeVar {
        name: types.symbol("T"),
        upper: fixture.ty("Number"),
    }];
    let sig = Sig::new(types, &[open, types.var(0)], None, vars).unwrap();
    let call = |a| types.tuple(&[a, fixture.ty("Int64")]);
    assert!(sig_matches(types, call(int), &sig) && !sig_matches(types, call(string), &sig));
    assert!(
        sig_subtype(types, &sig, &sig.clone())
            && !sig_disjoint(types, &sig, &Sig::of_args(call(int)))
    );
}

#[test]
fn types_that_double_end_in_an_error() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let TyKind::Nominal { decl: pair, .. } = *types.kind(fixture.ty("Pair{Any, Any}")) else {
        panic!("nominal")
    };
    let mut ty = fixture.ty("Int64");
    let error = loop {
        match types.nominal(pair, &[Arg::Ty(ty), Arg::Ty(ty)]) {
            Ok(bigger) => ty = bigger,
            Err(error) => break error,
        }
    };
    expect!["the type has 262143 parts, the limit is 131072: name a part of it as a struct"]
        .assert_eq(&error.to_string());
}

#[test]
fn long_chains_of_supertypes_end_in_an_error() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let mut parent = Ty::ANY;
    let error = loop {
        match types.declare(Decl::leaf(types.symbol("A"), DeclKind::Abstract, parent)) {
            Ok(decl) => parent = types.leaf(decl),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error,
        TypeError::TooDeep {
            depth: MAX_DEPTH + 1,
            limit: MAX_DEPTH
        }
    );
}

#[test]
fn large_unions() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let all = leaves(types, 10_000);
    let (most, rest) = all.split_at(9_999);
    let (union, whole) = (types.union(most), types.union(&all));
    assert!(types.subtype(union, whole) && !types.subtype(whole, union));
    assert_eq!(types.intersect(union, whole), union);
    assert!(types.overlaps(union, all[0]) && !types.overlaps(union, rest[0]));
    // One tuple against ten thousand.
    let tuples: Vec<Ty> = all.iter().map(|ty| types.tuple(&[*ty])).collect();
    let split = types.union(&tuples);
    assert!(types.subtype(types.tuple(&[whole]), split));
    let some = types.union(&tuples[..9_999]);
    assert!(
        !types.subtype(types.tuple(&[whole]), some) && types.subtype(types.tuple(&[union]), some)
    );
}

#[test]
fn questions_that_branch_without_end_are_answered_no() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let either = fixture.ty("Union{Int64, String}");
    let elems = vec![either; 64];
    // One member short of covering all 2^64 tuples.
    let rows: Vec<Ty> = (0..64)
        .flat_map(|column| ["Int64", "String"].map(|ty| (column, ty)))
        .skip(1)
        .map(|(column, ty)| {
            let mut row = vec![Ty::ANY; 64];
            row[column] = fixture.ty(ty);
            row[(column + 1) % 64] = fixture.ty(ty);
            types.tuple(&row)
        })
        .collect();
    assert!(!types.subtype(types.tuple(&elems), types.union(&rows)));
}

#[test]
fn long_signatures() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let (int, number) = (fixture.ty("Int64"), fixture.ty("Number"));
    let vars = vec![TypeVar {
        name: types.symbol("T"),
        upper: number,
    }];
    let maybe = types.union(&[types.var(0), fixture.ty("Nothing")]);
    let sigs = [
        Sig::closed(types, &[number; 1000]),
        Sig::new(types, &[types.var(0); 1000], None, vars.clone()).unwrap(),
        Sig::new(types, &[maybe; 1000], None, vars).unwrap(),
        Sig::new(types, &[], Some(Ty::ANY), vec![]).unwrap(),
    ];
    let mut methods = Methods::new();
    for (ix, sig) in (0..).zip(&sigs) {
        methods.insert(types, sig.clone(), MethodId(ix), World(1));
    }
    assert_eq!(
        lookup(types, &[&methods], types.tuple(&[int; 1000]), NOW),
        Lookup::Method(MethodId(1))
    );
    let too_long = vec![int; MAX_PARAMS + 1];
    let error = Sig::new(types, &too_long, None, vec![]).unwrap_err();
    assert_eq!(
        error,
        TypeError::TooLarge {
            size: MAX_PARAMS + 1,
            limit: MAX_PARAMS
        }
    );
    assert_eq!(
        lookup(types, &[&methods], types.tuple(&too_long), NOW),
        Lookup::NoMethod
    );
}

#[test]
fn many_methods() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let all = leaves(types, 10_000);
    let mut methods = Methods::new();
    let mut calls = CallIndex::new();
    for (ix, ty) in (0..).zip(&all) {
        methods.insert(
            types,
            Sig::closed(types, &[*ty, Ty::ANY]),
            MethodId(ix),
            World(1),
        );
        calls.insert(types, types.tuple(&[*ty, all[0]]), ix);
    }
    methods.insert(
        types,
        Sig::closed(types, &[Ty::ANY, all[7]]),
        MethodId(10_000),
        World(2),
    );
    let call = |a: usize, b: usize| lookup(types, &[&methods], types.tuple(&[all[a], all[b]]), NOW);
    assert_eq!(call(9_999, 8), Lookup::Method(MethodId(9_999)));
    assert_eq!(
        call(9_999, 7),
        Lookup::Ambiguous([MethodId(9_999), MethodId(10_000)].into())
    );
    let any = types.tuple(&[Ty::ANY, Ty::ANY]);
    assert_eq!(find_all(types, &[&methods], any, 4, NOW), Matches::TooMany);
    assert_eq!(
        calls.affected(types, &Sig::closed(types, &[all[5], all[0]])),
        [5]
    );
    assert_eq!(
        calls.affected(types, &Sig::closed(types, &[Ty::ANY, all[1]])),
        []
    );
}
