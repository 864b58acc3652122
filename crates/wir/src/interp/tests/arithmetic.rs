//! Numbers: literals, conversions, operators, mathematics.

use super::value;

#[test]
fn literals() {
    value("1_000", "1000");
    value("0xff", "255");
    value("1e-9", "1e-9");
    value("1e3", "1000.0");
    value("-9223372036854775808", "-9223372036854775808");
    value("9223372036854775807", "9223372036854775807");
    value("0.1 + 0.2", "0.30000000000000004");
    value("1e300 * 1e10", "Inf");
    value("-1e300 * 1e10", "-Inf");
    value("0.0 / 0.0", "NaN");
    value("1e16", "1e16");
    value("-0.0", "-0.0");
    value("Float32(0.1)", "0.1");
}

#[test]
fn operators() {
    value("7 / 2", "3.5");
    value("div(7, 2)", "3");
    value("div(-7, 2)", "-3");
    value("rem(-7, 2)", "-1");
    value("-7 % 2", "-1");
    value("1 + 2 * 3", "7");
    value("(1 + 2) * 3", "9");
    value("10 - 2 - 3", "5");
    value("1 << 3 + 1", "16");
    value("6 & 3 | 8", "10");
    value("xor(6, 3)", "5");
    value("~0", "-1");
    value("!true", "false");
    value("- 2 * 3", "-6");
}

#[test]
fn integers_wrap_and_division_fails() {
    value("9223372036854775807 + 1", "-9223372036854775808");
    value("-9223372036854775808 - 1", "9223372036854775807");
    value("Int8(127) + Int8(1)", "-128");
    value("-UInt8(1)", "255");
    value("div(1, 0)", "division-error");
    value("rem(1, 0)", "division-error");
    value("1 % 0", "division-error");
    value("div(-9223372036854775808, -1)", "division-error");
    value("rem(-9223372036854775808, -1)", "0");
    value("1 / 0", "Inf");
    value("abs(-9223372036854775808)", "-9223372036854775808");
    value("1 << 64", "0");
    value("-1 >> 64", "-1");
    value("1 << -1", "0");
    value("UInt8(255) >> 1", "127");
}

#[test]
fn conversions() {
    value("Int64(3.0)", "3");
    value("Int64(3.5)", "conversion-error");
    value("Int8(128)", "conversion-error");
    value("UInt64(-1)", "conversion-error");
    value("Int64(0.0 / 0.0)", "conversion-error");
    value("Float64(9007199254740993)", "9007199254740992.0");
    value("Float32(1e300)", "Inf");
    value("float(3)", "3.0");
    value("float(Float32(3))", "3.0");
    value("trunc(Int64, -3.7)", "-3");
    value("trunc(Int8, 200.0)", "conversion-error");
    value("trunc(UInt8, -0.5)", "0");
    value("trunc(Int64, 1e19)", "conversion-error");
    value("trunc(Int8, 3)", "3");
    value("trunc(Float32, 2.5)", "2.5");
    value("trunc(-3.7)", "-3.0");
    value("trunc(String, 1.0)", "no-matching-method");
    value("trunc(Int64, \"a\")", "no-matching-method");
    value("Bool(1)", "true");
    value("Bool(2)", "conversion-error");
    value("Int64(true)", "1");
    value("Int64(\"1\")", "no-matching-method");
    value("true + true", "no-matching-method");
}

#[test]
fn mathematics() {
    value("sqrt(2.0)", "1.4142135623730951");
    value("sqrt(-1.0)", "NaN");
    value("sqrt(4)", "2.0");
    value("floor(-1.5)", "-2.0");
    value("ceil(-1.5)", "-1.0");
    value("round(0.5)", "0.0");
    value("round(1.5)", "2.0");
    value("round(-2.5)", "-2.0");
    value("min(1.0, 0.0 / 0.0)", "NaN");
    value("max(-0.0, 0.0)", "0.0");
    value("min(-0.0, 0.0)", "-0.0");
    value("min(3, 2)", "2");
    value("max(3, 2.5)", "3.0");
    value("pow(2, 10)", "1024");
    value("pow(2.0, 0.5)", "1.4142135623730951");
    value("pow(2, 0.5)", "1.4142135623730951");
    value("pow(3, 41)", "-420491770248316829");
    value("pow(0, -1)", "conversion-error");
    value("pow(-1, -3)", "-1");
    value("sin(0.0)", "0.0");
    value("cos(0)", "1.0");
    value("exp(0)", "1.0");
    value("log(0.0)", "-Inf");
    value("isa(sin(Float32(1)), Float32)", "true");
    value("abs(-1.5)", "1.5");
}
