//! Queries over small tables: values, nulls, dispatch on columns' types, and which stages an edit
//! of a user's function makes run.

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use expect_test::{Expect, expect};
use std::fmt::Write;
use std::sync::Arc;
use worldage_query::Session;

fn table() -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("count", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        (
            "price",
            Arc::new(Float64Array::from(vec![
                Some(0.5),
                None,
                Some(1.5),
                Some(-2.0),
            ])),
        ),
        (
            "stocked",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(true),
                None,
                Some(false),
            ])),
        ),
        (
            "name",
            Arc::new(StringArray::from(vec!["a", "b", "c", "d"])),
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// A line of a script is a definition, a query, or a comment; gives what each of them did.
#[track_caller]
fn check(script: &str, expected: Expect) {
    let session = Session::new().expect("a machine that code can be made for");
    let (table, mut queries, mut out) = (table(), Vec::new(), String::new());
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let _ = writeln!(out, "> {line}");
        if line.starts_with("fn") {
            if let Err(error) = session.define(&[line]) {
                let _ = writeln!(out, "error: {error}");
            }
            continue;
        }
        let known = queries.iter().position(|(text, _)| *text == line);
        let at = known.unwrap_or(queries.len());
        if known.is_none() {
            match session.query(line) {
                Ok(query) => queries.push((line, query)),
                Err(error) => {
                    let _ = writeln!(out, "error: {error}");
                    continue;
                }
            }
        }
        let result = queries[at].1.run(&table);
        for (stage, name) in session.take_stages() {
            let _ = writeln!(out, "{stage:<8} {name}");
        }
        let _ = match result {
            Ok(array) => {
                let shown = format!("{array:?}").replace('\n', " ");
                writeln!(
                    out,
                    "{}",
                    shown.split_whitespace().collect::<Vec<_>>().join(" ")
                )
            }
            Err(error) => writeln!(out, "error: {error}"),
        };
    }
    expected.assert_eq(&out);
}

