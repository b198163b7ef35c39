//! Users and their rights over sockets: refusals, logs, files, and what happens to connections.

mod support;

use support::{
    Client, Expect, Launch, NIL, OK, Reply, Server, Test, array, bulk, each, eventually, owned,
};

const NO_KEY: &str = "-NOPERM No permissions to access a key";

fn no_command(user: &str, command: &str) -> Expect {
    format!("-NOPERM User {user} has no permissions to run the '{command}' command").into()
}

/// A connection that is logged in as a user without a password.
fn as_user(t: &Test, name: &str) -> Client {
    let mut client = t.server.connect_plain();
    client.check(format!("AUTH {name} any").as_str(), OK);
    client
}

#[test]
fn rights_are_checked_where_commands_arrive() {
    each(|t| {
        t.check("ACL SETUSER alice on nopass ~a:* %R~b:* +get +set +mget +client +multi +exec", OK);
        let mut alice = as_user(t, "alice");
        alice.check("ACL WHOAMI", no_command("alice", "acl|whoami"));
        alice.check("SET a:1 x", OK);
        alice.check("SET b:1 x", NO_KEY);
        alice.check("GET b:1", NIL);
        alice.check("MGET a:1 b:1", [bulk("x"), NIL]);
        alice.check("MGET a:1 c:1", NO_KEY);
        alice.check("DEL a:1", no_command("alice", "del"));
        alice.check("nosuch", "-ERR unknown command 'nosuch', with args beginning with: ");
        alice.check("GET", "-ERR wrong number of arguments for 'get' command");
        t.check("ACL SETUSER alice -@all", OK);
        alice.check("GET a:1", no_command("alice", "get"));
        t.check("ACL DELUSER alice nobody", 1);
        assert_eq!(alice.read_until_closed(), b"");
    });
}

#[test]
fn exec_checks_again() {
    each(|t| {
        t.check("ACL SETUSER alice on nopass ~a +@all", OK);
        let mut alice = as_user(t, "alice");
        alice.check("MULTI", OK);
        alice.check("SET b 1", NO_KEY);
        alice.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        alice.check("MULTI", OK);
        alice.check("SET a 1", "+QUEUED");
        alice.check("PING", "+QUEUED");
        t.check("ACL SETUSER alice resetkeys", OK);
        let refusal = "-NOPERM ACLs rules changed between the moment the transaction was \
            accumulated and the EXEC call. This command is no longer allowed for the following \
            reason: no permission to touch the specified keys";
        alice.check("EXEC", [Expect::from(refusal), "+PONG".into()]);
        t.check("GET a", NIL);
        t.check("ACL DELUSER alice", 1);
    });
}

#[test]
fn who_waits_for_keys_may_lose_the_right_to_them() {
    each(|t| {
        t.check("ACL SETUSER alice on nopass ~list +@all", OK);
        let mut alice = as_user(t, "alice");
        alice.send_command("BLPOP list 0");
        eventually("a client waits", || t.info("clients").number("blocked_clients") == 1);
        t.check("ACL SETUSER alice resetkeys", OK);
        t.check("RPUSH list x", 1);
        alice.check_next("BLPOP", NO_KEY);
        t.check("LPOP list", bulk("x"));
        t.check("ACL DELUSER alice", 1);
    });
}

#[test]
fn who_deletes_itself_gets_its_answer() {
    each(|t| {
        t.check("ACL SETUSER alice on nopass +@all", OK);
        let mut alice = as_user(t, "alice");
        alice.check("ACL DELUSER alice", 1);
        assert_eq!(alice.read_until_closed(), b"");
        t.check("ACL DELUSER default", "-ERR The 'default' user cannot be removed");
    });
}

#[test]
fn refusals_are_logged_once_with_a_count() {
    each(|t| {
        t.check("ACL LOG RESET", OK);
        t.check("ACL SETUSER alice on nopass +get ~a", OK);
        let mut alice = as_user(t, "alice");
        for _ in 0..3 {
            alice.check("GET b", NO_KEY);
        }
        alice.call("AUTH alice2 wrong");
        let log = t.call("ACL LOG");
        let fields = |entry: &Reply, names: &[&str]| -> Vec<String> {
            names.iter().map(|name| entry.field(name).expect("it is there").text()).collect()
        };
        let names = ["reason", "context", "object", "username"];
        let entries = log.elements();
        assert_eq!(entries.len(), 2, "{log:?}");
        assert_eq!(fields(&entries[0], &names), ["auth", "toplevel", "AUTH", "alice2"]);
        assert_eq!(fields(&entries[1], &names), ["key", "toplevel", "b", "alice"]);
        assert_eq!(entries[1].field("count").map(|count| count.integer()), Some(3));
        let client = entries[1].field("client-info").expect("it is there").text();
        assert!(client.contains("cmd=get user=alice"), "{client}");
        t.check("ACL LOG RESET", OK);
        t.check("ACL LOG", array::<Expect>([]));
        t.check("ACL DELUSER alice", 1);
    });
}

