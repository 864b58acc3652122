//! What a caller reads of a callee, and of the world outside, decides what an edit runs.

use crate::script::check;
use expect_test::expect;

#[test]
fn an_equal_summary_stops_at_the_callee() {
    check(
        "
        g = type:A body:1
        f = call:g
        f()
        f()
        g = type:A body:2
        valid
        f()
        f()@2
        explain f
        g = type:B body:2
        f()
        explain f
        ",
        expect![[r#"
            > g = type:A body:1
            world 1
            > f = call:g
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
            > f()
            => T (A) call 1
            > g = type:A body:2
            world 3
            > valid

            > f()
            infer    g()
            codegen  g()
            link     f() g()
            => T (A) call 1
            > f()@2
            => T (A) call 1
            > explain f
              infer    reused 
              codegen  reused 
              link     ran code g() / source g()  replaced in world 3
            > g = type:B body:2
            world 4
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (B) call 1
            > explain f
              infer    ran summary g() / source g()  replaced in world 4
              codegen  ran inferred f()
              link     ran code f()
        "#]],
    );
}

#[test]
fn an_unused_result_reads_only_whether_it_returns() {
    check(
        "
        g = type:A
        f = ignore:g
        f()
        g = type:B
        f()
        g = type:bottom
        f()
        ",
        expect![[r#"
            > g = type:A
            world 1
            > f = ignore:g
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T  call 1
            > g = type:B
            world 3
            > f()
            infer    g()
            codegen  g()
            link     f() g()
            => T  call 1
            > g = type:bottom
            world 4
            > f()
            infer    f() g()
            codegen  g()
            link     f() g()
            => T  call 1
        "#]],
    );
}

#[test]
fn an_inlined_body_is_an_edge_of_codegen() {
    check(
        "
        g = body:1
        f = inline:g
        top = call:f
        top()
        g = body:2
        top()
        g = body:3
        g = body:2
        valid
        top()
        top()@6
        ",
        expect![[r#"
            > g = body:1
            world 1
            > f = inline:g
            world 2
            > top = call:f
            world 3
            > top()
            infer    f() g() top()
            codegen  f() top()
            link     f() top()
            => T (T) call 1
            > g = body:2
            world 4
            > top()
            infer    g()
            codegen  f()
            link     f() top()
            => T (T) call 1
            > g = body:3
            world 5
            > g = body:2
            world 6
            > valid
            f() top()
            > top()
            => T (T) call 1
            > top()@6
            => T (T) call 1
        "#]],
    );
}

#[test]
fn a_missing_method_heals() {
    check(
        "
        f = call:g
        f()
        g = type:A
        f()
        delete g
        valid
        f()
        g = type:A
        f()
        delete nothing
        ",
        expect![[r#"
            > f = call:g
            world 1
            > f()
            infer    f()
            error: infer of f() failed: g: NoMethod
            > g = type:A
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
            > delete g
            world 3
            > valid

            > f()
            infer    f()
            error: infer of f() failed: g: NoMethod
            > g = type:A
            world 4
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T (A) call 1
            > delete nothing
            error: no-such-method: nothing() in base in world 4: define it first, or name its table
        "#]],
    );
}

#[test]
fn externals_are_edges() {
    check(
        "
        f = read:K
        f()
        set K 1
        f()
        set K 1
        f()
        set J 1
        f()
        ",
        expect![[r#"
            > f = read:K
            world 1
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T [None]
            > set K 1
            world 2
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T [Some([49])]
            > set K 1
            world 3
            > f()
            => T [Some([49])]
            > set J 1
            world 4
            > f()
            => T [Some([49])]
        "#]],
    );
}
