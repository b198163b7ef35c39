//! `user-rate-limit`: a user has one allowance for the whole server, whatever cores its connections
//! are at.

mod support;

use std::time::Instant;

use support::{Client, OK, Test, each};

const REFUSED: &str = "-THROTTLED User 'alice' is limited to 1 commands per second";

fn log_in(t: &mut Test, name: &str) -> Client {
    let mut client = t.connect();
    client.check(["AUTH", name, "x"], OK);
    client
}

fn is_refused(client: &mut Client, command: &str) -> bool {
    let reply = format!("{:?}", client.call(command));
    assert!(!reply.contains("THROTTLED") || reply.contains(&REFUSED[1..]), "{reply}");
    reply.contains("THROTTLED")
}

#[test]
fn all_connections_of_a_user_share_its_tokens() {
    each(|t| {
        t.check("ACL SETUSER alice on >x ~* +@all", OK);
        t.check("ACL SETUSER bob on >x ~* +@all", OK);
        t.check("CONFIG RESETSTAT", OK);
        t.check("CONFIG SET user-rate-limit alice:1:10", OK);
        let begun = Instant::now();
        let mut clients: Vec<Client> = (0..4).map(|_| log_in(t, "alice")).collect();
        let mut refused = 0;
        for number in 0..40 {
            let command = format!("SET k{number} v");
            refused += usize::from(is_refused(&mut clients[number % 4], &command));
        }
        let filled = begun.elapsed().as_secs() as usize + 1;
        assert!(refused <= 30 && refused + filled >= 30, "{refused} of 40, {filled} s");
        assert_eq!(t.info("stats").number("throttled_commands") as usize, refused);
        // Others are not concerned, nor is who logs in or leaves, nor who was there before.
        let mut bob = log_in(t, "bob");
        (0..50).for_each(|_| bob.check("PING", "+PONG"));
        let mut late = log_in(t, "alice");
        late.check("QUIT", OK);
        // A change of something else gives nobody new tokens; another limit does.
        t.check("CONFIG SET user-rate-limit alice:1:1000000", OK);
        (0..50).for_each(|_| clients[0].check("PING", "+PONG"));
        t.check("CONFIG SET user-rate-limit \"\"", OK);
        t.check("ACL DELUSER alice bob", 2);
    });
}

#[test]
fn transactions_fail_as_for_any_refused_command() {
    each(|t| {
        t.check("ACL SETUSER alice on >x ~* +@all", OK);
        t.check("CONFIG SET user-rate-limit alice:1:2", OK);
        let mut client = log_in(t, "alice");
        client.check("MULTI", OK);
        client.check("SET k v", "+QUEUED");
        let mut is_broken = false;
        for _ in 0..5 {
            is_broken |= is_refused(&mut client, "SET k w");
        }
        assert!(is_broken);
        t.check("GET k", support::NIL);
        t.check("CONFIG SET user-rate-limit \"\"", OK);
        let said = format!("{:?}", client.call("EXEC"));
        assert!(said.contains("EXECABORT"), "{said}");
        t.check("ACL DELUSER alice", 1);
    });
}

#[test]
fn every_other_user_has_an_allowance_of_its_own() {
    each(|t| {
        t.check("ACL SETUSER bob on >x ~* +@all", OK);
        t.check("CONFIG SET user-rate-limit \"default:1000000 *:1:5\"", OK);
        let mut bob = log_in(t, "bob");
        let allowed =
            (0..20).filter(|_| !format!("{:?}", bob.call("PING")).contains("THROTTLED User 'bob'"));
        assert!((5..10).contains(&allowed.count()));
        t.check("PING", "+PONG");
        let bad = "-ERR CONFIG SET failed (possibly related to argument 'user-rate-limit') - \
            user-rate-limit takes entries name:per-second[:burst]";
        t.check("CONFIG SET user-rate-limit bob", bad);
        t.check("CONFIG SET user-rate-limit \"\"", OK);
        t.check("ACL DELUSER bob", 1);
    });
}
