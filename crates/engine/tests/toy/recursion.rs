//! Cycles are solved from bottom as a whole, also when an edit closes or breaks them; chains of any
//! depth are.

use crate::script::{check, run};
use expect_test::expect;

#[test]
fn recursion_restarts_from_bottom() {
    check(
        "
        a = same:b type:X
        b = same:a
        c = call:a
        c()
        a = same:b type:Y
        c()
        b = same:a body:2
        c()
        ",
        expect![[r#"
            > a = same:b type:X
            world 1
            > b = same:a
            world 2
            > c = call:a
            world 3
            > c()
            infer    a() b() c()
            codegen  a() b() c()
            link     a() b() c()
            => T (X) call 1
            > a = same:b type:Y
            world 4
            > c()
            infer    a() b() c()
            codegen  a() b() c()
            link     a() b() c()
            => T (Y) call 1
            > b = same:a body:2
            world 5
            > c()
            infer    a() b()
            codegen  b()
            link     a() b() c()
            => T (Y) call 1
        "#]],
    );
}

#[test]
fn a_new_edge_can_close_a_cycle() {
    check(
        "
        f = type:A
        g = same:f
        h = call:g call:f
        h()
        f = same:g type:A body:1
        h()
        f = same:g type:C
        h()
        ",
        expect![[r#"
            > f = type:A
            world 1
            > g = same:f
            world 2
            > h = call:g call:f
            world 3
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (A)(A) call 1 call 2
            > f = same:g type:A body:1
            world 4
            > h()
            infer    f() g()
            codegen  f()
            link     f() g() h()
            => T (A)(A) call 1 call 2
            > f = same:g type:C
            world 5
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (C)(C) call 1 call 2
        "#]],
    );
}

#[test]
fn what_a_cycle_that_falls_apart_leaves_behind_is_looked_at() {
    check(
        "
        f = same:g type:A
        g = same:f
        h = call:g
        h()
        f = type:A body:1
        h()
        f = type:A body:2
        h()
        f = type:B
        h()
        ",
        expect![[r#"
            > f = same:g type:A
            world 1
            > g = same:f
            world 2
            > h = call:g
            world 3
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (A) call 1
            > f = type:A body:1
            world 4
            > h()
            infer    f()
            codegen  f()
            link     f() g() h()
            => T (A) call 1
            > f = type:A body:2
            world 5
            > h()
            infer    f()
            codegen  f()
            link     f() g() h()
            => T (A) call 1
            > f = type:B
            world 6
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (B) call 1
        "#]],
    );
}

#[test]
fn deep_chains_need_no_deep_stack() {
    // Deeper than what is nested, also where miri interprets it.
    let last = if cfg!(miri) { 120 } else { 2999 };
    let call = |ix| format!("f{ix} = same:f{}\n", ix - 1);
    let chain: String = (1..=last).map(call).collect();
    let calls = format!("f{last}()\nf0 = type:B\nf{last}()\n");
    let out = run(&format!("f0 = type:A\n{chain}{calls}"));
    let tail: Vec<_> = out.lines().rev().take(2).collect();
    assert!(tail[0].starts_with("=> B "), "{}", tail[0]);
    assert_eq!(tail[1].split_whitespace().count(), last + 2);
}
