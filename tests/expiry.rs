//! That expired keys vanish: for readers at once, from memory soon after.
//!
//! *Lazy* expiry hides a key from the instant it expires, whoever asks; *active* expiry gives back
//! the memory of keys nobody asks for. `DEBUG SET-ACTIVE-EXPIRE 0` tells the two apart.

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::{
    NIL, OK, Test, bulk, each, each_core_count, eventually, eventually_within, is_basalt,
};

/// Runs `body` with only lazy expiry at work.
fn without_active_expiry(t: &mut Test, body: impl FnOnce(&mut Test)) {
    t.check("DEBUG SET-ACTIVE-EXPIRE 0", OK);
    body(t);
    t.check("DEBUG SET-ACTIVE-EXPIRE 1", OK);
}

/// Stores keys that expire in a moment and waits until that moment is over for all of them.
fn store_expiring(t: &mut Test, keys: &[&str]) {
    for key in keys {
        t.check(["SET", key, "v", "PX", "1"], OK);
    }
    t.check("SET marker v PX 2", OK);
    eventually("the keys expire", || t.integer("EXISTS marker") == 0);
}

/// The system's clock, in milliseconds since 1970: the server reads the same.
fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    i64::try_from(since_1970.as_millis()).expect("it is not that late")
}

#[test]
fn a_key_lives_exactly_as_long_as_promised() {
    each(|t| {
        let deadline = now_ms() + 60;
        t.check(["SET", "k", "v", "PXAT", &deadline.to_string()], OK);
        eventually("the key expires", || t.integer("EXISTS k") == 0);
        let gone = now_ms();
        assert!(gone >= deadline, "gone {} ms early", deadline - gone);
    });
}

#[test]
fn a_life_in_milliseconds_begins_with_the_command() {
    // A command's time is that of the turn it runs in: a busy machine may make that a long one.
    const TURN_MS: i64 = 1_000;
    each(|t| {
        let sent = now_ms();
        t.check("SET k v PX 100000", OK);
        let born = t.integer("PEXPIRETIME k") - 100_000;
        assert!(born <= now_ms(), "born in the future");
        assert!(born > sent - TURN_MS, "born {} ms before the command", sent - born);
    });
}

#[test]
fn no_command_sees_an_expired_key() {
    each(|t| {
        without_active_expiry(t, |t| {
            let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
            store_expiring(t, &keys);
            t.check("GET a", NIL);
            t.check("MGET a b", [NIL, NIL]);
            t.check("EXISTS a b c", 0);
            t.check("TTL b", -2);
            t.check("PEXPIRETIME b", -2);
            t.check("TYPE c", "+none");
            t.check("STRLEN c", 0);
            t.check("GETRANGE c 0 -1", bulk(""));
            t.check("RENAME d x", "-ERR no such key");
            t.check("COPY d x", 0);
            t.check("PERSIST e", 0);
            t.check("EXPIRE e 100", 0);
            t.check("DEL f", 0);
            t.check("TOUCH g", 0);
            t.check("OBJECT ENCODING g", NIL);
            t.check("KEYS *", Vec::<support::Expect>::new());
            t.check("RANDOMKEY", NIL);
            assert_eq!(t.call("SCAN 0 COUNT 1000").elements()[1].elements(), []);
        });
    });
}

#[test]
fn writes_on_an_expired_key_start_afresh() {
    each(|t| {
        without_active_expiry(t, |t| {
            store_expiring(t, &["n", "s", "r", "x", "y", "g"]);
            t.check("INCR n", 1);
            t.check("APPEND s abc", 3);
            t.check("SETRANGE r 1 b", 2);
            t.check("SET x v XX", NIL);
            t.check("SETNX y v", 1);
            t.check("GETSET g v", NIL);
            for key in ["n", "s", "r", "y", "g"] {
                t.check(["TTL", key], -1);
            }
        });
    });
}

