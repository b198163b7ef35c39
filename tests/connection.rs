//! A connection's own commands: AUTH, HELLO, PING, ECHO, QUIT, RESET. CLIENT is in `client.rs`.

mod support;

use support::{
    Expect, NIL, OK, Reply, Resp, Test, bulk, each, each_core_count, each_with, encode, eventually,
};

const NO_AUTH: &str = "-NOAUTH Authentication required.";
const WRONG_PASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.";
const NO_PROTO: &str = "-NOPROTO unsupported protocol version";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

#[test]
fn ping_and_echo() {
    each(|t| {
        t.check("PING", "+PONG");
        t.check("ping hi", bulk("hi"));
        t.check(r#"PING """#, bulk(""));
        t.check("PING a b", wrong_arity("ping"));
        t.check(r#"ECHO "a\x00\r\nb""#, bulk(b"a\0\r\nb"));
        t.check("ECHO", wrong_arity("echo"));
        t.check("ECHO a b", wrong_arity("echo"));
    });
}

#[test]
fn quit_answers_then_hangs_up() {
    each(|t| {
        let mut client = t.connect();
        client.send(b"SET k v\r\nQUIT\r\nSET k w\r\n");
        assert_eq!(client.read_until_closed(), b"+OK\r\n+OK\r\n");
        t.check("GET k", bulk("v"));
        let mut client = t.connect();
        client.send_command("quit whatever");
        assert_eq!(client.read_until_closed(), b"+OK\r\n");
    });
}

#[test]
fn reset_returns_to_the_beginning() {
    each(|t| {
        t.check("SELECT 3", OK);
        t.check("SET k v", OK);
        t.check("CLIENT SETNAME me", OK);
        t.check("RESET", "+RESET");
        t.assume(Resp::Two);
        t.check("GET k", NIL);
        t.check("CLIENT GETNAME", NIL);
        t.check("SELECT 3", OK);
        t.check("GET k", bulk("v"));
        t.check("RESET x", wrong_arity("reset"));
    });
}

#[test]
fn reset_turns_replies_on_again() {
    each(|t| {
        t.send_command("CLIENT REPLY OFF");
        t.send_command("PING");
        t.send_command("RESET");
        t.assume(Resp::Two);
        t.check_next("RESET", "+RESET");
        t.check("PING", "+PONG");
    });
}

/// The fields every client library reads, whatever the protocol of the reply.
fn assert_hello(t: &Test, reply: &Reply, proto: i64) {
    let expected_kind = if proto == 3 { "Map" } else { "Array" };
    assert!(format!("{reply:?}").starts_with(expected_kind), "HELLO {proto}: {reply:?}");
    let names: Vec<String> = reply.pairs().iter().map(|(name, _)| name.text()).collect();
    let expected = ["server", "version", "proto", "id", "mode", "role", "modules"];
    assert_eq!(names[..7], expected);
    let field = |name| reply.field(name).expect("a field listed above");
    assert_eq!(field("proto").integer(), proto);
    assert_eq!(field("mode").text(), "standalone");
    assert_eq!(field("role").text(), "master");
    assert!(field("id").integer() > 0, "{:?}", t.resp());
    assert!(field("version").text().contains('.'));
    assert!(matches!(field("modules"), Reply::Array(_)));
}

#[test]
fn hello_switches_the_protocol_of_its_own_reply() {
    each(|t| {
        let started_with = if t.resp() == Resp::Three { 3 } else { 2 };
        let reply = t.call("HELLO");
        assert_hello(t, &reply, started_with);
        for version in [3, 2, 2, 3, 3] {
            let reply = t.call(["HELLO".to_owned(), version.to_string()]);
            assert_hello(t, &reply, version);
            t.assume(if version == 3 { Resp::Three } else { Resp::Two });
            t.check("GET missing", NIL);
        }
    });
}

#[test]
fn hello_with_options() {
    each(|t| {
        let version = if t.resp() == Resp::Three { "3" } else { "2" };
        let id = t.integer("CLIENT ID");
        let reply = t.call(["HELLO", version, "SETNAME", "me"]);
        assert_eq!(reply.field("id"), Some(Reply::Integer(id)));
        t.check("CLIENT GETNAME", bulk("me"));
        t.call(["HELLO", version, "auth", "default", "anything", "setname", "you"]);
        t.check("CLIENT GETNAME", bulk("you"));
    });
}

#[test]
fn hello_errors_change_nothing() {
    each(|t| {
        t.check("CLIENT SETNAME me", OK);
        for version in ["0", "1", "4", "99"] {
            t.check(["HELLO", version], NO_PROTO);
        }
        t.check("HELLO x", "-ERR Protocol version is not an integer or out of range");
        t.check("HELLO 3 auth", "-ERR Syntax error in HELLO option 'auth'");
        t.check("HELLO 3 AUTH user", "-ERR Syntax error in HELLO option 'AUTH'");
        t.check("HELLO 2 foo", "-ERR Syntax error in HELLO option 'foo'");
        t.check("HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'");
        t.check(
            ["HELLO", "2", "SETNAME", "a b"],
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        );
        t.check("HELLO 3 AUTH nobody x", WRONG_PASS);
        t.check("GET missing", NIL);
        t.check("CLIENT GETNAME", bulk("me"));
    });
}

#[test]
fn auth_without_a_password_configured() {
    each(|t| {
        let needless = "-ERR AUTH <password> called without any password configured for the \
            default user. Are you sure your configuration is correct?";
        t.check("AUTH secret", needless);
        t.check("AUTH default anything", OK);
        t.check("AUTH nobody anything", WRONG_PASS);
        t.check("AUTH a b c", "-ERR syntax error");
        t.check("AUTH", wrong_arity("auth"));
    });
}

/// A connection of its own that has not sent anything, unlike the test's.
fn stranger(t: &Test) -> support::Client {
    t.server.connect_plain()
}

#[test]
fn a_password_guards_everything_but_the_door() {
    each(|t| {
        t.check("CONFIG SET requirepass secret", OK);
        let mut client = stranger(t);
        for command in ["GET k", "PING", "SET k v", "CLIENT ID", "CONFIG GET *", "SELECT 1"] {
            client.check(command, NO_AUTH);
        }
        client.check("GET", wrong_arity("get"));
        client.check(
            "nosuch command",
            "-ERR unknown command 'nosuch', with args beginning with: \
            'command' ",
        );
        client.check("AUTH wrong", WRONG_PASS);
        client.check("AUTH default wrong", WRONG_PASS);
        client.check("AUTH nobody secret", WRONG_PASS);
        client.check("PING", NO_AUTH);
        client.check("AUTH secret", OK);
        client.check("PING", "+PONG");
        client.check("AUTH wrong", WRONG_PASS);
        client.check("PING", "+PONG");
        client.check("RESET", "+RESET");
        client.check("PING", NO_AUTH);
        client.check("AUTH default secret", OK);
        client.check("CONFIG GET requirepass", [bulk("requirepass"), bulk("secret")]);
        client.check(r#"CONFIG SET requirepass """#, OK);
        stranger(t).check("PING", "+PONG");
    });
}

#[test]
fn hello_opens_the_door_too() {
    each(|t| {
        t.check("CONFIG SET requirepass secret", OK);
        let mut client = stranger(t);
        // The middle of the hint changed between versions; clients look at the beginning.
        let hint = "NOAUTH HELLO must be called with the client already authenticated, otherwise \
            the HELLO ";
        for command in ["HELLO", "HELLO 3", "HELLO 3 SETNAME me"] {
            let reply = client.call(command);
            assert!(reply.error().starts_with(hint), "{command}: {reply:?}");
        }
        client.check("HELLO 3 AUTH default wrong", WRONG_PASS);
        client.check("PING", NO_AUTH);
        let reply = client.call("HELLO 3 AUTH default secret SETNAME me");
        assert_hello(t, &reply, 3);
        client.assume(Resp::Three);
        client.check("CLIENT GETNAME", bulk("me"));
        t.check(r#"CONFIG SET requirepass """#, OK);
    });
}

#[test]
fn strangers_may_not_send_much() {
    each(|t| {
        t.check("CONFIG SET requirepass secret", OK);
        let mut client = stranger(t);
        client.send(b"*11\r\n");
        let refusal = b"-ERR Protocol error: unauthenticated multibulk length\r\n";
        assert_eq!(client.read_until_closed(), refusal);
        let mut client = stranger(t);
        client.send(b"*2\r\n$16385\r\n");
        let refusal = b"-ERR Protocol error: unauthenticated bulk length\r\n";
        assert_eq!(client.read_until_closed(), refusal);
        t.check(r#"CONFIG SET requirepass """#, OK);
    });
}

#[test]
fn a_pipeline_across_auth_is_judged_command_by_command() {
    each(|t| {
        t.check("CONFIG SET requirepass secret", OK);
        let mut client = stranger(t);
        let sent = ["PING", "AUTH secret", "PING", "AUTH wrong", "PING"].map(encode).concat();
        let expected = [NO_AUTH, "+OK", "+PONG", WRONG_PASS, "+PONG"].join("\r\n") + "\r\n";
        client.check_bytes(&sent, expected.as_bytes());
        t.check(r#"CONFIG SET requirepass """#, OK);
    });
}

#[test]
fn a_password_from_the_command_line() {
    each_with(&["--requirepass", "from the start"], |t| {
        let mut client = stranger(t);
        client.check("PING", NO_AUTH);
        client.check(["AUTH", "from the start"], OK);
        client.check("PING", "+PONG");
    });
}

#[test]
fn connections_keep_their_own_protocol() {
    each(|t| {
        let mut two = stranger(t);
        let mut three = stranger(t);
        three.speak(Resp::Three);
        for _ in 0..10 {
            two.check("GET missing", NIL);
            three.check("GET missing", NIL);
        }
    });
}

#[test]
fn a_client_may_say_who_it_is_while_a_script_is_busy() {
    each_with(&["--busy-reply-threshold", "50", "--cores", "1"], |t| {
        let (mut busy, mut other) = (t.connect(), t.connect());
        busy.send_command(["EVAL", "while true do end", "0"]);
        eventually(
            "the script is busy",
            || matches!(t.call("PING"), Reply::Error(text) if text.starts_with("BUSY")),
        );
        other.check("HELLO 9", "-NOPROTO unsupported protocol version");
        other.check(
            "AUTH nobody x",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        );
        assert!(!matches!(other.call("HELLO 3 SETNAME me"), Reply::Error(_)));
        t.check("SCRIPT KILL", OK);
        other.check("CLIENT GETNAME", bulk("me"));
        assert!(matches!(busy.read_reply(), Reply::Error(_)));
    });
}

/// The answer to what is asked in the moment in which a script begins that takes long is not left
/// behind that script.
#[test]
fn who_asks_while_a_script_begins_is_answered() {
    const TIMES: usize = 60;
    let library = "#!lua name=endless\n\
                   redis.register_function('endless', function() while true do end end)";
    let input =
        [encode(["FUNCTION", "LOAD", "REPLACE", library]), encode("FCALL endless 0")].concat();
    let is_busy = |reply: &Reply| matches!(reply, Reply::Error(text) if text.starts_with("BUSY"));
    each_with(&["--busy-reply-threshold", "10"], |t| {
        for _ in 0..TIMES {
            let (mut busy, mut other) = (t.connect(), t.connect());
            other.check("CONFIG SET busy-reply-threshold 10", OK);
            busy.send(&input);
            let reply = other.call("PING");
            assert!(is_busy(&reply) || reply.text() == "PONG");
            eventually("the script is busy", || is_busy(&t.call("PING")));
            t.check("FUNCTION KILL", OK);
            assert_eq!(busy.read_reply().text(), "endless");
            assert!(matches!(busy.read_reply(), Reply::Error(_)));
        }
    });
}

/// So many clients at once that some are not even owed a reply when they hang up, since a core may
/// have only so much under way. It is the half that sends that they close.
#[test]
fn everything_runs_that_was_sent_before_hanging_up() {
    const CLIENTS: usize = 1600;
    let transaction = b"MULTI\r\nINCR a\r\nINCR b\r\nINCR c\r\nINCR d\r\nEXEC\r\n";
    each_core_count(&[2], |t| {
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| t.connect()).collect();
        // Nobody's transaction comes back meanwhile.
        t.send_command("DEBUG SLEEP 0.3");
        for client in &mut clients {
            client.send(transaction);
            client.finish_sending();
        }
        t.check_next("DEBUG SLEEP", OK);
        for client in &mut clients {
            let replies = client.read_until_closed();
            assert_eq!(replies.iter().filter(|byte| **byte == b':').count(), 4);
        }
        for key in ["a", "b", "c", "d"] {
            t.check(format!("GET {key}"), bulk(CLIENTS.to_string()));
        }
    });
}
