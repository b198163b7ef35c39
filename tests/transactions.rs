//! MULTI, EXEC and WATCH over sockets. Interleavings are searched in `shard/tests/transactions.rs`.

mod support;

use support::{Expect, NIL_ARRAY, OK, Test, array, bulk, each, line};

const QUEUED: &str = "+QUEUED";

fn run(t: &mut Test, commands: &[&str], expected: impl Into<Expect>) {
    t.check("MULTI", OK);
    for command in commands {
        t.check(*command, QUEUED);
    }
    t.check("EXEC", expected);
}

#[test]
fn a_transaction_is_answered_as_one() {
    each(|t| {
        let ok: Expect = OK.into();
        run(
            t,
            &["SET a 1", "INCR a", "PING", "MSET b 1 c 2", "EXISTS a b c d"],
            array([ok.clone(), 2.into(), line("+PONG"), ok.clone(), 3.into()]),
        );
        run(t, &["FLUSHALL", "SET d 1", "DBSIZE"], array([ok.clone(), ok, 1.into()]));
    });
}

#[test]
fn a_watched_key_decides() {
    each(|t| {
        let mut other = t.connect();
        t.check("WATCH a b", OK);
        other.check("SET b 1", OK);
        run(t, &["SET c 1"], NIL_ARRAY);
        t.check("WATCH a b", OK);
        other.check("GET b", bulk("1"));
        run(t, &["SET c 1"], array([Expect::from(OK)]));
    });
}

#[test]
fn client_list_tells_of_it() {
    each(|t| {
        let id = t.integer("CLIENT ID");
        let mut other = t.connect();
        t.check("WATCH a b", OK);
        t.check("MULTI", OK);
        t.check("PING", QUEUED);
        let line = other.text(&*format!("CLIENT LIST ID {id}"));
        for field in ["flags=x", "multi=1", "watch=2"] {
            assert!(line.contains(field), "{field} is not in {line}");
        }
        t.check("DISCARD", OK);
    });
}