#[test]
fn kill_finds_clients_by_user() {
    each(|t| {
        t.check("ACL SETUSER alice on nopass +@all", OK);
        let mut alice = as_user(t, "alice");
        assert!(alice.text("CLIENT INFO").contains(" user=alice "));
        t.check("CLIENT KILL USER nobody", "-ERR No such user 'nobody'");
        t.check("CLIENT KILL USER alice", 1);
        assert_eq!(alice.read_until_closed(), b"");
        t.check("ACL DELUSER alice", 1);
    });
}

#[test]
fn sort_needs_all_keys_for_patterns() {
    each(|t| {
        t.check("RPUSH list 1", 1);
        t.check("ACL SETUSER alice on nopass +sort ~list (+sort %R~* ~list)", OK);
        as_user(t, "alice").check("SORT list BY w_* GET x_*", [NIL]);
        t.check("ACL SETUSER alice clearselectors", OK);
        let mut alice = as_user(t, "alice");
        let refusal = "option of SORT denied due to insufficient ACL permissions.";
        alice.check("SORT list BY w_*", format!("-ERR BY {refusal}").as_str());
        alice.check("SORT list GET x_*", format!("-ERR GET {refusal}").as_str());
        alice.check("SORT list", [bulk("1")]);
        t.check("ACL DELUSER alice", 1);
        t.check("DEL list", 1);
    });
}

/// A server whose users come from a file with this in it.
fn with_acl_file(t: &Test, text: &str) -> Server {
    Server::launch(t.server.config(), |directory, port| {
        directory.write("users.acl", text);
        let port = port.to_string();
        let arguments = owned(&[
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--aclfile",
            "users.acl",
        ]);
        Launch { arguments, input: String::new() }
    })
}

#[test]
fn users_are_read_from_a_file_and_written_back() {
    each(|t| {
        let server = with_acl_file(t, "user alice on nopass ~* +@all\n");
        let mut client = server.connect_plain();
        client.check("AUTH alice x", OK);
        client.check("ACL SETUSER bob off >secret +get", OK);
        client.check("ACL SAVE", OK);
        client.check("ACL DELUSER bob", 1);
        client.check("ACL USERS", [bulk("alice"), bulk("default")]);
        client.check("ACL LOAD", OK);
        let secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let bob = format!("user bob off sanitize-payload #{secret} resetchannels -@all +get");
        client.check(
            "ACL LIST",
            [
                bulk("user alice on nopass sanitize-payload ~* resetchannels +@all"),
                bulk(bob),
                bulk("user default on nopass sanitize-payload ~* &* +@all"),
            ],
        );
    });
}

#[test]
fn commands_can_have_other_names_or_none() {
    each(|t| {
        let server = Server::launch(t.server.config(), |directory, port| {
            let lines = format!(
                "port {port}\nbind 127.0.0.1\nsave \"\"\nrename-command CONFIG secret\n\
                 rename-command FLUSHALL \"\"\n"
            );
            let arguments = vec![directory.write("basalt.conf", &lines)];
            Launch { arguments, input: String::new() }
        });
        let mut client = server.connect_plain();
        client.check("secret GET hz", [bulk("hz"), bulk("10")]);
        let unknown = "-ERR unknown command 'CONFIG', with args beginning with: 'GET' 'hz' ";
        client.check("CONFIG GET hz", unknown);
        client.check("FLUSHALL", "-ERR unknown command 'FLUSHALL', with args beginning with: ");
        client.check("ACL SETUSER alice on nopass +config|get", OK);
        client.check("AUTH alice x", OK);
        client.check("Secret get hz", [bulk("hz"), bulk("10")]);
        client.check("secret set hz 11", no_command("alice", "config|set"));
    });
}
