//! TLS, as clients see it: on every point of the matrix, with a port opened at run time.

mod support;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::version;
use support::{Client, OK, Reply, Secured, Test, bulk, each, each_with, eventually, key_in_slot};

/// Runs `body` beside a TLS port.
fn secured(auth_clients: &str, body: impl Fn(&mut Test, &Secured)) {
    each(|t| {
        let secured = Secured::open(t, auth_clients);
        body(t, &secured);
        secured.close(t);
    });
}

/// Whether a connection gets as far as a reply.
fn answers(mut client: Client) -> bool {
    client.try_send(b"PING\r\n").is_ok() && client.read_line_if_any().is_some()
}

fn refusal(name: &str) -> String {
    format!(
        "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS \
         configuration. Check server logs."
    )
}

#[test]
fn commands_run_as_ever() {
    secured("no", |t, secured| {
        for version in [&version::TLS12, &version::TLS13] {
            let mut client = secured.connect_as(&secured.authority.client_of(None, &[version]));
            client.speak(t.resp());
            client.check("SET a 1", OK);
            client.check("GET a", bulk("1"));
            // Keys of different cores, in a transaction and in one command.
            let keys: Vec<String> =
                [0, 5000, 11_000, 16_383].map(|slot| key_in_slot(slot, "counter")).into();
            client.check("MULTI", OK);
            for key in &keys {
                client.check(["INCR", key], "+QUEUED");
            }
            assert_eq!(client.call("EXEC").elements().len(), 4);
            let command: Vec<&str> =
                ["MGET"].into_iter().chain(keys.iter().map(|it| &it[..])).collect();
            assert_eq!(client.call(&command[..]).elements().len(), 4);
            t.check(["DEL", &keys[0], &keys[1], &keys[2], &keys[3]], 4);
        }
        assert!(t.info("server").text("listener1").starts_with("name=tls,bind="));
        assert_eq!(t.info("server").number("tcp_port"), i64::from(t.server.port()));
        assert!(t.info("tls").number("tls_server_cert_expires_in_seconds") > 0);
    });
}

#[test]
fn pipelines_and_values_of_every_length_come_through() {
    secured("no", |_, secured| {
        let mut client = secured.connect();
        for len in [0, 1, 16_000, 16_384, 16_385, 70_000, 1_000_000] {
            let value: String =
                (0..len).map(|index| char::from(b'a' + (index % 23) as u8)).collect();
            client.check(["SET", "value", &value], OK);
            client.check("GET value", bulk(&value));
            client.check(["ECHO", &value], bulk(&value));
        }
        let sent = "PING\r\n".repeat(10_000);
        client.send(sent.as_bytes());
        for _ in 0..10_000 {
            client.check_next("a pipelined PING", "+PONG");
        }
        let commands = "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n".repeat(200);
        // In pieces that have nothing to do with commands.
        for piece in commands.as_bytes().chunks(7) {
            client.send(piece);
        }
        for _ in 0..200 {
            client.check_next("an ECHO in pieces", bulk("hi"));
        }
    });
}

#[test]
fn a_reply_much_longer_than_any_buffer_arrives_whole() {
    const LEN: usize = 20 << 20;
    secured("no", |t, secured| {
        t.check(["SETRANGE", "long", &(LEN - 1).to_string(), "x"], LEN as i64);
        let mut client = secured.connect();
        client.send_command("GET long");
        // Others are served meanwhile, though nobody reads the reply yet.
        secured.connect().check("PING", "+PONG");
        let reply = client.read_bytes();
        assert_eq!(reply.len(), LEN + "$20971520\r\n\r\n".len());
        client.check("PING", "+PONG");
        t.check("DEL long", 1);
    });
}

#[test]
fn certificates_of_clients_are_asked_for_as_configured() {
    secured("yes", |t, secured| {
        let identity = secured.authority.issue("alice");
        let with = secured.authority.client(Some(&identity));
        let stranger = support::Authority::new().issue("alice");
        let forged = secured.authority.client(Some(&stranger));
        for (wanted, without_comes_in, forged_comes_in) in
            [("yes", false, false), ("optional", true, false), ("no", true, true)]
        {
            t.check(["CONFIG", "SET", "tls-auth-clients", wanted], OK);
            assert!(answers(secured.connect_as(&with)), "{wanted}");
            assert_eq!(answers(secured.connect()), without_comes_in, "{wanted}");
            assert_eq!(answers(secured.connect_as(&forged)), forged_comes_in, "{wanted}");
        }
    });
}