#[test]
fn values_and_nulls() {
    check(
        "
        select count + 1
        select count * price
        select count / 2
        select -price - 1 where count > 1
        select count where price > 0 or count == 4
        select price where stocked
        select price where not stocked and count < 10
        select stocked == (count >= 2)
        select 7 where false
        ",
        expect![[r#"
            > select count + 1
            infer    query 1(Int64)
            codegen  query 1(Int64)
            link     query 1(Int64)
            PrimitiveArray<Int64> [ 2, 3, 4, 5, ]
            > select count * price
            infer    query 2(Int64, Float64)
            codegen  query 2(Int64, Float64)
            link     query 2(Int64, Float64)
            PrimitiveArray<Float64> [ 0.5, null, 4.5, -8.0, ]
            > select count / 2
            infer    query 3(Int64)
            codegen  query 3(Int64)
            link     query 3(Int64)
            PrimitiveArray<Float64> [ 0.5, 1.0, 1.5, 2.0, ]
            > select -price - 1 where count > 1
            infer    query 4(Float64, Int64)
            codegen  query 4(Float64, Int64)
            link     query 4(Float64, Int64)
            PrimitiveArray<Float64> [ null, -2.5, 1.0, ]
            > select count where price > 0 or count == 4
            infer    query 5(Int64, Float64)
            codegen  query 5(Int64, Float64)
            link     query 5(Int64, Float64)
            PrimitiveArray<Int64> [ 1, 3, 4, ]
            > select price where stocked
            infer    query 6(Float64, Bool)
            codegen  query 6(Float64, Bool)
            link     query 6(Float64, Bool)
            PrimitiveArray<Float64> [ 0.5, null, ]
            > select price where not stocked and count < 10
            infer    query 7(Float64, Bool, Int64)
            codegen  query 7(Float64, Bool, Int64)
            link     query 7(Float64, Bool, Int64)
            PrimitiveArray<Float64> [ -2.0, ]
            > select stocked == (count >= 2)
            infer    query 8(Bool, Int64)
            codegen  query 8(Bool, Int64)
            link     query 8(Bool, Int64)
            BooleanArray [ false, true, null, false, ]
            > select 7 where false
            infer    query 9()
            codegen  query 9()
            link     query 9()
            PrimitiveArray<Int64> [ ]
        "#]],
    );
}

#[test]
fn functions_are_methods_and_queries_follow_their_edits() {
    check(
        "
        fn twice(x: Int64) = x * 2
        fn twice(x: Float64) = x * 4
        fn other(x) = x + 1
        select twice(count)
        select twice(price)
        select other(count)
        select twice(other(count)) + other(price)
        fn twice(x: Int64) = x * 3
        select twice(count)
        select twice(price)
        select other(count)
        select twice(other(count)) + other(price)
        fn twice(x: Int64) = x * 3.5
        select twice(count)
        select other(count)
        ",
        expect![[r#"
            > fn twice(x: Int64) = x * 2
            > fn twice(x: Float64) = x * 4
            > fn other(x) = x + 1
            > select twice(count)
            infer    query 1(Int64)
            infer    twice(Int64)
            codegen  query 1(Int64)
            link     query 1(Int64)
            PrimitiveArray<Int64> [ 2, 4, 6, 8, ]
            > select twice(price)
            infer    query 2(Float64)
            infer    twice(Float64)
            codegen  query 2(Float64)
            link     query 2(Float64)
            PrimitiveArray<Float64> [ 2.0, null, 6.0, -8.0, ]
            > select other(count)
            infer    other(Int64)
            infer    query 3(Int64)
            codegen  query 3(Int64)
            link     query 3(Int64)
            PrimitiveArray<Int64> [ 2, 3, 4, 5, ]
            > select twice(other(count)) + other(price)
            infer    other(Float64)
            infer    query 4(Int64, Float64)
            codegen  query 4(Int64, Float64)
            link     query 4(Int64, Float64)
            PrimitiveArray<Float64> [ 5.5, null, 10.5, 9.0, ]
            > fn twice(x: Int64) = x * 3
            > select twice(count)
            infer    twice(Int64)
            codegen  query 1(Int64)
            link     query 1(Int64)
            PrimitiveArray<Int64> [ 3, 6, 9, 12, ]
            > select twice(price)
            PrimitiveArray<Float64> [ 2.0, null, 6.0, -8.0, ]
            > select other(count)
            PrimitiveArray<Int64> [ 2, 3, 4, 5, ]
            > select twice(other(count)) + other(price)
            codegen  query 4(Int64, Float64)
            link     query 4(Int64, Float64)
            PrimitiveArray<Float64> [ 7.5, null, 14.5, 14.0, ]
            > fn twice(x: Int64) = x * 3.5
            > select twice(count)
            infer    query 1(Int64)
            infer    twice(Int64)
            codegen  query 1(Int64)
            link     query 1(Int64)
            PrimitiveArray<Float64> [ 3.5, 7.0, 10.5, 14.0, ]
            > select other(count)
            PrimitiveArray<Int64> [ 2, 3, 4, 5, ]
        "#]],
    );
}

#[test]
fn mistakes_are_errors() {
    check(
        "
        select
        select count +
        select missing
        select name
        select unknown(count)
        select stocked + 1
        select count where count
        select not count
        select 99999999999999999999
        fn f(x) = y
        fn f(x: Text) = x
        fn g(x) = g(x)
        select g(count)
        select count )
        ",
        expect![[r#"
            > select
            error: column 7: expected a name
            > select count +
            error: column 15: expected a name
            > select missing
            error: the table has no column missing
            > select name
            error: column name is Utf8: only Int64, Float64 and Boolean are read
            > select unknown(count)
            infer    query 3(Int64)
            error: infer of query 3(Int64) failed: no method takes unknown(Int64)
            > select stocked + 1
            infer    query 4(Bool)
            error: infer of query 4(Bool) failed: Add does not take Bool and Int64
            > select count where count
            infer    query 5(Int64)
            error: infer of query 5(Int64) failed: `where` takes a Bool, not Int64
            > select not count
            infer    query 6(Int64)
            error: infer of query 6(Int64) failed: `not` takes a Bool, not Int64
            > select 99999999999999999999
            error: column 8: `99999999999999999999` is no number
            > fn f(x) = y
            error: column 11: `y` is no parameter
            > fn f(x: Text) = x
            error: Text is no type: Int64, Float64 and Bool are
            > fn g(x) = g(x)
            > select g(count)
            infer    g(Int64)
            infer    query 7(Int64)
            error: infer of query 7(Int64) failed: g(Int64) calls itself: it cannot be inlined
            > select count )
            error: column 14: expected the end
        "#]],
    );
}

#[test]
fn deep_texts_are_refused() {
    let session = Session::new().expect("a machine that code can be made for");
    for text in [
        format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("select {}1", "-".repeat(100_000)),
        format!("select 1{}", " + 1".repeat(100_000)),
        format!("select {} true", "not ".repeat(100_000)),
    ] {
        let error = session.query(&text).err().expect("too deep").to_string();
        assert!(error.contains("deeper than 64"), "{error}");
    }
}

#[test]
fn one_query_on_two_schemas_is_two_instances() {
    let session = Session::new().expect("a machine that code can be made for");
    let query = session.query("select x + x").expect("a query");
    let table = |column: ArrayRef| RecordBatch::try_from_iter([("x", column)]).expect("a table");
    let ints = table(Arc::new(Int64Array::from(vec![1, i64::MAX])));
    let floats = table(Arc::new(Float64Array::from(vec![1.5, f64::INFINITY])));
    for _ in 0..2 {
        let sums = query.run(&ints).expect("it compiles");
        assert_eq!(
            sums.as_ref(),
            &Int64Array::from(vec![2, -2]) as &dyn arrow_array::Array
        );
        let sums = query.run(&floats).expect("it compiles");
        let expected = Float64Array::from(vec![3.0, f64::INFINITY]);
        assert_eq!(sums.as_ref(), &expected as &dyn arrow_array::Array);
    }
    let stages = session.take_stages();
    let names: Vec<&str> = stages.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names.len(), 6, "{stages:?}");
}
