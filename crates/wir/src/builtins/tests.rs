//! Built-in functions: signatures, recipes, protection.

use super::{BuiltinId, Operand, Recipe, builtins, hidden_by, recipe};
use crate::env::{NoTypes, resolve_sig};
use crate::prim::{Prim, PrimError, ScalarValue};
use crate::universe::Universe;
use worldage_dispatch::{Lookup, MethodId, Methods, World, display_sig, lookup};
use worldage_dispatch::{more_specific, sig_disjoint};

fn apply(u: &Universe, name: &str, args: &[ScalarValue]) -> Option<Result<ScalarValue, PrimError>> {
    let all = builtins(u);
    let mut methods = Methods::new();
    for builtin in all.iter().filter(|builtin| builtin.name == name) {
        let id = MethodId(builtin.id.0);
        methods.insert(u.types(), builtin.sig.clone(), id, World(1));
    }
    let tys: Vec<_> = args.iter().map(|x| u.scalar_ty(x.scalar())).collect();
    let found = lookup(u.types(), &[&methods], u.types().tuple(&tys), World(1));
    let Lookup::Method(MethodId(id)) = found else {
        assert_eq!(
            found,
            Lookup::NoMethod,
            "built-in methods are never ambiguous"
        );
        return None;
    };
    Some(match recipe(u, BuiltinId(id), &tys)? {
        Recipe::Identity => Ok(args[0]),
        Recipe::Scalar {
            casts,
            swap,
            op,
            negate,
        } => (|| {
            let mut operands = Vec::new();
            for (arg, cast) in args.iter().zip(casts) {
                operands.push(cast.map_or(Ok(*arg), |cast| cast.eval(&[*arg]))?);
            }
            if swap {
                operands.swap(0, 1);
            }
            let result = op.eval(&operands)?;
            if negate {
                Prim::Not.eval(&[result])
            } else {
                Ok(result)
            }
        })(),
        Recipe::Steps(steps) => (|| {
            let mut results: Vec<ScalarValue> = Vec::new();
            for step in steps {
                let operands = step.operands.iter().map(|operand| match *operand {
                    Operand::Arg(n) => args[n],
                    Operand::Step(n) => results[n],
                    Operand::Const(value) => value,
                });
                let operands: Vec<_> = operands.collect();
                results.push(step.op.eval(&operands)?);
            }
            Ok(results[results.len() - 1])
        })(),
        other => panic!("{name} is not scalar: {other:?}"),
    })
}

#[track_caller]
fn check(name: &str, args: &[ScalarValue], expected: &str) {
    let u = Universe::new();
    let shown = match apply(&u, name, args) {
        None => "no method".to_owned(),
        Some(Ok(value)) => format!("{} {value}", value.scalar()),
        Some(Err(error)) => error.code().to_string(),
    };
    assert_eq!(shown, expected, "{name}{args:?}");
}

use ScalarValue::{Bool, F32, F64, I8, I16, I64, U8, U64};

#[test]
fn mixed_operands_promote_as_in_julia() {
    check("+", &[I64(1), F64(0.5)], "Float64 1.5");
    check("+", &[I64(1), F32(0.5)], "Float32 1.5");
    check("*", &[I8(100), I16(2)], "Int16 200");
    check("+", &[I8(-1), U8(1)], "UInt8 0");
    check("+", &[U64(1), I64(-1)], "UInt64 0");
    check("-", &[U8(1), U8(2)], "UInt8 255");
    check("+", &[U8(1), Bool(true)], "no method");
    check("/", &[I64(1), I64(2)], "Float64 0.5");
    check("/", &[I8(1), F32(2.0)], "Float32 0.5");
    check("min", &[I64(2), F64(1.5)], "Float64 1.5");
    check("min", &[I64(-1), U64(1)], "conversion-error");
    check("min", &[I64(3), U64(7)], "UInt64 3");
}

#[test]
fn division_of_mixed_signs_is_exact() {
    check("div", &[I64(-7), U64(2)], "Int64 -3");
    check("div", &[U64(7), I64(-2)], "UInt64 18446744073709551613");
    check("div", &[I8(-128), U64(1)], "Int64 -128");
    check("rem", &[I64(-7), U8(4)], "Int64 -3");
    check("rem", &[U8(7), I64(-4)], "UInt64 3");
    check("%", &[I64(i64::MIN), U64(3)], "Int64 -2");
    check("div", &[I64(1), U64(0)], "division-error");
    check("div", &[F64(-7.5), F64(2.0)], "Float64 -3.0");
    check("div", &[F64(7.0), I64(0)], "Float64 NaN");
    check("rem", &[F64(-7.5), I64(2)], "Float64 -1.5");
}