#[test]
fn a_certificate_may_name_the_user() {
    secured("optional", |t, secured| {
        t.check("ACL SETUSER alice on >secret ~a* +@all", OK);
        t.check("ACL SETUSER carol off >secret ~* +@all", OK);
        t.check("ACL LOG RESET", OK);
        let as_user = |name: &str| {
            let identity = secured.authority.issue(name);
            secured.connect_as(&secured.authority.client(Some(&identity)))
        };
        as_user("alice").check("ACL WHOAMI", bulk("default"));
        t.with_config("tls-auth-clients-user", "CN", |t| {
            let mut alice = as_user("alice");
            alice.check("ACL WHOAMI", bulk("alice"));
            alice.check("SET a 1", OK);
            alice.check("SET b 1", "-NOPERM No permissions to access a key");
            // One nobody knows, and one who may not log in, are who they are without it.
            as_user("bob").check("ACL WHOAMI", bulk("default"));
            as_user("carol").check("ACL WHOAMI", bulk("default"));
            assert_eq!(t.info("stats").number("acl_access_denied_tls_cert") % 2, 0);
            let log = t.call("ACL LOG");
            assert_eq!(log.elements().len(), 3);
            let fields: Vec<String> = ["reason", "username"]
                .map(|name| log.elements()[1].field(name).expect("a field").text())
                .into();
            assert_eq!(fields, ["tls-cert", "bob"]);
        });
        t.check("ACL DELUSER alice carol", 2);
        t.check("DEL a", 1);
    });
}

#[test]
fn what_does_not_load_changes_nothing() {
    secured("no", |t, secured| {
        let other = secured.authority.issue("other");
        let path = t.server.file("other.key");
        std::fs::write(&path, &other.key_pem).expect("a file");
        for (name, value) in [
            ("tls-key-file", &path[..]),
            ("tls-key-file", "/no/where"),
            ("tls-cert-file", ""),
            ("tls-protocols", "TLSv1.1"),
            ("tls-ciphers", "AES128-SHA256"),
            ("tls-ciphersuites", "none"),
            ("tls-ca-cert-dir", "/no/where"),
        ] {
            // Authorities are looked at only where clients are asked for something.
            let auth = if name == "tls-ca-cert-dir" { "optional" } else { "no" };
            let before = t.call(["CONFIG", "GET", name]);
            t.check(["CONFIG", "SET", name, value, "tls-auth-clients", auth], refusal(name));
            assert_eq!(format!("{:?}", t.call(["CONFIG", "GET", name])), format!("{before:?}"));
        }
        secured.connect().check("PING", "+PONG");
    });
}

#[test]
fn versions_and_ciphers_are_those_allowed() {
    secured("no", |t, secured| {
        let of = |version| secured.connect_as(&secured.authority.client_of(None, &[version]));
        t.with_config("tls-protocols", "TLSv1.2", |_| {
            assert!(!answers(of(&version::TLS13)) && answers(of(&version::TLS12)));
        });
        t.with_config("tls-protocols", "TLSv1.3", |_| {
            assert!(answers(of(&version::TLS13)) && !answers(of(&version::TLS12)));
        });
        t.with_config("tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", |_| {
            let mut client = of(&version::TLS13);
            client.check("PING", "+PONG");
            let suite = format!("{:?}", client.tls().negotiated_cipher_suite());
            assert!(suite.contains("CHACHA20"), "{suite}");
        });
    });
}

#[test]
fn connections_outlive_the_certificate_they_began_with() {
    secured("no", |t, secured| {
        let mut before = secured.connect();
        before.check("PING", "+PONG");
        let old_serial = t.info("tls").text("tls_server_cert_serial").to_owned();
        let renewed = secured.authority.issue("renewed");
        let paths = ["new.crt", "new.key"].map(|name| t.server.file(name));
        std::fs::write(&paths[0], &renewed.certificate_pem).expect("a file");
        std::fs::write(&paths[1], &renewed.key_pem).expect("a file");
        t.check(["CONFIG", "SET", "tls-cert-file", &paths[0], "tls-key-file", &paths[1]], OK);
        assert_ne!(t.info("tls").text("tls_server_cert_serial"), old_serial);
        secured.connect().check("PING", "+PONG");
        before.check("PING", "+PONG");
    });
}

