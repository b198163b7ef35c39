//! Examples worked out with glibc on x86-64. The comparison with a live server over random numbers
//! stands among the tests of the commands.

use super::*;

#[track_caller]
fn check_sum(one: &str, other: &str, expected: &str) {
    let number = |text: &str| LongDouble::parse(text.as_bytes()).expect("it is a number");
    let sum = number(one).checked_add(number(other)).expect("it is finite");
    assert_eq!(sum.to_string(), expected);
}

#[track_caller]
fn check_refused(text: &str) {
    assert!(LongDouble::parse(text.as_bytes()).is_none(), "{text}");
}

#[test]
fn small_decimals_add_as_people_expect() {
    check_sum("0.1", "0.2", "0.3");
    check_sum("10.50", "0.1", "10.6");
    check_sum("5.0e3", "2.0e2", "5200");
    check_sum("3", "-1.1", "1.9");
    check_sum("1.5", "0x1.8p1", "4.5");
}

#[test]
fn digits_beyond_the_precision_show() {
    check_sum("123456789.123456789", "0.000000001", "123456789.12345678999554366");
    check_sum("9007199254740993", "0.5", "9007199254740993.5");
    check_sum("1e19", "0.5", "10000000000000000000");
    check_sum("18446744073709551615", "1", "18446744073709551616");
}

#[test]
fn what_rounds_to_nothing_prints_as_zero() {
    check_sum("1", "-1", "0");
    check_sum("-0", "-0", "0");
    check_sum("-1e-20", "0", "0");
    check_sum("1e-4940", "1e-4940", "0");
    // The nearest number lies a little below 5e-18.
    check_sum("0.000000000000000005", "0", "0");
    check_sum("0.000000000000000006", "0", "0.00000000000000001");
}

#[test]
fn huge_numbers_print_all_their_digits() {
    check_sum("1e30", "0", "1000000000000000000024696061952");
    let text = LongDouble::parse(b"1e4932").expect("it is in range").to_string();
    assert_eq!(text.len(), 4933);
    assert!(text.starts_with("100000000000000000000601894938"));
}

#[test]
fn texts_that_are_no_numbers_are_refused() {
    for text in [
        "", " 1", "1 ", "abc", "1e", "1e+", ".", "-", "+-1", "0x", "0x.", "0x1p", "nan", "-nan",
        "1.2.3", "1e5000", "1e-5000", "1_000", "0xg", "infinit", "1e1e1", "1\0",
    ] {
        check_refused(text);
    }
    check_refused(&"1".repeat(TEXT_LENGTH_END));
}

#[test]
fn infinity_is_read_and_never_a_sum() {
    let infinity = LongDouble::parse(b"-Infinity").expect("it is read");
    assert!(infinity.is_infinite() && infinity.is_negative());
    assert!(infinity.checked_add(LongDouble::ZERO).is_none());
    let large = LongDouble::parse(b"1e4932").expect("it is in range");
    assert!(large.checked_add(large).is_none());
}

#[test]
fn numbers_compare_by_value() {
    let number = |text: &str| LongDouble::parse(text.as_bytes()).expect("it is a number");
    assert!(number("-1") < number("-0.5") && number("-0.5") < number("0"));
    assert!(number("-0") == number("0") && number("2") < number("10"));
    assert!(number("-inf") < number("-1e4000") && number("1e4000") < number("inf"));
    assert!(LongDouble::from_integer(i64::MIN) == number("-9223372036854775808"));
}
