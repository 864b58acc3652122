//! `(a + b) * c - d` over ten million rows, and a filter with three operators, beside arrow's own
//! kernels on the same arrays. `cargo bench -p worldage-query`.
#![expect(missing_docs, reason = "criterion's macros make items without")]

use arrow_arith::numeric::{add_wrapping, mul_wrapping, sub_wrapping};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_ord::cmp::gt;
use arrow_select::filter::filter;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use worldage_query::Session;

const ROWS: usize = 10_000_000;

/// Columns a, b, c and d of numbers that follow from their rows.
fn table() -> RecordBatch {
    let column = |factor: u64| -> ArrayRef {
        let value = |row: u64| (row.wrapping_mul(factor) % 10_007) as f64 / 16.0;
        Arc::new(Float64Array::from_iter_values((0..ROWS as u64).map(value)))
    };
    let columns = [
        ("a", 7919),
        ("b", 104_729),
        ("c", 1_299_709),
        ("d", 15_485_863),
    ];
    let columns = columns.map(|(name, factor)| (name, column(factor)));
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn bench(criterion: &mut Criterion) {
    let table = table();
    let session = Session::new().expect("a machine that code can be made for");
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| table.column_by_name(name).expect("made"));

    let mut group = criterion.benchmark_group("(a + b) * c - d");
    let query = session.query("select (a + b) * c - d").expect("a query");
    let arrow = || {
        let sum = add_wrapping(a, b).expect("numbers");
        let product = mul_wrapping(&sum, c).expect("numbers");
        sub_wrapping(&product, d).expect("numbers")
    };
    assert_eq!(&query.run(&table).expect("it compiles"), &arrow());
    group.sample_size(20);
    group.bench_function("worldage", |b| b.iter(|| query.run(black_box(&table))));
    group.bench_function("arrow", |b| b.iter(|| black_box(arrow())));
    group.finish();

    let mut group = criterion.benchmark_group("a * b where c > d");
    let query = session.query("select a * b where c > d").expect("a query");
    let arrow = || {
        let selected = gt(c, d).expect("numbers");
        let (a, b) = (
            filter(a, &selected).expect("one length"),
            filter(b, &selected),
        );
        mul_wrapping(&a, &b.expect("one length")).expect("numbers")
    };
    assert_eq!(query.run(&table).expect("it compiles").len(), arrow().len());
    assert_eq!(&query.run(&table).expect("it compiles"), &arrow());
    group.sample_size(20);
    group.bench_function("worldage", |b| b.iter(|| query.run(black_box(&table))));
    group.bench_function("arrow", |b| b.iter(|| black_box(arrow())));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