#[test]
fn files_that_change_are_read_again() {
    secured("no", |t, secured| {
        let old_serial = t.info("tls").text("tls_server_cert_serial").to_owned();
        let renewed = secured.authority.issue("renewed, with a longer name");
        std::fs::write(t.server.file("tls-key-file"), &renewed.key_pem).expect("a file");
        std::fs::write(t.server.file("tls-cert-file"), &renewed.certificate_pem).expect("a file");
        t.with_config("tls-auto-reload-interval", "1", |t| {
            eventually("the new certificate is used", || {
                t.info("tls").text("tls_server_cert_serial") != old_serial
            });
        });
        secured.connect().check("PING", "+PONG");
    });
}

#[test]
fn plain_text_on_a_tls_port_is_refused() {
    secured("no", |t, secured| {
        let mut plain = Client::connect(secured.address()).expect("a connection");
        plain.send(b"PING\r\nPING\r\nPING\r\n");
        assert_eq!(plain.read_until_closed(), b"");
        let config = secured.authority.client(None);
        let address = t.server.address();
        let mut sealed = Client::connect_tls(address, &config).expect("a connection");
        // What a plain port answers to that is nothing TLS knows; it may also wait for more.
        sealed.set_read_timeout(Duration::from_millis(200)).expect("a limit");
        assert!(!answers(sealed));
        secured.connect().check("PING", "+PONG");
        t.check("PING", "+PONG");
    });
}

#[test]
fn connections_cut_anywhere_leave_the_server_well() {
    secured("no", |t, secured| {
        let clients = t.info("clients").number("connected_clients");
        for cut in 0..12 {
            let mut client = secured.connect();
            if cut % 3 > 0 {
                client.check("SET cut 1", OK);
            }
            if cut % 3 > 1 {
                client.send(b"*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$100000\r\nabc");
            }
            // In the middle of a handshake, between commands, in an argument.
            let mut bytes = Vec::new();
            if cut % 3 == 0 {
                drop(client.tls().write_tls(&mut bytes));
                let mut raw = TcpStream::connect(secured.address()).expect("a connection");
                std::io::Write::write_all(&mut raw, &bytes[..bytes.len() / 2]).expect("sent");
            }
        }
        eventually("they are gone", || t.info("clients").number("connected_clients") == clients);
        t.check("GET cut", bulk("1"));
        t.check("DEL cut", 1);
    });
}

#[test]
fn what_was_sent_before_the_end_runs() {
    secured("no", |t, secured| {
        let mut client = secured.connect();
        client.check("PING", "+PONG");
        client.send(b"INCR ended\r\nINCR ended\r\n");
        client.tls().send_close_notify();
        client.send(b"");
        assert_eq!(client.read_until_closed(), b":1\r\n:2\r\n");
        t.check("DEL ended", 1);
    });
}

#[test]
fn messages_and_monitors_are_sealed_too() {
    secured("no", |t, secured| {
        let mut listener = secured.connect();
        listener.send_command("SUBSCRIBE news");
        listener.read_reply();
        t.check("PUBLISH news hello", 1);
        assert_eq!(listener.read_reply().elements()[2].text(), "hello");
        let mut monitor = secured.connect();
        monitor.check("MONITOR", OK);
        t.check("ECHO watched", bulk("watched"));
        let line = monitor.read_line_if_any().expect("a line");
        assert!(String::from_utf8_lossy(&line).contains("\"watched\""));
    });
}

