//! Conversations about strings: each request with the exact bytes of its reply.

mod support;

use support::scenario::{Scenario, each};

const WRONG_DIGEST: &str = "0123456789abcdef";

#[test]
fn set_and_get() {
    each(|talk| {
        talk.check_null("GET k");
        talk.check_ok("SET k value");
        talk.check_bulk("GET k", "value");
        talk.check_ok("SET k \"\"");
        talk.check_bulk("GET k", "");
        talk.check_ok("SET k -42");
        talk.check_bulk("GET k", "-42");
        talk.check_error("SET k", "ERR wrong number of arguments for 'set' command");
    });
}

#[test]
fn set_with_conditions_on_presence() {
    each(|talk| {
        talk.check_null("SET k 1 XX");
        talk.check_ok("SET k 1 NX");
        talk.check_null("SET k 2 NX");
        talk.check_ok("SET k 2 XX");
        talk.check_bulk("SET k 3 NX GET", "2");
        talk.check_bulk("SET k 3 XX GET", "2");
        talk.check_null("SET new 1 GET");
        talk.check_bulk("GET new", "1");
        talk.check_error("SET k 1 NX XX", "ERR syntax error");
        talk.check_error("SET k 1 NX IFEQ 3", "ERR syntax error");
        talk.check_error("SET k 1 PERSIST", "ERR syntax error");
        talk.check_error("SET k 1 IFEQ", "ERR syntax error");
    });
}

#[test]
fn set_with_conditions_on_the_value() {
    each(|talk| {
        talk.check_null("SET k new IFEQ old");
        talk.check_integer("EXISTS k", 0);
        talk.check_ok("SET k 7 IFNE old");
        talk.check_null("SET k 8 IFNE 7");
        talk.check_ok("SET k 8 IFEQ 7");
        talk.check_bulk("SET k 9 IFEQ 7 GET", "8");
        talk.check_bulk("SET k hello IFEQ 8 GET", "8");
        talk.check_bulk("GET k", "hello");
        talk.check_ok("SET k hello IFDEQ 9555E8555C62DCFD");
        talk.check_null("SET k world IFDNE 9555e8555c62dcfd");
        talk.check_ok(&format!("SET k hello IFDNE {WRONG_DIGEST}"));
        let malformed = "ERR must be exactly 16 hexadecimal characters";
        talk.check_error("SET k world IFDEQ 123", malformed);
        talk.check_error("SET k world IFDEQ 123 GET", malformed);
        talk.check_null("SET missing world IFDEQ 123");
        talk.check_ok("SET missing world IFDNE 123 EX 10");
        talk.check_integer("TTL missing", 10);
    });
}

#[test]
fn set_with_a_lifetime() {
    each(|talk| {
        talk.check_ok("SET k v EX 10");
        talk.check_integer("TTL k", 10);
        talk.check_ok("SET k v KEEPTTL");
        talk.check_integer("PTTL k", 10_000);
        talk.check_ok("SET k v PX 1500");
        talk.check_integer("TTL k", 2);
        talk.check_ok("SET k v EXAT 1700000100");
        talk.check_integer("TTL k", 100);
        talk.check_ok("SET k v PXAT 1700000100001");
        talk.check_integer("PEXPIRETIME k", 1_700_000_100_001);
        talk.check_ok("SET k v");
        talk.check_integer("TTL k", -1);
        talk.check_ok("SET k v EX 10 EX 20");
        talk.check_integer("TTL k", 20);
        talk.check_ok("SET k v PXAT 1");
        talk.check_integer("EXISTS k", 0);
        talk.check_error("SET k v EX 10 PX 10", "ERR syntax error");
        talk.check_error("SET k v EX 10 KEEPTTL", "ERR syntax error");
        talk.check_error("SET k v EX", "ERR syntax error");
        talk.check_error("SET k v EX x y", "ERR syntax error");
        talk.check_error("SET k v EX x", "ERR value is not an integer or out of range");
        for bad in
            ["EX 0", "EX -1", "PX 0", "EXAT 0", "EX 9223372036854775", "EX 92233720368547758"]
        {
            let request = format!("SET k v {bad}");
            talk.check_error(&request, "ERR invalid expire time in 'set' command");
        }
    });
}

#[test]
fn older_ways_to_set() {
    each(|talk| {
        talk.check_integer("SETNX k 1", 1);
        talk.check_integer("SETNX k 2", 0);
        talk.check_bulk("GETSET k 3", "1");
        talk.check_null("GETSET new 4");
        talk.check_ok("SETEX k 10 v");
        talk.check_integer("TTL k", 10);
        talk.check_ok("PSETEX k 20000 v");
        talk.check_integer("TTL k", 20);
        talk.check_bulk("GETSET k w", "v");
        talk.check_integer("TTL k", -1);
        talk.check_error("SETEX k 0 v", "ERR invalid expire time in 'setex' command");
        talk.check_error("PSETEX k -5 v", "ERR invalid expire time in 'psetex' command");
    });
}

