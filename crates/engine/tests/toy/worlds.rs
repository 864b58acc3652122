//! Edits and worlds: a batch is one, and an older one reuses what holds there.

use crate::script::check;
use expect_test::expect;

#[test]
fn old_worlds_reuse_what_holds_there() {
    check(
        "
        g = type:A body:1
        f = call:g
        f()
        g = type:A body:2
        g = type:B body:3
        f()
        f()@2
        f()@3
        f()@3
        f()@4
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
            > g = type:A body:2
            world 3
            > g = type:B body:3
            world 4
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (B) call 1
            > f()@2
            => T (A) call 1
            > f()@3
            infer    g()
            codegen  g()
            link     f() g()
            => T (A) call 1
            > f()@3
            => T (A) call 1
            > f()@4
            => T (B) call 1
        "#]],
    );
}

#[test]
fn a_batch_is_one_world() {
    check(
        "
        a,b = call:b, type:A
        a()
        a,b = call:b, type:B
        a()
        ",
        expect![[r#"
            > a,b = call:b, type:A
            world 1
            > a()
            infer    a() b()
            codegen  a() b()
            link     a() b()
            => T (A) call 1
            > a,b = call:b, type:B
            world 2
            > a()
            infer    a() b()
            codegen  a() b()
            link     a() b()
            => T (B) call 1
        "#]],
    );
}
