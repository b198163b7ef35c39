//! Conversations about keys: presence, names, databases, expiry, and what OBJECT tells.

mod support;

use support::scenario::each;

#[test]
fn presence_and_removal() {
    each(|talk| {
        talk.check_ok("MSET a 1 b 2 c 3");
        talk.check_integer("EXISTS a b x a", 3);
        talk.check_integer("TOUCH a b x", 2);
        talk.check("TYPE a", "+string\r\n");
        talk.check("TYPE x", "+none\r\n");
        talk.check_integer("DEL a x a", 1);
        talk.check_integer("UNLINK b c", 2);
        talk.check_integer("DBSIZE", 0);
    });
}

#[test]
fn names_change_and_expiry_travels() {
    each(|talk| {
        talk.check_error("RENAME a b", "ERR no such key");
        talk.check_error("RENAME a a", "ERR no such key");
        talk.check_ok("SET a 1 EX 10");
        talk.check_ok("SET b 2 EX 20");
        talk.check_ok("RENAME a a");
        talk.check_integer("RENAMENX a a", 0);
        talk.check_integer("RENAMENX a b", 0);
        talk.check_ok("RENAME a b");
        talk.check_integer("EXISTS a", 0);
        talk.check_bulk("GET b", "1");
        talk.check_integer("TTL b", 10);
        talk.check_integer("RENAMENX b c", 1);
        talk.check_integer("TTL c", 10);
        talk.check_ok("SET d 4");
        talk.check_ok("RENAME d c");
        talk.check_integer("TTL c", -1);
    });
}

#[test]
fn long_values_are_renamed_copied_and_moved() {
    each(|talk| {
        let long = "x".repeat(40_000);
        talk.check_ok(&format!("SET a {long}"));
        talk.check_ok("RENAME a b");
        talk.check_integer("COPY b c", 1);
        talk.check_integer("APPEND b y", 40_001);
        talk.check_bulk("GET c", &long);
        talk.check_integer("MOVE c 3", 1);
        talk.check_ok("SELECT 3");
        talk.check_bulk("GET c", &long);
        talk.check_bulk("GETDEL c", &long);
        talk.check_integer("DBSIZE", 0);
    });
}

#[test]
fn copies() {
    each(|talk| {
        talk.check_integer("COPY a b", 0);
        talk.check_ok("SET a 1 EX 10");
        talk.check_integer("COPY a b", 1);
        talk.check_integer("TTL b", 10);
        talk.check_ok("SET a 2");
        talk.check_integer("COPY a b", 0);
        talk.check_integer("COPY a b REPLACE", 1);
        talk.check_bulk("GET b", "2");
        talk.check_integer("TTL b", -1);
        talk.check_integer("COPY a a DB 1", 1);
        talk.check_integer("COPY a a DB 1", 0);
        talk.check_integer("COPY a a DB 1 REPLACE", 1);
        let same = "ERR source and destination objects are the same";
        talk.check_error("COPY a a", same);
        talk.check_error("COPY a a DB 0", same);
        talk.check_error("COPY a b DB 16", "ERR DB index is out of range");
        talk.check_error("COPY a b DB x", "ERR value is not an integer or out of range");
        talk.check_error("COPY a b DB", "ERR syntax error");
        talk.check_ok("SELECT 1");
        talk.check_integer("DBSIZE", 1);
    });
}

#[test]
fn moves_between_databases() {
    each(|talk| {
        talk.check_integer("MOVE a 1", 0);
        talk.check_ok("SET a 1 EX 10");
        talk.check_integer("MOVE a 1", 1);
        talk.check_integer("EXISTS a", 0);
        talk.check_ok("SET a 2");
        talk.check_integer("MOVE a 1", 0);
        talk.check_error("MOVE a 0", "ERR source and destination objects are the same");
        talk.check_error("MOVE a 16", "ERR DB index is out of range");
        talk.check_error("MOVE a -1", "ERR DB index is out of range");
        talk.check_error("MOVE a x", "ERR value is not an integer or out of range");
        talk.check_error(
            "MOVE a 2147483648",
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        );
        talk.check_ok("SELECT 1");
        talk.check_bulk("GET a", "1");
        talk.check_integer("TTL a", 10);
    });
}

#[test]
fn keys_expire() {
    each(|talk| {
        talk.check_ok("SET k v PX 100");
        talk.cluster.advance_ms(100);
        talk.check_bulk("GET k", "v");
        talk.check_integer("PTTL k", 0);
        talk.cluster.advance_ms(1);
        talk.check_null("GET k");
        talk.check_integer("TTL k", -2);
        talk.check_ok("SET k v PX 100");
        talk.cluster.advance_ms(101);
        talk.check_integer("SETNX k w", 1);
        talk.check_ok("SET gone 1 PX 100");
        talk.check_ok("SET stays 2");
        talk.cluster.advance_ms(101);
        talk.check_integer("COPY gone x", 0);
        talk.check_error("RENAME gone x", "ERR no such key");
        talk.check_ok("SET gone 1 PX 100");
        talk.cluster.advance_ms(101);
        talk.check_integer("RENAMENX stays gone", 1);
        talk.check_bulk("GET gone", "2");
    });
}

