//! Counters: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. Limits and the exact text of floats.

mod support;

use support::{OK, bulk, each};

const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const NOT_A_FLOAT: &str = "-ERR value is not a valid float";
const OVERFLOW: &str = "-ERR increment or decrement would overflow";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn counting_starts_at_zero() {
    each(|t| {
        t.check("INCR up", 1);
        t.check("DECR down", -1);
        t.check("INCRBY up 41", 42);
        t.check("DECRBY down 41", -42);
        t.check("INCRBY up -2", 40);
        t.check("DECRBY down -2", -40);
        t.check("GET up", bulk("40"));
        t.check("INCRBY zero 0", 0);
        t.check("GET zero", bulk("0"));
        t.check("OBJECT ENCODING up", bulk("int"));
    });
}

#[test]
fn counting_keeps_the_expiry() {
    each(|t| {
        t.check("SET n 5 EX 100", OK);
        t.check("INCR n", 6);
        t.check("TTL n", 100);
        t.check("INCRBYFLOAT n 0.5", bulk("6.5"));
        t.check("TTL n", 100);
    });
}

#[test]
fn only_canonical_integers_count() {
    each(|t| {
        for text in [
            "",
            " ",
            " 1",
            "1 ",
            "+1",
            "01",
            "-0",
            "1.0",
            "0x10",
            "1e3",
            "abc",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
        ] {
            t.check(["SET", "k", text], OK);
            t.check("INCR k", NOT_AN_INTEGER);
            t.check("DECR k", NOT_AN_INTEGER);
            t.check("GET k", bulk(text));
            t.check(["INCRBY", "n", text], NOT_AN_INTEGER);
            t.check(["DECRBY", "n", text], NOT_AN_INTEGER);
        }
        t.check("EXISTS n", 0);
    });
}

#[test]
fn overflow_changes_nothing() {
    each(|t| {
        t.check("SET n 9223372036854775806", OK);
        t.check("INCR n", i64::MAX);
        t.check("INCR n", OVERFLOW);
        t.check("INCRBY n 1", OVERFLOW);
        t.check("DECRBY n -1", OVERFLOW);
        t.check("GET n", bulk("9223372036854775807"));
        t.check("SET n -9223372036854775807", OK);
        t.check("DECR n", i64::MIN);
        t.check("DECR n", OVERFLOW);
        t.check("INCRBY n -1", OVERFLOW);
        t.check("GET n", bulk("-9223372036854775808"));
        t.check("INCRBY n 9223372036854775807", -1);
        t.check("DECRBY n -9223372036854775808", "-ERR decrement would overflow");
    });
}

#[test]
fn a_number_stored_as_raw_text_still_counts() {
    each(|t| {
        t.check("SET n 1", OK);
        t.check("APPEND n 0", 2);
        t.check("INCR n", 11);
        t.check("SETRANGE n 0 22", 2);
        t.check("DECR n", 21);
    });
}

#[test]
fn floats_print_without_noise() {
    each(|t| {
        for (start, increment, expected) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "0.1", "0.1"),
            ("1", "-1.5", "-0.5"),
            ("0.1", "0.2", "0.3"),
            ("1e5", "0", "100000"),
            ("1.5", "-1.5", "0"),
            ("0x10", "0", "16"),
        ] {
            t.check(["SET", "k", start], OK);
            t.check(["INCRBYFLOAT", "k", increment], bulk(expected));
            t.check("GET k", bulk(expected));
        }
        t.check("INCRBYFLOAT fresh 2.5", bulk("2.5"));
    });
}

/// Redis computes in the 80-bit format of x86, 64 bits of mantissa, and prints 17 decimals.
#[test]
fn floats_carry_extended_precision() {
    each(|t| {
        for (start, increment, expected) in [
            ("3.0", "1.000000000000000005", "4.00000000000000001"),
            ("17", "1e-17", "17.00000000000000001"),
            ("1", "1e17", "100000000000000001"),
            ("9007199254740993", "0", "9007199254740993"),
        ] {
            t.check(["SET", "k", start], OK);
            t.check(["INCRBYFLOAT", "k", increment], bulk(expected));
        }
    });
}

#[test]
fn floats_refuse_what_is_not_finite() {
    each(|t| {
        t.check("SET k 1", OK);
        for text in ["", " 1", "1 ", "abc", "1.5x", "nan"] {
            t.check(["INCRBYFLOAT", "k", text], NOT_A_FLOAT);
        }
        t.check("SET k 1.7e308", OK);
        let not_finite = "-ERR increment would produce NaN or Infinity";
        t.check("INCRBYFLOAT k inf", not_finite);
        t.check("INCRBYFLOAT k -inf", not_finite);
        t.check("GET k", bulk("1.7e308"));
        t.check("SET k abc", OK);
        t.check("INCRBYFLOAT k 1", NOT_A_FLOAT);
        t.check(r#"SET k "1 ""#, OK);
        t.check("INCRBYFLOAT k 1", NOT_A_FLOAT);
    });
}

#[test]
fn arity_and_type_errors() {
    each(|t| {
        for command in ["INCR", "DECR", "INCRBY", "DECRBY", "INCRBYFLOAT"] {
            let name = command.to_lowercase();
            let expected = format!("-ERR wrong number of arguments for '{name}' command");
            t.check([command], expected);
        }
        if t.has_command("RPUSH") {
            t.check("RPUSH list e", 1);
            t.check("INCR list", WRONG_TYPE);
            t.check("DECRBY list 2", WRONG_TYPE);
            t.check("INCRBYFLOAT list 2", WRONG_TYPE);
        }
    });
}
