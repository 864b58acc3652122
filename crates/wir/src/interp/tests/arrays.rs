//! Arrays and strings.

use super::{program, value, values};
use crate::diag::Sources;
use crate::value::live_bytes;

#[test]
fn arrays_are_zeroed_references() {
    value("array(Int64, 3)", "[0, 0, 0]");
    value("array(Float32, 2)", "[0.0, 0.0]");
    value("array(Bool, 2)", "[false, false]");
    value("array(Nothing, 2)", "[nothing, nothing]");
    value("array(Tuple{Int64, Bool}, 1)", "[(0, false)]");
    value("array(Int64, 0)", "[]");
    value("array(Int64, Int8(2))", "[0, 0]");
    value("array(String, 2)", "[#undef, #undef]");
    value("array(Int64, 1.0)", "type-mismatch");
    value("array(Int64, -1)", "invalid-argument");
    value("array(Nope, 1)", "unknown-type");
    value("length(array(Int64, 5))", "5");
    value("var a = array(Int64, 1)\nvar b = a\nb[0] = 7\na", "[7]");
    values(
        "fn set(a) { a[0] = 9 }",
        "var a = array(Int64, 1)\nset(a)\na[0]",
        "9",
    );
    values(
        "struct P { x: Int64, y: Float64 }",
        "array(P, 2)",
        "[P(0, 0.0), P(0, 0.0)]",
    );
    values(
        "struct P { x: Int64, s: String }",
        "array(P, 1)[0]",
        "undefined-element",
    );
    values(
        "struct P { x: Int64 }",
        "var a = array(P, 2)\na[1] = P(3)\n(a[0], a[1])",
        "(P(0), P(3))",
    );
}

#[test]
fn elements_are_checked() {
    value("array(Int64, 2)[2]", "index-out-of-bounds");
    value("array(Int64, 2)[-1]", "index-out-of-bounds");
    value("array(Int64, 2)[xor(UInt64(0), -1)]", "index-out-of-bounds");
}

#[test]
fn stores_are_checked() {
    value("var a = array(Int64, 2)\na[2] = 1", "index-out-of-bounds");
    value("var a = array(Int64, 2)\na[0] = 1.0", "type-mismatch");
    value("var a = array(Int64, 2)\na[0] = Int8(1)", "type-mismatch");
    value("var a = array(Int64, 2)\na[0.0] = 1", "type-mismatch");
    value("var a = array(Int64, 2)\na[true] = 1", "type-mismatch");
    value("var a = array(Int64, 2)\na[UInt8(1)] = 1\na", "[0, 1]");
    value(
        "var a = array(Any, 2)\na[0] = 1\na[1] = \"x\"\na",
        "[1, \"x\"]",
    );
    value(
        "var a = array(Union{Int64, Nothing}, 1)\na[0] = nothing\na[0]",
        "nothing",
    );
    value(
        "var a = array(Union{Int64, Nothing}, 1)\na[0]",
        "undefined-element",
    );
    value(
        "var a = array(Union{Int64, Nothing}, 1)\na[0] = 1.0",
        "type-mismatch",
    );
    value("var a = array(String, 1)\na[0]", "undefined-element");
    value("var a = array(String, 1)\na[0] = \"s\"\na[0]", "\"s\"");
    value("1[0]", "type-mismatch");
    value("\"abc\"[0]", "type-mismatch");
    value("var x = 1\nx[0] = 1", "type-mismatch");
    value("var a = array(Any, 1)\na[0] = a\na", "[[…]]");
}

#[test]
fn nested_arrays_and_memory() {
    value(
        "var a = array(Array{Int64}, 1)\na[0] = array(Int64, 2)\na[0][1] = 5\na",
        "[[0, 5]]",
    );
    value("array(Int64, 100000000000)", "out-of-memory");
    value("array(Int64, 9223372036854775807)", "out-of-memory");
    // Temporary arrays are reclaimed: 100 MB in all, 64 MB allowed.
    value(
        "var i = 0\nwhile i < 100000 { array(Int8, 1000)\ni = i + 1 }\ni",
        "100000",
    );
    values(
        "struct N { next: Union{N, Nothing}, pad: Array{Float64} }",
        "var n = N(nothing, array(Float64, 0))\nwhile true { n = N(n, array(Float64, 1000)) }",
        "out-of-memory",
    );
}

#[test]
fn long_chains_are_dropped() {
    values(
        "struct N { next: Union{N, Nothing} }",
        "var n = N(nothing)\nfor i in 0..200000 { n = N(n) }\n1",
        "1",
    );
    values(
        "",
        "var a = array(Any, 1)\nfor i in 0..100000 { var b = array(Any, 1)\nb[0] = a\na = b }\n1",
        "1",
    );
}

#[test]
fn strings() {
    value("\"a\\tb\\u{e9}\\\"\\\\\"", "\"a\\tbé\\\"\\\\\"");
    value("length(\"abc\")", "3");
    value("length(\"é\")", "2");
    value("\"\\u{1}\"", "\"\\u{1}\"");
}

#[test]
fn kernels_as_lone_work_items() {
    value(
        "(global_id(0), global_size(1), local_id(0), local_size(0), group_id(2), num_groups(0))",
        "(0, 1, 0, 1, 0, 1)",
    );
    value("barrier()", "nothing");
    value("shared(Int64, 2)", "[0, 0]");
    value(
        "var a = array(Int64, 1)\n(atomic_add(a, 0, 5), atomic_add(a, 0, 2), a[0])",
        "(0, 5, 7)",
    );
    value(
        "var a = array(Float32, 1)\natomic_max(a, 0, Float32(2))\natomic_min(a, 0, Float32(1))\na",
        "[1.0]",
    );
    value(
        "var a = array(Int64, 1)\n(atomic_cas(a, 0, 1, 9), atomic_cas(a, 0, 0, 8), a[0])",
        "(0, 0, 8)",
    );
    value(
        "var a = array(Int64, 1)\natomic_add(a, 1, 1)",
        "index-out-of-bounds",
    );
    value(
        "var a = array(Int64, 1)\natomic_add(a, 0, 1.0)",
        "no-matching-method",
    );
    value(
        "var a = array(String, 1)\natomic_add(a, 0, \"\")",
        "no-matching-method",
    );
}

#[test]
fn cycles_are_reclaimed_when_the_call_returns() {
    let mut sources = Sources::new();
    let text = "struct P { a: Array{Any} }
        fn ring(keep) {
            var a = array(Any, 1000)
            var b = array(Any, 2)
            a[0] = P(b)
            b[0] = (a, 1)
            b[1] = 7
            if keep { b } else { nothing }
        }";
    let program = program(&mut sources, text);
    let before = live_bytes();
    for keep in [false, true] {
        let call = format!("ring({keep})");
        let expr = crate::syntax::parse_call(&call).expect("parses");
        let result = program.eval(None, &expr, &mut |_| {}).expect("runs");
        assert_eq!(live_bytes() > before, keep, "what is returned is kept");
        let shown = result.show(program.universe()).to_string();
        assert_eq!(shown.ends_with("7]"), keep, "{shown}");
    }
}