#[test]
fn deadlines_are_set_asked_for_and_taken_away() {
    each(|talk| {
        talk.check_integer("EXPIRE k 10", 0);
        talk.check_integer("TTL k", -2);
        talk.check_integer("EXPIRETIME k", -2);
        talk.check_ok("SET k v");
        talk.check_integer("PEXPIRETIME k", -1);
        talk.check_integer("PERSIST k", 0);
        talk.check_integer("EXPIRE k 10", 1);
        talk.check_integer("PTTL k", 10_000);
        talk.check_integer("EXPIRETIME k", 1_700_000_010);
        talk.check_integer("PEXPIRE k 1499", 1);
        talk.check_integer("TTL k", 1);
        talk.check_integer("PEXPIREAT k 1700000002500", 1);
        talk.check_integer("TTL k", 3);
        talk.check_integer("EXPIRETIME k", 1_700_000_003);
        talk.check_integer("EXPIREAT k 1700000009", 1);
        talk.check_integer("PERSIST k", 1);
        talk.check_integer("TTL k", -1);
        talk.check_integer("EXPIRE k 0", 1);
        talk.check_integer("EXISTS k", 0);
        talk.check_ok("SET k v");
        talk.check_integer("PEXPIREAT k 1700000000000", 1);
        talk.check_integer("EXISTS k", 0);
        talk.check_ok("SET k v");
        talk.check_integer("EXPIRE k -1", 1);
        talk.check_integer("EXISTS k", 0);
    });
}

#[test]
fn deadlines_with_conditions() {
    each(|talk| {
        talk.check_ok("SET k v");
        talk.check_integer("EXPIRE k 10 XX", 0);
        talk.check_integer("EXPIRE k 10 GT", 0);
        talk.check_integer("EXPIRE k 10 LT", 1);
        talk.check_integer("EXPIRE k 20 NX", 0);
        talk.check_integer("EXPIRE k 20 LT", 0);
        talk.check_integer("EXPIRE k 20 XX GT", 1);
        talk.check_integer("EXPIRE k 20 GT", 0);
        talk.check_integer("TTL k", 20);
        talk.check_integer("EXPIRE k -5 GT", 0);
        talk.check_integer("PERSIST k", 1);
        talk.check_integer("EXPIRE k 30 NX", 1);
        let nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
        talk.check_error("EXPIRE k 1 NX XX", nx);
        talk.check_error("EXPIRE k x LT NX", nx);
        let both = "ERR GT and LT options at the same time are not compatible";
        talk.check_error("EXPIRE k 1 GT LT", both);
        talk.check_error("EXPIRE k 1 Foo", "ERR Unsupported option Foo");
        talk.check_error("EXPIRE k x", "ERR value is not an integer or out of range");
        let invalid = |name: &str| format!("ERR invalid expire time in '{name}' command");
        talk.check_error("EXPIRE k 9223372036854775807", &invalid("expire"));
        talk.check_error("EXPIRE k -9223372036854775808", &invalid("expire"));
        talk.check_error("PEXPIRE k 9223372036854775807", &invalid("pexpire"));
        talk.check_error("EXPIREAT k 9223372036854776", &invalid("expireat"));
        talk.check_integer("PEXPIREAT k 9223372036854775807", 1);
        talk.check_integer("PEXPIRETIME k", i64::MAX);
    });
}

#[test]
fn encodings_follow_the_value() {
    each(|talk| {
        talk.check_null("OBJECT ENCODING k");
        for (value, encoding) in [
            ("0".to_owned(), "int"),
            ("-9223372036854775808".to_owned(), "int"),
            ("9223372036854775808".to_owned(), "embstr"),
            ("01".to_owned(), "embstr"),
            ("x".repeat(44), "embstr"),
            ("x".repeat(45), "raw"),
            ("x".repeat(2000), "raw"),
        ] {
            talk.check_ok(&format!("SET k {value}"));
            talk.check_bulk("OBJECT ENCODING k", encoding);
            talk.check_ok("RENAME k other");
            talk.check_integer("COPY other k", 1);
            talk.check_bulk("OBJECT ENCODING k", encoding);
        }
    });
}

#[test]
fn references_use_and_idle_time() {
    each(|talk| {
        talk.check_null("OBJECT REFCOUNT k");
        talk.check_null("OBJECT IDLETIME k");
        talk.check_null("OBJECT FREQ k");
        talk.check_ok("SET k 9999");
        talk.check_integer("OBJECT REFCOUNT k", i64::from(i32::MAX));
        talk.check_ok("SET k 10000");
        talk.check_integer("OBJECT REFCOUNT k", 1);
        talk.cluster.advance_ms(5_999);
        talk.check_integer("OBJECT IDLETIME k", 5);
        talk.check_integer("EXISTS k", 1);
        talk.check_integer("OBJECT IDLETIME k", 5);
        talk.check_bulk("GET k", "10000");
        talk.check_integer("OBJECT IDLETIME k", 0);
        talk.cluster.advance_ms(3_000);
        talk.check_ok("CLIENT NO-TOUCH ON");
        talk.check_bulk("GET k", "10000");
        talk.check_integer("OBJECT IDLETIME k", 3);
        talk.check_integer("TOUCH k", 1);
        talk.check_integer("OBJECT IDLETIME k", 0);
        talk.check_error(
            "OBJECT FREQ k",
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        );
    });
}

#[test]
fn use_is_counted_under_an_lfu_policy() {
    each(|talk| {
        talk.check_ok("CONFIG SET maxmemory-policy allkeys-lfu");
        talk.check_ok("SET k v");
        talk.check_integer("OBJECT FREQ k", 5);
        talk.check_bulk("GET k", "v");
        talk.check_integer("OBJECT FREQ k", 6);
        talk.check_integer("OBJECT FREQ k", 6);
        talk.check_ok("RENAME k other");
        talk.check_integer("OBJECT FREQ other", 6);
        talk.cluster.advance_ms(120_000);
        talk.check_integer("OBJECT FREQ other", 4);
        talk.check_error(
            "OBJECT IDLETIME other",
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        );
    });
}