#[test]
fn memory_comes_back_without_any_access() {
    each(|t| {
        t.check("CONFIG RESETSTAT", OK);
        let commands = (0..2000).map(|number| format!("SET k{number} v PX 20"));
        t.pipeline(commands);
        t.check("SET stays v", OK);
        eventually("active expiry empties the database", || t.integer("DBSIZE") == 1);
        assert_eq!(t.info("stats").number("expired_keys"), 2000);
        t.check("GET stays", bulk("v"));
    });
}

#[test]
fn active_expiry_can_be_stopped() {
    each(|t| {
        without_active_expiry(t, |t| {
            store_expiring(t, &["a", "b", "c"]);
            assert_eq!(t.integer("DBSIZE"), 3, "only the marker was looked at");
            t.check("GET a", NIL);
            assert_eq!(t.integer("DBSIZE"), 2);
        });
        eventually("active expiry resumes", || t.integer("DBSIZE") == 0);
    });
}

#[test]
fn active_expiry_works_in_every_database() {
    each(|t| {
        for database in 0..16 {
            t.check(["SELECT".to_owned(), database.to_string()], OK);
            t.check("SET k v PX 10", OK);
        }
        eventually("all databases are empty", || t.info("keyspace").names().is_empty());
    });
}

#[test]
fn expiry_moves_with_the_key() {
    each(|t| {
        t.check("SET a v PX 60000", OK);
        t.check("RENAME a b", OK);
        t.check("COPY b c", 1);
        t.check("MOVE c 1", 1);
        for (database, key) in [(0, "b"), (1, "c")] {
            t.check(["SELECT".to_owned(), database.to_string()], OK);
            let left_ms = t.integer(format!("PTTL {key}"));
            assert!((1..=60_000).contains(&left_ms), "{key} expires in {left_ms} ms");
        }
    });
}

#[test]
fn an_overwritten_key_does_not_inherit_the_old_deadline() {
    each(|t| {
        t.check("SET k old PX 20", OK);
        t.check("SET marker v PX 40", OK);
        t.check("SET k new", OK);
        eventually("the old deadline passes", || t.integer("EXISTS marker") == 0);
        t.check("GET k", bulk("new"));
        // Long enough to be there for PERSIST on a busy machine.
        t.check("SET p v PX 300", OK);
        t.check("PERSIST p", 1);
        t.check("SET marker v PX 320", OK);
        eventually("the old deadline passes", || t.integer("EXISTS marker") == 0);
        t.check("GET p", bulk("v"));
    });
}

/// Expired keys among ten times as many that stay must not hide from the collector.
#[test]
fn a_few_expired_keys_among_many_lasting_ones_are_found() {
    each_core_count(&[1, 2, 8], |t| {
        t.pipeline((0..20_000).map(|number| format!("SET lasting:{number} v EX 1000")));
        t.pipeline((0..2_000).map(|number| format!("SET short:{number} v PX 20")));
        // Redis samples, and stops while a tenth of the keys with an expiry may be stale. An index
        // by time finds them all.
        let stale_count_max = if is_basalt() { 0 } else { 1_999 };
        eventually_within(Duration::from_secs(60), "stale keys are collected", || {
            t.integer("DBSIZE") <= 20_000 + stale_count_max
        });
        t.check("GET lasting:19999", bulk("v"));
    });
}

#[test]
fn time_stands_still_for_a_script() {
    each(|t| {
        t.check("DEBUG SET-DISABLE-DENY-SCRIPTS 1", OK);
        let script = "redis.call('SET', KEYS[1], 'v', 'PX', 1) \
                      redis.call('DEBUG', 'SLEEP', '0.01') return redis.call('EXISTS', KEYS[1])";
        t.check(["EVAL", script, "1", "k"], 1);
        t.check("EXISTS k", 0);
        let script = "local before = redis.call('TIME')[2] redis.call('DEBUG', 'SLEEP', '0.01') \
                      return redis.call('TIME')[2] == before";
        t.check(["EVAL", script, "0"], 1);
        t.check("DEBUG SET-DISABLE-DENY-SCRIPTS 0", OK);
    });
}
