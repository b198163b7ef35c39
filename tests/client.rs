//! The CLIENT command: identity, listing, killing, pausing, silencing, unblocking.

mod support;

use std::time::{Duration, Instant};

use support::{
    Client, Expect, Fields, NIL, OK, Reply, Resp, Test, array, bulk, each, each_with, eventually,
    map, set,
};

const SYNTAX: &str = "-ERR syntax error";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const BAD_NAME: &str = "-ERR Client names cannot contain spaces, newlines or special characters.";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

/// One line per client, as the server tells it.
fn client_list(t: &mut Test, command: &str) -> Vec<Fields> {
    t.text(command).lines().map(Fields::of_client).collect()
}

fn id_of(client: &mut Client) -> String {
    client.integer("CLIENT ID").to_string()
}

/// Waits until the server has forgotten every connection but the test's own.
fn alone(t: &mut Test) {
    eventually("old connections are gone", || client_list(t, "CLIENT LIST").len() == 1);
}

#[test]
fn ids_rise_and_stay() {
    each(|t| {
        let first = t.integer("CLIENT ID");
        let mut other = t.connect();
        assert!(other.integer("CLIENT ID") > first);
        t.check("CLIENT ID", first);
        t.check("CLIENT ID x", wrong_arity("client|id"));
    });
}

