//! Values on their own: types, zeros, sharing, counting, dropping.

use super::{ArrayRef, Elems, Value, live_bytes};
use crate::prim::ScalarValue;
use crate::universe::Universe;
use worldage_dispatch::Ty;

#[track_caller]
fn check(u: &Universe, value: &Value, ty: &str, shown: &str) {
    assert_eq!(u.types().display(value.ty(u)).to_string(), ty);
    assert_eq!(value.show(u).to_string(), shown);
}

#[test]
fn types_and_text() {
    let u = Universe::new();
    check(&u, &Value::Nothing, "Nothing", "nothing");
    check(&u, &Value::int(-3), "Int64", "-3");
    check(&u, &Value::float(1e21), "Float64", "1e21");
    check(&u, &Value::str("a\"b"), "String", r#""a\"b""#);
    check(
        &u,
        &Value::Function(u.types().symbol("f")),
        "typeof(f)",
        "f",
    );
    let pair = Value::tuple(&u, vec![Value::int(1), Value::bool(true)]);
    check(&u, &pair, "Tuple{Int64, Bool}", "(1, true)");
    assert_eq!(Value::str("a\"b").print(&u).to_string(), "a\"b");
}

#[test]
fn arrays_are_shared() {
    let u = Universe::new();
    let int = u.prelude().int64;
    let ty = u.array_ty(int).expect("a type");
    let a = ArrayRef::zeroed(&u, ty, int, 2).expect("memory");
    let b = a.clone();
    b.elems().set(1, Value::int(5));
    check(&u, &Value::Array(a.clone()), "Array{Int64}", "[0, 5]");
    assert!(a.is(&b));
    a.elems().set(0, Value::float(1.0));
    check(&u, &Value::Array(a), "Array{Int64}", "[0, 5]");
}

#[test]
fn bytes_are_counted_while_values_live() {
    let u = Universe::new();
    let before = live_bytes();
    let any = u.array_ty(Ty::ANY).expect("a type");
    let element = Value::tuple(&u, vec![Value::int(1), Value::int(2)]);
    let array = ArrayRef::new(any, Ty::ANY, Elems::Values(vec![Some(element), None]));
    assert!(live_bytes() > before + 64);
    drop(array);
    assert_eq!(live_bytes(), before);
}

#[test]
fn deep_values_are_dropped_and_printed_without_recursion() {
    // What miri interprets is the same code on a shorter chain.
    const DEPTH: usize = if cfg!(miri) { 1_000 } else { 300_000 };
    let u = Universe::new();
    let mut value = Value::int(0);
    // One type for all: the depth is the value's alone.
    let ty = u.types().tuple(&[Ty::ANY]);
    for _ in 0..DEPTH {
        value = Value::Tuple(super::Record::new(ty, vec![value]));
    }
    let shared = value.clone();
    assert_eq!(value.show(&u).to_string().len(), DEPTH * 3 + 1);
    drop(value);
    drop(shared);
}

#[test]
fn zeros() {
    let u = Universe::new();
    let zero = |ty| Value::zero(&u, ty).map(|value| value.show(&u).to_string());
    let types = u.types();
    assert_eq!(zero(u.prelude().float64).as_deref(), Some("0.0"));
    assert_eq!(
        zero(types.tuple(&[u.prelude().bool])).as_deref(),
        Some("(false,)")
    );
    assert_eq!(zero(u.prelude().string), None);
    assert_eq!(zero(types.tuple(&[u.prelude().string])), None);
    assert_eq!(zero(Ty::ANY), None);
    assert_eq!(zero(u.function_ty(types.symbol("g"))).as_deref(), Some("g"));
    assert_eq!(Value::from(ScalarValue::U8(3)).as_int(), Some(3));
    assert_eq!(Value::bool(true).as_int(), None);
}