#[test]
fn getdel_and_getex() {
    each(|talk| {
        talk.check_null("GETDEL k");
        talk.check_ok("SET k v");
        talk.check_bulk("GETDEL k", "v");
        talk.check_null("GETEX k EX 0");
        talk.check_ok("SET k v");
        talk.check_bulk("GETEX k", "v");
        talk.check_integer("TTL k", -1);
        talk.check_bulk("GETEX k PX 5000", "v");
        talk.check_integer("TTL k", 5);
        talk.check_bulk("GETEX k PERSIST", "v");
        talk.check_integer("TTL k", -1);
        talk.check_error("GETEX k EX 0", "ERR invalid expire time in 'getex' command");
        talk.check_error("GETEX k KEEPTTL", "ERR syntax error");
        talk.check_error("GETEX k PERSIST EX 1", "ERR syntax error");
        talk.check_bulk("GETEX k EXAT 1", "v");
        talk.check_null("GET k");
    });
}

#[test]
fn several_strings_at_once() {
    each(|talk| {
        talk.check_ok("MSET a 1 b 2 c 3");
        talk.check("MGET a x c", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n");
        talk.check_integer("MSETNX c 4 d 5", 0);
        talk.check_integer("EXISTS d", 0);
        talk.check_integer("MSETNX d 5 e 6", 1);
        talk.check_integer("MSETNX f 1 f 2", 1);
        talk.check_bulk("GET f", "2");
        talk.check_error("MSET a 1 b", "ERR wrong number of arguments for 'mset' command");
        talk.check_error("MSETNX a 1 b", "ERR wrong number of arguments for 'msetnx' command");
    });
}

#[test]
fn msetex() {
    each(|talk| {
        talk.check_integer("MSETEX 2 a 1 b 2 EX 10", 1);
        talk.check_integer("TTL a", 10);
        talk.check_integer("TTL b", 10);
        talk.check_integer("MSETEX 2 a 3 c 4 NX", 0);
        talk.check_integer("MSETEX 2 a 3 c 4 XX", 0);
        talk.check_integer("MSETEX 2 a 3 b 4 XX KEEPTTL", 1);
        talk.check("MGET a b c", "*3\r\n$1\r\n3\r\n$1\r\n4\r\n$-1\r\n");
        talk.check_integer("TTL b", 10);
        talk.check_integer("MSETEX 1 a 5", 1);
        talk.check_integer("TTL a", -1);
        talk.check_integer("MSETEX 1 a 5 PXAT 1", 1);
        talk.check_integer("EXISTS a", 0);
        talk.check_error("MSETEX x a 1", "ERR invalid numkeys value");
        talk.check_error("MSETEX 0 a 1", "ERR invalid numkeys value");
        talk.check_error("MSETEX 2147483648 a 1", "ERR invalid numkeys value");
        talk.check_error("MSETEX 2 a 1 b", "ERR wrong number of key-value pairs");
        talk.check_error("MSETEX 1 a 1 IFEQ 1", "ERR syntax error");
        talk.check_error("MSETEX 1 a 1 EX 1 PX 1", "ERR syntax error");
        talk.check_error("MSETEX 1 a 1 EX 0", "ERR invalid expire time in 'msetex' command");
    });
}

#[test]
fn strings_changed_in_place() {
    each(|talk| {
        talk.check_integer("APPEND k 12", 2);
        talk.check_bulk("OBJECT ENCODING k", "int");
        talk.check_integer("APPEND k 34", 4);
        talk.check_bulk("OBJECT ENCODING k", "raw");
        talk.check_bulk("GET k", "1234");
        talk.check_integer("INCR k", 1235);
        talk.check_bulk("OBJECT ENCODING k", "int");
        talk.check_integer("SETRANGE k 6 x", 7);
        talk.check("GET k", "$7\r\n1235\0\0x\r\n");
        talk.check_integer("SETRANGE k 0 \"\"", 7);
        talk.check_integer("SETRANGE k 0 99", 7);
        talk.check_integer("SETRANGE new 0 \"\"", 0);
        talk.check_integer("EXISTS new", 0);
        talk.check_integer("SETRANGE new 2 ab", 4);
        talk.check_bulk("OBJECT ENCODING new", "raw");
        talk.check_error("SETRANGE k -1 x", "ERR offset is out of range");
        talk.check_error("SETRANGE k a x", "ERR value is not an integer or out of range");
        let too_long = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        talk.check_error("SETRANGE k 536870912 x", too_long);
        talk.check_error("SETRANGE k 9223372036854775807 x", too_long);
        talk.check_ok("CONFIG SET proto-max-bulk-len 10");
        talk.check_error("APPEND k abcd", too_long);
        talk.check_integer("APPEND k abc", 10);
    });
}

#[test]
fn strings_grow_through_every_form() {
    each(|talk| {
        let mut length = 0;
        for step in [0_usize, 1, 43, 1, 500, 479, 1, 5000, 20_000] {
            length += step;
            talk.check_integer(&format!("APPEND k \"{}\"", "x".repeat(step)), length as i64);
            talk.check_integer("STRLEN k", length as i64);
        }
        talk.check_bulk("GET k", &"x".repeat(length));
        talk.check_integer("COPY k copy", 1);
        talk.check_integer("SETRANGE k 0 y", length as i64);
        talk.check_bulk("GETRANGE copy 0 1", "xx");
        talk.check_bulk("GETRANGE k 0 1", "yx");
    });
}

#[test]
fn parts_of_strings() {
    each(|talk| {
        talk.check_ok("SET k 123456");
        talk.check_bulk("GETRANGE k 1 -2", "2345");
        talk.check_bulk("SUBSTR k -3 100", "456");
        talk.check_bulk("GETRANGE missing 0 -1", "");
        talk.check_error("GETRANGE k a 1", "ERR value is not an integer or out of range");
        talk.check_integer("STRLEN k", 6);
        talk.check_integer("STRLEN missing", 0);
    });
}

#[test]
fn counters() {
    each(|talk| {
        talk.check_integer("INCR k", 1);
        talk.check_integer("DECR k", 0);
        talk.check_integer("INCRBY k 9223372036854775807", i64::MAX);
        talk.check_error("INCR k", "ERR increment or decrement would overflow");
        talk.check_integer("DECRBY k 9223372036854775807", 0);
        talk.check_error("DECRBY k -9223372036854775808", "ERR decrement would overflow");
        talk.check_error("INCRBY k 1.5", "ERR value is not an integer or out of range");
        talk.check_ok("SET k \" 1\" EX 10");
        talk.check_error("INCR k", "ERR value is not an integer or out of range");
        talk.check_ok("SET k 1 EX 10");
        talk.check_integer("INCR k", 2);
        talk.check_integer("TTL k", 10);
    });
}

#[test]
fn floating_point_counters() {
    each(|talk| {
        talk.check_bulk("INCRBYFLOAT k 10.50", "10.5");
        talk.check_bulk("INCRBYFLOAT k 0.1", "10.6");
        talk.check_bulk("INCRBYFLOAT k -10.6", "0");
        talk.check_bulk("OBJECT ENCODING k", "embstr");
        talk.check_ok("SET k 3 EX 10");
        talk.check_bulk("INCRBYFLOAT k 1.7976931348623157e3", "1800.69313486231569998");
        talk.check_integer("TTL k", 10);
        talk.check_error("INCRBYFLOAT k x", "ERR value is not a valid float");
        talk.check_error("INCRBYFLOAT k inf", "ERR increment would produce NaN or Infinity");
        talk.check_ok("SET k text");
        talk.check_error("INCRBYFLOAT k 1", "ERR value is not a valid float");
    });
}

#[test]
fn bounded_counters() {
    each(|talk| {
        talk.check("INCREX k", "*2\r\n:1\r\n:1\r\n");
        talk.check("INCREX k BYINT 10 UBOUND 5 EX 9", "*2\r\n:1\r\n:0\r\n");
        talk.check_integer("TTL k", -1);
        talk.check("INCREX k BYINT 10 UBOUND 5 EX 9 SATURATE", "*2\r\n:5\r\n:4\r\n");
        talk.check_integer("TTL k", 9);
        talk.check("INCREX k BYINT 1 EX 20 ENX", "*2\r\n:6\r\n:1\r\n");
        talk.check_integer("TTL k", 9);
        talk.check("INCREX k BYINT 1 EXAT 1 ENX", "*2\r\n:7\r\n:1\r\n");
        talk.check("INCREX k LBOUND 0 BYINT -10 SATURATE PERSIST", "*2\r\n:0\r\n:-7\r\n");
        talk.check_integer("TTL k", -1);
        talk.check("INCREX k EXAT 1", "*2\r\n:1\r\n:1\r\n");
        talk.check_integer("EXISTS k", 0);
        talk.check("INCREX new BYINT 5 LBOUND 10", "*2\r\n:0\r\n:0\r\n");
        talk.check_integer("EXISTS new", 0);
        talk.check_either(
            "INCREX f BYFLOAT 1.5 UBOUND 1.25 SATURATE",
            "*2\r\n$4\r\n1.25\r\n$4\r\n1.25\r\n",
            "*2\r\n,1.25\r\n,1.25\r\n",
        );
    });
}

#[test]
fn bounded_counters_refuse_what_makes_no_sense() {
    each(|talk| {
        let check = |talk: &mut Scenario, options: &str, expected: &str| {
            talk.check_error(&format!("INCREX k {options}"), expected);
        };
        for options in [
            "FOO",
            "BYINT",
            "BYINT 1 BYINT 2",
            "BYINT 1 BYFLOAT 1",
            "EX 1 PX 1",
            "EX 1 EX 1",
            "SATURATE SATURATE",
            "ENX ENX EX 1",
            "PERSIST ENX",
            "KEEPTTL",
            "LBOUND 0 LBOUND 1",
        ] {
            check(talk, options, "ERR syntax error");
        }
        check(talk, "ENX", "ERR ENX flag requires an expiration");
        check(talk, "BYINT x", "ERR Increment is not an integer or out of range");
        check(talk, "BYFLOAT x", "ERR Increment is not a valid float");
        check(talk, "BYFLOAT inf", "ERR BYFLOAT increment cannot be Infinity");
        check(talk, "LBOUND 1.5", "ERR LBOUND is not an integer or out of range");
        check(talk, "BYFLOAT 1 UBOUND x", "ERR UBOUND is not a valid float");
        check(talk, "LBOUND 2 UBOUND 1", "ERR LBOUND can't be greater than UBOUND");
        check(talk, "EX 0", "ERR invalid expire time in 'increx' command");
        talk.check_ok("SET k inf");
        check(talk, "BYFLOAT 1", "ERR value cannot be Infinity");
        check(talk, "BYINT 1", "ERR value is not an integer or out of range");
    });
}

#[test]
fn common_subsequences() {
    each(|talk| {
        talk.check_ok("MSET a ohmytext b mynewtext");
        talk.check_bulk("LCS a b", "mytext");
        talk.check_integer("LCS a b LEN", 6);
        talk.check_bulk("LCS a missing", "");
        let matches = "*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n";
        let rest = "*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
        let body = format!("$7\r\nmatches\r\n*2\r\n{matches}{rest}$3\r\nlen\r\n:6\r\n");
        talk.check_either("LCS a b IDX", &format!("*4\r\n{body}"), &format!("%2\r\n{body}"));
        let matches = "*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n";
        let body = format!("$7\r\nmatches\r\n*1\r\n{matches}$3\r\nlen\r\n:6\r\n");
        talk.check_either(
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            &format!("*4\r\n{body}"),
            &format!("%2\r\n{body}"),
        );
        talk.check_error("LCS a b FOO", "ERR syntax error");
        talk.check_error("LCS a b MINMATCHLEN", "ERR syntax error");
        talk.check_error(
            "LCS a b LEN IDX",
            "ERR If you want both the length and indexes, please just use IDX.",
        );
        talk.check_ok("CONFIG SET proto-max-bulk-len 100");
        talk.check_error(
            "LCS a b",
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        );
    });
}

#[test]
fn removal_by_comparison() {
    each(|talk| {
        talk.check_integer("DELEX k", 0);
        talk.check_integer("DELEX k IFNE 1", 0);
        talk.check_integer("DELEX k NONSENSE 1", 0);
        talk.check_ok("SET k 12");
        talk.check_integer("DELEX k IFEQ 13", 0);
        talk.check_integer("DELEX k IFNE 12", 0);
        talk.check_integer("DELEX k IFEQ 12", 1);
        talk.check_ok("SET k hello");
        talk.check_bulk("DIGEST k", "9555e8555c62dcfd");
        talk.check_null("DIGEST missing");
        talk.check_integer("DELEX k IFDNE 9555e8555c62dcfd", 0);
        talk.check_error(
            "DELEX k IFDEQ 9555e8555c62dcf",
            "ERR must be exactly 16 hexadecimal characters",
        );
        talk.check_error("DELEX k NX 1", "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
        talk.check_error("DELEX k IFEQ", "ERR wrong number of arguments for 'delex' command");
        talk.check_integer("DELEX k IFDEQ 9555e8555c62dcfd", 1);
        talk.check_ok("SET k hello");
        talk.check_integer("DELIFEQ k world", 0);
        talk.check_integer("DELIFEQ k hello", 1);
        talk.check_integer("DELIFEQ k hello", 0);
        talk.check_ok("SET k hello");
        talk.check_integer("DELEX k", 1);
    });
}
