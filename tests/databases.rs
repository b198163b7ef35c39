//! Numbered databases: SELECT, MOVE, COPY DB, SWAPDB, FLUSHDB, FLUSHALL, DBSIZE.

mod support;

use support::{Expect, NIL, OK, bulk, each};

const OUT_OF_RANGE: &str = "-ERR DB index is out of range";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const SYNTAX: &str = "-ERR syntax error";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

#[test]
fn select_separates_keys() {
    each(|t| {
        t.check("SET k zero", OK);
        t.check("SELECT 15", OK);
        t.check("GET k", NIL);
        t.check("SET k fifteen", OK);
        t.check("DBSIZE", 1);
        t.check("SELECT 0", OK);
        t.check("GET k", bulk("zero"));
        t.check("SELECT 16", OUT_OF_RANGE);
        t.check("SELECT -1", OUT_OF_RANGE);
        t.check("SELECT x", NOT_AN_INTEGER);
        t.check("SELECT 99999999999999999999", NOT_AN_INTEGER);
        t.check("SELECT", wrong_arity("select"));
        t.check("GET k", bulk("zero"));
    });
}

#[test]
fn a_new_connection_starts_in_database_zero() {
    each(|t| {
        t.check("SELECT 3", OK);
        t.check("SET k three", OK);
        t.connect().check("GET k", NIL);
    });
}

#[test]
fn move_takes_value_and_expiry_along() {
    each(|t| {
        t.check("SET k v EX 100", OK);
        t.check("MOVE k 1", 1);
        t.check("EXISTS k", 0);
        t.check("SET k w", OK);
        t.check("MOVE k 1", 0);
        t.check("MOVE missing 1", 0);
        t.check("SELECT 1", OK);
        t.check("GET k", bulk("v"));
        t.check("TTL k", 100);
        t.check("MOVE k 1", "-ERR source and destination objects are the same");
        t.check("MOVE k 99", OUT_OF_RANGE);
        t.check("MOVE k x", NOT_AN_INTEGER);
        t.check("MOVE k", wrong_arity("move"));
    });
}

#[test]
fn copy_to_another_database() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("COPY k k DB 2", 1);
        t.check("COPY k k DB 2", 0);
        t.check("SET k w", OK);
        t.check("COPY k k DB 2 REPLACE", 1);
        t.check("COPY k other REPLACE DB 2", 1);
        t.check("SELECT 2", OK);
        t.check("MGET k other", [bulk("w"), bulk("w")]);
    });
}

#[test]
fn swapdb_exchanges_what_everyone_sees() {
    each(|t| {
        let mut other = t.connect();
        t.check("SET k zero", OK);
        other.check("SELECT 1", OK);
        other.check("SET k one", OK);
        other.check("SET only v", OK);
        t.check("SWAPDB 0 1", OK);
        t.check("GET k", bulk("one"));
        t.check("DBSIZE", 2);
        other.check("GET k", bulk("zero"));
        other.check("DBSIZE", 1);
        t.check("SWAPDB 1 1", OK);
        other.check("GET k", bulk("zero"));
    });
}

#[test]
fn swapdb_errors() {
    each(|t| {
        t.check("SWAPDB 0 99", OUT_OF_RANGE);
        t.check("SWAPDB -1 0", OUT_OF_RANGE);
        t.check("SWAPDB x 0", "-ERR invalid first DB index");
        t.check("SWAPDB 0 x", "-ERR invalid second DB index");
        t.check("SWAPDB 0", wrong_arity("swapdb"));
    });
}

#[test]
fn flushdb_and_flushall() {
    each(|t| {
        for mode in [&[][..], &["ASYNC"], &["sync"]] {
            let with = |command: &'static str| [&[command][..], mode].concat();
            t.check("SELECT 1", OK);
            t.check("MSET a 1 b 2", OK);
            t.check("SELECT 0", OK);
            t.check("MSET a 1 b 2 c 3", OK);
            t.check(with("FLUSHDB"), OK);
            t.check("DBSIZE", 0);
            t.check("SELECT 1", OK);
            t.check("DBSIZE", 2);
            t.check("SELECT 0", OK);
            t.check("SET a 1 EX 100", OK);
            t.check(with("FLUSHALL"), OK);
            t.check("DBSIZE", 0);
            t.check("GET a", NIL);
            t.check("SELECT 1", OK);
            t.check("DBSIZE", 0);
        }
    });
}

#[test]
fn flush_errors() {
    each(|t| {
        t.check("SET k v", OK);
        for command in ["FLUSHDB", "FLUSHALL"] {
            t.check([command, "nonsense"], SYNTAX);
            t.check([command, "ASYNC", "SYNC"], SYNTAX);
        }
        t.check("DBSIZE", 1);
        t.check("DBSIZE x", wrong_arity("dbsize"));
    });
}

#[test]
fn info_keyspace_counts_per_database() {
    each(|t| {
        t.check("MSET a 1 b 2", OK);
        t.check("EXPIRE a 1000", 1);
        t.check("SELECT 5", OK);
        t.check("SET c 3", OK);
        let keyspace = t.info("keyspace");
        assert_eq!(keyspace.names(), ["db0", "db5"]);
        assert!(keyspace.text("db0").starts_with("keys=2,expires=1,avg_ttl="));
        assert!(keyspace.text("db5").starts_with("keys=1,expires=0,avg_ttl=0"));
    });
}