#[test]
fn comparisons_of_two_types_are_exact() {
    check(
        "==",
        &[I64(i64::MAX), F64(9_223_372_036_854_775_808.0)],
        "Bool false",
    );
    check(
        "<",
        &[I64(i64::MAX), F64(9_223_372_036_854_775_808.0)],
        "Bool true",
    );
    check(">", &[U64(u64::MAX), I64(-1)], "Bool true");
    check(">=", &[I64(-1), U64(0)], "Bool false");
    check("!=", &[F64(f64::NAN), F64(f64::NAN)], "Bool true");
    check("<=", &[F32(0.1), F64(0.1)], "Bool false");
    check("==", &[Bool(true), Bool(true)], "Bool true");
    check("<", &[Bool(false), Bool(true)], "Bool true");
    check("<", &[Bool(false), I64(1)], "no method");
}

#[test]
fn shifts_powers_conversions() {
    check("<<", &[I64(1), U64(u64::MAX)], "Int64 0");
    check(">>", &[I64(-1), U64(u64::MAX)], "Int64 -1");
    check("<<", &[I64(8), I64(-2)], "Int64 2");
    check(">>", &[U8(128), I8(7)], "UInt8 1");
    check("pow", &[I64(2), I64(10)], "Int64 1024");
    check("pow", &[I8(2), I64(7)], "Int8 -128");
    check("pow", &[I64(2), I64(-1)], "conversion-error");
    check("pow", &[F64(2.0), I64(-1)], "Float64 0.5");
    check("pow", &[I64(2), U64(u64::MAX)], "conversion-error");
    check("Int64", &[F64(3.0)], "Int64 3");
    check("Int64", &[F64(3.5)], "conversion-error");
    check("UInt8", &[I64(-1)], "conversion-error");
    check("Float32", &[F64(0.1)], "Float32 0.1");
    check("Bool", &[I64(2)], "conversion-error");
    check("Int8", &[Bool(true)], "Int8 1");
    check("float", &[I8(3)], "Float64 3.0");
    check("abs", &[U8(200)], "UInt8 200");
    check("abs", &[I64(i64::MIN)], "Int64 -9223372036854775808");
    check("round", &[F64(2.5)], "Float64 2.0");
    check("floor", &[I64(7)], "Int64 7");
    check("sqrt", &[I64(4)], "Float64 2.0");
    check("~", &[Bool(true)], "Bool false");
    check("~", &[U8(1)], "UInt8 254");
}

#[track_caller]
fn check_hidden(text: &str, expected: &str) {
    let u = Universe::new();
    let mut sources = crate::diag::Sources::new();
    let file = sources.add("test.wir", text);
    let parsed = crate::syntax::parse_file(&sources, file);
    let crate::ast::ItemKind::Method(def) = &parsed.file.items[0].kind else {
        panic!("a method")
    };
    let sig = resolve_sig(&u, &NoTypes, def).expect("a signature");
    let all = builtins(&u);
    let hidden = hidden_by(&u, &all, &def.name, &sig);
    let shown = hidden.map_or("free".to_owned(), |b| {
        display_sig(u.types(), b.name, &b.sig)
    });
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn protected_methods_cannot_be_hidden() {
    check_hidden("fn length(s: String) { 0 }", "length(String)");
    check_hidden("fn length(x) { 0 }", "free");
    check_hidden(
        "fn ==(a: Int64, b: Int64) { true }",
        "==(Union{Float32, Float64, Int16, Int32, Int64, Int8, UInt16, UInt32, UInt64, UInt8}, Union{Float32, Float64, Int16, Int32, Int64, Int8, UInt16, UInt32, UInt64, UInt8})",
    );
    check_hidden("fn +(a: Number, b: Number) { a }", "free");
    check_hidden("fn !(a: Int64) { a }", "free");
    check_hidden("fn !(a: Bool) { a }", "!(Bool)");
    check_hidden("fn swap(a: Bool) { a }", "free");
    check_hidden("fn barrier() { 1 }", "barrier()");
    check_hidden("fn print(x) { 1 }", "free");
}

#[test]
fn no_two_builtins_are_ambiguous() {
    let u = Universe::new();
    let all = builtins(&u);
    for a in &all {
        for b in all.iter().filter(|b| b.name == a.name && b.id > a.id) {
            let clear = sig_disjoint(u.types(), &a.sig, &b.sig)
                || more_specific(u.types(), &a.sig, &b.sig)
                || more_specific(u.types(), &b.sig, &a.sig);
            assert!(clear, "{} {:?} {:?}", a.name, a.id, b.id);
        }
    }
}