#[test]
fn clients_can_be_killed_and_listed() {
    secured("no", |t, secured| {
        let mut client = secured.connect();
        let id = client.integer("CLIENT ID");
        let listed = t.text(["CLIENT", "LIST", "ID", &id.to_string()]);
        assert!(listed.contains(&format!("laddr=127.0.0.1:{}", secured.port)), "{listed}");
        t.check(["CLIENT", "KILL", "ID", &id.to_string()], 1);
        assert!(!answers(client));
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_at_its_limit() {
    secured("no", |t, secured| {
        t.check("SETRANGE long 999999 x", 1000000);
        t.with_config("client-output-buffer-limit", "normal 4194304 0 0", |t| {
            let before = t.info("stats").number("client_output_buffer_limit_disconnections");
            let mut client = secured.connect();
            // Refused bytes are fine: it may be cut while this is being sent.
            drop(client.try_send("GET long\r\n".repeat(64).as_bytes()));
            eventually("it is cut", || {
                t.info("stats").number("client_output_buffer_limit_disconnections") > before
            });
        });
        t.check("DEL long", 1);
    });
}

#[test]
fn protected_mode_explains_itself_by_tls_too() {
    let Some(address) = support::outside_address() else {
        support::skip("this machine has no address besides loopback");
        return;
    };
    each_with(&["--bind", "*"], |t| {
        let secured = Secured::open(t, "no");
        let outside = SocketAddr::new(address, secured.port);
        let mut stranger = Client::connect_tls(outside, &secured.authority.client(None))
            .expect("a connection from outside");
        // Whatever it sends behind its handshake is not looked at.
        drop(stranger.try_send(b"SET stranger 1\r\n"));
        let line = stranger.read_line_if_any().expect("a line");
        assert!(line.starts_with(b"-DENIED "), "{}", line.escape_ascii());
        t.check("EXISTS stranger", 0);
    });
}

#[test]
fn many_handshakes_at_once_all_succeed() {
    secured("no", |_, secured| {
        let config = secured.authority.client(None);
        let mut clients: Vec<Client> = (0..64).map(|_| secured.connect_as(&config)).collect();
        for client in &mut clients {
            client.send(b"PING\r\n");
        }
        for client in &mut clients {
            client.check_next("PING", "+PONG");
        }
    });
}

#[test]
fn without_files_there_is_no_port() {
    each(|t| {
        t.check("CONFIG SET tls-port 1", refusal("tls-port"));
        t.check("CONFIG GET tls-port", support::map([("tls-port", bulk("0"))]));
    });
}

#[test]
fn keys_may_be_encrypted() {
    secured("no", |t, secured| {
        let plain = include_str!("../net/src/tls/testdata/plain-key.pem");
        let encrypted = include_str!("../net/src/tls/testdata/encrypted-key.pem");
        let identity = secured.authority.issue_for_pem("server", plain);
        let paths = ["encrypted.crt", "encrypted.key"].map(|name| t.server.file(name));
        std::fs::write(&paths[0], &identity.certificate_pem).expect("a file");
        std::fs::write(&paths[1], encrypted).expect("a file");
        let set = ["CONFIG", "SET", "tls-key-file", &paths[1], "tls-cert-file", &paths[0]];
        t.check(set, refusal("tls-key-file"));
        t.server.wait_for_log("it is encrypted, and tls-key-file-pass is not set");
        t.check("CONFIG SET tls-key-file-pass wrong", OK);
        t.check(set, refusal("tls-key-file"));
        t.server.wait_for_log("the passphrase is wrong");
        t.check("CONFIG SET tls-key-file-pass 1234", OK);
        t.check(set, OK);
        secured.connect().check("PING", "+PONG");
        t.check("CONFIG SET tls-key-file-pass ''", refusal("tls-key-file-pass"));
    });
}

#[test]
fn a_script_that_takes_long_leaves_tls_clients_waiting() {
    each_with(&["--busy-reply-threshold", "50", "--cores", "1"], |t| {
        let secured = Secured::open(t, "no");
        let mut waiting = secured.connect();
        waiting.check("PING", "+PONG");
        let mut busy = t.connect();
        let process_id = t.server.process().id();
        let idle_ticks = user_ticks(process_id);
        busy.send_command(["EVAL", "while true do end", "0"]);
        // What comes in the turn in which the script begins waits for its end, so nobody asks
        // before it runs.
        eventually("the script runs", || user_ticks(process_id) > idle_ticks + 10);
        eventually(
            "the script is busy",
            || matches!(t.call("PING"), Reply::Error(text) if text.starts_with("BUSY")),
        );
        // What it sends is no plain text, and nobody takes it for that.
        waiting.send(b"PING\r\n");
        t.check("SCRIPT KILL", OK);
        waiting.check_next("PING", "+PONG");
        assert!(matches!(busy.read_reply(), Reply::Error(_)));
    });
}

/// Time a process has spent in its own code, in the kernel's ticks of a hundredth of a second.
fn user_ticks(process_id: u32) -> u64 {
    let path = format!("/proc/{process_id}/stat");
    let text = std::fs::read_to_string(path).expect("the server runs");
    // The name of the program, which may have blanks, ends with the last parenthesis.
    let (_, fields) = text.rsplit_once(") ").expect("the state stands behind the name");
    fields.split(' ').nth(11).and_then(|ticks| ticks.parse().ok()).expect("field 14 is a number")
}

#[test]
fn configurations_are_shared_by_reference() {
    // A guard for the harness itself: resumption needs one configuration for several connections.
    secured("no", |_, secured| {
        let config = secured.authority.client(None);
        secured.connect_as(&config).check("PING", "+PONG");
        let mut second = secured.connect_as(&config);
        second.check("PING", "+PONG");
        assert_eq!(second.tls().handshake_kind(), Some(rustls::HandshakeKind::Resumed));
        assert!(Arc::strong_count(&config) >= 2);
    });
}
