//! Expiry as clients set and read it: the EXPIRE and TTL families and PERSIST.
//!
//! That keys do vanish, and when, is in `expiry.rs`.

mod support;

use support::{Expect, NIL, OK, bulk, each};

const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const FAR_SECONDS: i64 = 33_177_117_420;
const FAR_MILLISECONDS: i64 = 33_177_117_420_123;

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

#[test]
fn missing_and_eternal_keys() {
    each(|t| {
        t.check("SET k v", OK);
        for command in ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"] {
            t.check([command, "missing"], -2);
            t.check([command, "k"], -1);
            t.check([command], wrong_arity(&command.to_lowercase()));
        }
    });
}

#[test]
fn every_unit_and_origin() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("EXPIRE k 100", 1);
        t.check("TTL k", 100);
        assert!((99_000..=100_000).contains(&t.integer("PTTL k")));
        t.check("PEXPIRE k 200000", 1);
        t.check("TTL k", 200);
        t.check(["EXPIREAT", "k", &FAR_SECONDS.to_string()], 1);
        t.check("EXPIRETIME k", FAR_SECONDS);
        t.check("PEXPIRETIME k", FAR_SECONDS * 1000);
        t.check(["PEXPIREAT", "k", &FAR_MILLISECONDS.to_string()], 1);
        t.check("PEXPIRETIME k", FAR_MILLISECONDS);
        t.check("EXPIRETIME k", FAR_SECONDS);
        t.check("GET k", bulk("v"));
        for command in ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"] {
            t.check([command, "missing", "100"], 0);
        }
    });
}

#[test]
fn ttl_rounds_to_the_nearest_second() {
    each(|t| {
        t.check("SET k v PX 100999", OK);
        t.check("TTL k", 101);
        t.check("SET k v PX 100499", OK);
        t.check("TTL k", 100);
    });
}

#[test]
fn a_time_past_deletes_at_once() {
    each(|t| {
        for command in ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"] {
            for time in ["0", "-1"] {
                t.check("SET k v", OK);
                t.check([command, "k", time], 1);
                t.check("EXISTS k", 0);
                t.check("DBSIZE", 0);
            }
        }
        t.check("SET k v", OK);
        t.check("EXPIREAT k 1000000000", 1);
        t.check("GET k", NIL);
    });
}

#[test]
fn condition_nx_and_xx() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("EXPIRE k 100 XX", 0);
        t.check("TTL k", -1);
        t.check("EXPIRE k 100 NX", 1);
        t.check("EXPIRE k 200 nx", 0);
        t.check("TTL k", 100);
        t.check("EXPIRE k 200 xx", 1);
        t.check("TTL k", 200);
    });
}

#[test]
fn conditions_gt_and_lt_take_no_expiry_for_infinity() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("EXPIRE k 100 GT", 0);
        t.check("TTL k", -1);
        t.check("EXPIRE k 100 LT", 1);
        t.check("TTL k", 100);
        t.check("EXPIRE k 50 GT", 0);
        t.check("EXPIRE k 200 gt", 1);
        t.check("TTL k", 200);
        t.check("EXPIRE k 300 LT", 0);
        t.check("EXPIRE k 150 lt", 1);
        t.check("TTL k", 150);
    });
}

#[test]
fn conditions_combine() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("EXPIRE k 100 XX LT", 0);
        t.check("EXPIRE k 100 NX", 1);
        t.check("EXPIRE k 200 XX GT", 1);
        t.check("EXPIRE k 100 XX LT", 1);
        t.check("EXPIRE k 90 XX GT", 0);
        t.check("EXPIRE k 90 XX XX", 1);
        t.check("TTL k", 90);
        t.check("EXPIRE k -1 GT", 0);
        t.check("EXPIRE k -1 LT", 1);
        t.check("EXISTS k", 0);
    });
}

#[test]
fn conditions_hold_for_every_command_of_the_family() {
    each(|t| {
        for (command, late, early) in [
            ("PEXPIRE", "900000", "100000"),
            ("EXPIREAT", "33177117421", "33177117420"),
            ("PEXPIREAT", "33177117421000", "33177117420000"),
        ] {
            t.check("SET k v", OK);
            t.check([command, "k", early, "XX"], 0);
            t.check([command, "k", early, "NX"], 1);
            t.check([command, "k", late, "LT"], 0);
            t.check([command, "k", late, "GT"], 1);
            t.check([command, "k", early, "GT"], 0);
            t.check([command, "k", early, "LT"], 1);
        }
    });
}

#[test]
fn option_errors() {
    each(|t| {
        t.check("SET k v", OK);
        let clash = "-ERR NX and XX, GT or LT options at the same time are not compatible";
        for command in ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"] {
            for options in [["NX", "XX"], ["NX", "GT"], ["LT", "NX"]] {
                t.check([command, "k", "100", options[0], options[1]], clash);
            }
            t.check(
                [command, "k", "100", "GT", "LT"],
                "-ERR GT and LT options at the same time are not compatible",
            );
            t.check([command, "k", "100", "Foo"], "-ERR Unsupported option Foo");
            t.check([command, "k", "ten"], NOT_AN_INTEGER);
            t.check([command, "k", "1.5"], NOT_AN_INTEGER);
            t.check([command, "k"], wrong_arity(&command.to_lowercase()));
        }
        t.check("TTL k", -1);
    });
}

#[test]
fn times_out_of_range() {
    each(|t| {
        t.check("SET k v", OK);
        for (command, time) in [
            ("EXPIRE", "9223372036854775807"),
            ("EXPIRE", "9223372036854776"),
            ("EXPIRE", "-9223372036854776"),
            ("PEXPIRE", "9223372036854775807"),
            ("EXPIREAT", "9223372036854775807"),
        ] {
            let name = command.to_lowercase();
            let expected = format!("-ERR invalid expire time in '{name}' command");
            t.check([command, "k", time], expected);
        }
        t.check("EXPIRE k 9223372036854775808", NOT_AN_INTEGER);
        t.check("TTL k", -1);
        t.check("PEXPIREAT k 9223372036854775807", 1);
        t.check("PEXPIRETIME k", i64::MAX);
    });
}

#[test]
fn persist() {
    each(|t| {
        t.check("PERSIST missing", 0);
        t.check("SET k v", OK);
        t.check("PERSIST k", 0);
        t.check("EXPIRE k 100", 1);
        t.check("PERSIST k", 1);
        t.check("TTL k", -1);
        t.check("GET k", bulk("v"));
        t.check("PERSIST", wrong_arity("persist"));
    });
}