#[test]
fn names() {
    each(|t| {
        t.check("CLIENT GETNAME", NIL);
        t.check("CLIENT SETNAME worker:1", OK);
        t.check("CLIENT GETNAME", bulk("worker:1"));
        t.check("CLIENT SETNAME 'a b'", BAD_NAME);
        t.check(r#"CLIENT SETNAME "a\nb""#, BAD_NAME);
        t.check(r#"CLIENT SETNAME "\xffx""#, BAD_NAME);
        t.check("CLIENT GETNAME", bulk("worker:1"));
        t.check(r#"CLIENT SETNAME """#, OK);
        t.check("CLIENT GETNAME", NIL);
        t.check("CLIENT SETNAME", wrong_arity("client|setname"));
        t.check("CLIENT GETNAME x", wrong_arity("client|getname"));
    });
}

/// The fields of 7.0, in order. Later servers add more between and behind them.
const LIST_FIELDS: [&str; 27] = [
    "id",
    "addr",
    "laddr",
    "fd",
    "name",
    "age",
    "idle",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "qbuf",
    "qbuf-free",
    "argv-mem",
    "multi-mem",
    "rbs",
    "rbp",
    "obl",
    "oll",
    "omem",
    "tot-mem",
    "events",
    "cmd",
    "user",
    "redir",
];

#[test]
fn info_describes_the_own_connection() {
    each(|t| {
        t.check("CLIENT SETNAME me", OK);
        t.check("SELECT 2", OK);
        let line = t.text("CLIENT INFO");
        assert!(line.ends_with('\n'), "{line:?}");
        let fields = Fields::of_client(&line);
        let mut names = fields.names().iter();
        for expected in LIST_FIELDS {
            assert!(names.any(|name| name == expected), "{expected} missing or late in {line}");
        }
        assert_eq!(fields.text("id"), t.integer("CLIENT ID").to_string());
        assert_eq!(fields.text("addr"), t.local_address());
        assert_eq!(fields.text("laddr"), format!("127.0.0.1:{}", t.server.port()));
        assert_eq!(fields.text("name"), "me");
        assert_eq!(fields.text("flags"), "N");
        assert_eq!(fields.text("db"), "2");
        assert_eq!(fields.text("multi"), "-1");
        assert_eq!(fields.text("cmd"), "client|info");
        assert_eq!(fields.text("user"), "default");
        assert_eq!(fields.text("resp"), if t.resp() == Resp::Three { "3" } else { "2" });
    });
}

#[test]
fn list_names_all_connections() {
    each(|t| {
        let mut others = [t.connect(), t.connect(), t.connect()];
        alone_but(t, 4);
        others[1].check("SELECT 7", OK);
        others[1].check("GET k", NIL);
        let wanted = id_of(&mut others[1]);
        others[1].check("GET k", NIL);
        let all = client_list(t, "CLIENT LIST");
        let found = all.iter().find(|client| client.text("id") == wanted).expect("listed");
        assert_eq!((found.text("db"), found.text("cmd")), ("7", "get"));
        assert_eq!(client_list(t, "CLIENT LIST TYPE normal").len(), 4);
        assert_eq!(client_list(t, "CLIENT LIST type PUBSUB").len(), 0);
        assert_eq!(client_list(t, "CLIENT LIST TYPE replica").len(), 0);
        assert_eq!(client_list(t, "CLIENT LIST TYPE slave").len(), 0);
        assert_eq!(client_list(t, "CLIENT LIST TYPE master").len(), 0);
        let by_id = client_list(t, &format!("CLIENT LIST ID {wanted} 999999999"));
        assert_eq!(by_id.len(), 1);
        assert_eq!(by_id[0].text("id"), wanted);
        assert_eq!(t.text("CLIENT LIST ID 999999999"), "");
    });
}

fn alone_but(t: &mut Test, count: usize) {
    eventually("old connections are gone", || client_list(t, "CLIENT LIST").len() == count);
}

#[test]
fn list_errors() {
    each(|t| {
        t.check("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'");
        t.check("CLIENT LIST TYPE", SYNTAX);
        t.check("CLIENT LIST ID", SYNTAX);
        t.check("CLIENT LIST ID x", "-ERR Invalid client ID");
        t.check("CLIENT LIST foo", SYNTAX);
    });
}

#[test]
fn kill_by_address_in_the_old_form() {
    each(|t| {
        let mut victim = t.connect();
        victim.check("PING", "+PONG");
        t.check(["CLIENT", "KILL", &victim.local_address()], OK);
        assert_eq!(victim.read_until_closed(), b"");
        t.check("CLIENT KILL 1.2.3.4:5", "-ERR No such client");
        t.check("CLIENT KILL nonsense", "-ERR No such client");
        t.check("CLIENT KILL", wrong_arity("client|kill"));
    });
}

#[test]
fn kill_by_filter() {
    each(|t| {
        let server = format!("127.0.0.1:{}", t.server.port());
        let filters: [fn(&mut Client, &str) -> String; 4] = [
            |victim, _| format!("ID {}", id_of(victim)),
            |victim, _| format!("ADDR {}", victim.local_address()),
            |victim, server| format!("LADDR {server} ADDR {}", victim.local_address()),
            |victim, _| format!("ID {} TYPE normal USER default SKIPME yes", id_of(victim)),
        ];
        for filter in filters {
            let mut victim = t.connect();
            victim.check("PING", "+PONG");
            let command = format!("CLIENT KILL {}", filter(&mut victim, &server));
            t.check(&command, 1);
            assert_eq!(victim.read_until_closed(), b"", "{command}");
            t.check(&command, 0);
        }
        t.check("CLIENT KILL TYPE pubsub", 0);
        t.check("CLIENT KILL ADDR 1.2.3.4:5", 0);
        t.check("CLIENT KILL LADDR 1.2.3.4:5", 0);
    });
}

#[test]
fn kill_spares_the_caller_unless_told() {
    each(|t| {
        alone(t);
        let mut victims = [t.connect(), t.connect()];
        for victim in &mut victims {
            victim.check("PING", "+PONG");
        }
        t.check("CLIENT KILL TYPE normal", 2);
        for victim in &mut victims {
            assert_eq!(victim.read_until_closed(), b"");
        }
        let mut suicide = t.connect();
        let id = id_of(&mut suicide);
        suicide.check(["CLIENT", "KILL", "ID", &id], 0);
        suicide.check(["CLIENT", "KILL", "ID", &id, "SKIPME", "no"], 1);
        assert_eq!(suicide.read_until_closed(), b"");
        t.check("PING", "+PONG");
    });
}

#[test]
fn kill_by_age() {
    each_with(&[], |t| {
        if !t.since("7.4") {
            return;
        }
        let mut victim = t.connect();
        let id = id_of(&mut victim);
        t.check(["CLIENT", "KILL", "ID", &id, "MAXAGE", "1000"], 0);
        eventually("a second of age", || {
            let list = client_list(t, &format!("CLIENT LIST ID {id}"));
            list[0].number("age") >= 1
        });
        t.check(["CLIENT", "KILL", "ID", &id, "MAXAGE", "1"], 1);
        assert_eq!(victim.read_until_closed(), b"");
    });
}

#[test]
fn kill_errors() {
    each(|t| {
        let bad_id = "-ERR client-id should be greater than 0";
        t.check("CLIENT KILL ID x", bad_id);
        t.check("CLIENT KILL ID 0", bad_id);
        t.check("CLIENT KILL ID -1", bad_id);
        t.check("CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'");
        t.check("CLIENT KILL USER nosuch", "-ERR No such user 'nosuch'");
        t.check("CLIENT KILL ID 1 SKIPME maybe", SYNTAX);
        t.check("CLIENT KILL foo bar", SYNTAX);
        t.check("CLIENT KILL ID 1 TYPE", SYNTAX);
    });
}

#[test]
fn killed_connections_lose_nothing_already_executed() {
    each(|t| {
        let mut victim = t.connect();
        let id = id_of(&mut victim);
        victim.check("SET k v", OK);
        t.check(["CLIENT", "KILL", "ID", &id], 1);
        assert_eq!(victim.read_until_closed(), b"");
        t.check("GET k", bulk("v"));
    });
}

#[test]
fn reply_off_skip_on() {
    each(|t| {
        t.send_command("CLIENT REPLY OFF");
        t.send_command("SET k v");
        t.send_command("nosuch");
        t.check("CLIENT REPLY ON", OK);
        t.check("GET k", bulk("v"));
        t.send_command("CLIENT REPLY SKIP");
        t.send_command("SET k w");
        t.check("GET k", bulk("w"));
        t.send_command("CLIENT REPLY SKIP");
        t.send_command("CLIENT REPLY SKIP");
        t.send_command("PING");
        t.check("ECHO after", bulk("after"));
        t.check("CLIENT REPLY ON", OK);
        t.check("CLIENT REPLY x", SYNTAX);
        t.check("CLIENT REPLY", wrong_arity("client|reply"));
    });
}

#[test]
fn no_evict() {
    each(|t| {
        t.check("CLIENT NO-EVICT on", OK);
        assert_eq!(Fields::of_client(&t.text("CLIENT INFO")).text("flags"), "e");
        t.check("CLIENT NO-EVICT OFF", OK);
        assert_eq!(Fields::of_client(&t.text("CLIENT INFO")).text("flags"), "N");
        t.check("CLIENT NO-EVICT maybe", SYNTAX);
        t.check("CLIENT NO-EVICT", wrong_arity("client|no-evict"));
    });
}

/// Waits for idle time, so it runs on few servers.
#[test]
fn no_touch() {
    each_with(&[], |t| {
        if !t.since("7.2") {
            return;
        }
        t.check("CLIENT NO-TOUCH ON", OK);
        assert_eq!(Fields::of_client(&t.text("CLIENT INFO")).text("flags"), "T");
        t.check("SET k v", OK);
        eventually("the key idles", || t.integer("OBJECT IDLETIME k") >= 1);
        t.check("GET k", bulk("v"));
        assert!(t.integer("OBJECT IDLETIME k") >= 1, "GET under NO-TOUCH must not refresh");
        t.check("TOUCH k", 1);
        t.check("OBJECT IDLETIME k", 0);
        t.check("CLIENT NO-TOUCH OFF", OK);
        t.check("CLIENT NO-TOUCH maybe", SYNTAX);
    });
}

#[test]
fn setinfo() {
    each(|t| {
        if !t.since("7.2") {
            return;
        }
        t.check("CLIENT SETINFO LIB-NAME redis-x(y_v1)", OK);
        t.check("CLIENT SETINFO lib-ver 1.2.3", OK);
        let fields = Fields::of_client(&t.text("CLIENT INFO"));
        assert_eq!((fields.text("lib-name"), fields.text("lib-ver")), ("redis-x(y_v1)", "1.2.3"));
        t.check(
            "CLIENT SETINFO LIB-NAME 'a b'",
            "-ERR LIB-NAME cannot contain spaces, newlines or special characters.",
        );
        t.check(
            r#"CLIENT SETINFO lib-ver "a\nb""#,
            "-ERR lib-ver cannot contain spaces, newlines or special characters.",
        );
        t.check("CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'");
        t.check("CLIENT SETINFO LIB-NAME", wrong_arity("client|setinfo"));
        t.check(r#"CLIENT SETINFO LIB-NAME """#, OK);
        assert_eq!(Fields::of_client(&t.text("CLIENT INFO")).text("lib-name"), "");
    });
}

/// Long enough that nothing ends by itself while a test looks.
const PAUSE: &str = "60000";
const SILENCE: Duration = Duration::from_millis(50);

#[test]
fn pause_all_holds_every_command_even_unpause() {
    each(|t| {
        let mut others = [t.connect(), t.connect()];
        t.check("SET k v", OK);
        let start = Instant::now();
        t.check("CLIENT PAUSE 200 ALL", OK);
        others[0].send_command("GET k");
        others[1].send_command("CLIENT UNPAUSE");
        others[0].check_next("GET k", bulk("v"));
        others[1].check_next("CLIENT UNPAUSE", OK);
        let held = start.elapsed();
        assert!(held >= Duration::from_millis(190), "held for {held:?}");
    });
}

#[test]
fn pause_write_lets_reads_pass() {
    each(|t| {
        let mut reader = t.connect();
        let mut writer = t.connect();
        t.check("SET k v", OK);
        t.check(["CLIENT", "PAUSE", PAUSE, "write"], OK);
        reader.check("GET k", bulk("v"));
        reader.check("PING", "+PONG");
        writer.send_command("SET k w");
        assert!(writer.is_silent_for(SILENCE));
        reader.check("GET k", bulk("v"));
        assert_eq!(t.info("clients").number("blocked_clients"), 1);
        t.check("CLIENT UNPAUSE", OK);
        writer.check_next("SET k w", OK);
    });
}

#[test]
fn pause_ends_by_itself_and_keeps_the_order() {
    each(|t| {
        let mut other = t.connect();
        let start = Instant::now();
        t.check("CLIENT PAUSE 300", OK);
        other.send(b"SET k 1\r\nINCR k\r\nGET k\r\n");
        other.check_next("SET k 1", OK);
        // Not all of it: a pause begins with the turn of its command, which may have begun earlier.
        assert!(start.elapsed() >= Duration::from_millis(150), "held for {:?}", start.elapsed());
        other.check_next("INCR k", 2);
        other.check_next("GET k", bulk("2"));
    });
}

#[test]
fn nothing_expires_for_good_during_a_pause() {
    each(|t| {
        let expired = |t: &mut Test| t.info("stats").number("expired_keys");
        let before = expired(t);
        t.check("MULTI", OK);
        t.check("SET k v PX 10", "+QUEUED");
        t.check(["CLIENT", "PAUSE", PAUSE, "WRITE"], "+QUEUED");
        t.check("EXEC", [OK, OK]);
        eventually("it is out of sight", || t.call("GET k") == Reply::Null);
        t.check("EXISTS k", 0);
        assert_eq!(expired(t), before);
        t.check("CLIENT UNPAUSE", OK);
        t.check("GET k", NIL);
        assert_eq!(expired(t), before + 1);
    });
}

#[test]
fn nothing_is_evicted_during_a_pause() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("CONFIG SET maxmemory-policy allkeys-lru", OK);
        t.check(["CLIENT", "PAUSE", PAUSE, "WRITE"], OK);
        t.check("CONFIG SET maxmemory 1", OK);
        for _ in 0..10 {
            t.check("GET k", bulk("v"));
        }
        t.check("CLIENT UNPAUSE", OK);
        eventually("there is room to be made", || t.integer("DBSIZE") == 0);
        t.check("CONFIG SET maxmemory 0 maxmemory-policy noeviction", OK);
    });
}

#[test]
fn pause_errors() {
    each(|t| {
        t.check("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range");
        t.check("CLIENT PAUSE -1", "-ERR timeout is negative");
        t.check("CLIENT PAUSE 1 x", "-ERR CLIENT PAUSE mode must be WRITE or ALL");
        t.check("CLIENT PAUSE", wrong_arity("client|pause"));
        t.check("CLIENT UNPAUSE", OK);
        t.check("CLIENT UNPAUSE x", wrong_arity("client|unpause"));
    });
}

/// A connection blocked in WAIT for replicas that do not exist, and its id.
fn blocked(t: &mut Test) -> (Client, String) {
    let mut client = t.connect();
    let id = id_of(&mut client);
    client.check("SET {blocked}k v", OK);
    client.send_command("WAIT 1 0");
    eventually("the client blocks", || {
        client_list(t, &format!("CLIENT LIST ID {id}"))[0].text("flags").contains('b')
    });
    (client, id)
}

#[test]
fn unblock() {
    each(|t| {
        for options in [&[][..], &["TIMEOUT"], &["timeout"]] {
            let (mut client, id) = blocked(t);
            t.check([&["CLIENT", "UNBLOCK", &id], options].concat(), 1);
            client.check_next("WAIT 1 0", 0);
            t.check(["CLIENT", "UNBLOCK", &id], 0);
        }
        let (mut client, id) = blocked(t);
        t.check(["CLIENT", "UNBLOCK", &id, "error"], 1);
        client.check_next("WAIT 1 0", "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
        client.check("PING", "+PONG");
    });
}

#[test]
fn unblock_errors() {
    each(|t| {
        t.check("CLIENT UNBLOCK 999999999", 0);
        t.check("CLIENT UNBLOCK x", NOT_AN_INTEGER);
        t.check("CLIENT UNBLOCK 9 foo", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        t.check("CLIENT UNBLOCK", wrong_arity("client|unblock"));
    });
}

#[test]
fn a_blocked_client_can_be_killed() {
    each(|t| {
        let (mut client, id) = blocked(t);
        t.check(["CLIENT", "KILL", "ID", &id], 1);
        assert_eq!(client.read_until_closed(), b"");
    });
}

#[test]
fn tracking_is_off_at_first() {
    each(|t| {
        if !t.has_command("CLIENT|TRACKINGINFO") {
            return;
        }
        t.check("CLIENT GETREDIR", -1);
        let none: [Expect; 0] = [];
        let expected = map([
            ("flags", set([bulk("off")])),
            ("redirect", (-1).into()),
            ("prefixes", array(none)),
        ]);
        t.check("CLIENT TRACKINGINFO", expected);
    });
}

#[test]
fn subcommand_errors_and_help() {
    each(|t| {
        t.check("CLIENT", wrong_arity("client"));
        t.check("CLIENT nosuch", "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.");
        let help = t.call("CLIENT HELP");
        assert!(help.elements().iter().all(|line| matches!(line, Reply::Simple(_))), "{help:?}");
        let lines = help.texts();
        assert_eq!(lines[0], "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[lines.len() - 2], "HELP");
        for name in ["ID", "KILL", "LIST", "PAUSE", "REPLY", "SETNAME", "UNBLOCK"] {
            assert!(lines.iter().any(|line| line.starts_with(name)), "{name} in CLIENT HELP");
        }
    });
}
