//! The server as a process: signals, exit codes, pid file, log, sockets, going to the background.

mod support;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{
    Client, Fields, OK, Process, ReservedPort, Server, ServerConfig, TestDirectory, bulk,
    each_with, eventually, owned, server_path, signal, skip, two_core_configs,
};

/// Runs `body` for each backend: signals and listeners are the reactor's business.
fn each_config(body: impl Fn(&ServerConfig)) {
    two_core_configs().iter().for_each(body);
}

#[test]
fn termination_signals_end_the_server_in_order() {
    each_config(|config| {
        for name in ["TERM", "INT"] {
            let mut server = Server::start(config, &[]);
            let mut client = server.connect_plain();
            client.check("SET k v", OK);
            signal(server.process().id(), name);
            assert_eq!(client.read_until_closed(), b"");
            // Whoever has seen the end finds nobody listening.
            assert!(TcpStream::connect(server.address()).is_err());
            let status = server.process().wait_for_exit();
            assert_eq!(status.code(), Some(0), "after SIG{name}");
            let log = server.process().output();
            for line in [
                &format!("Received SIG{name} scheduling shutdown..."),
                "User requested shutdown...",
                "ready to exit, bye bye...",
            ] {
                assert!(log.contains(line), "{line:?} after SIG{name} in:\n{log}");
            }
        }
    });
}

#[test]
fn the_pid_file_lives_as_long_as_the_server() {
    each_config(|config| {
        let mut server = Server::start(config, &["--pidfile", "server.pid"]);
        let file = server.file("server.pid");
        let content = fs::read_to_string(&file).expect("a pid file");
        assert_eq!(content, format!("{}\n", server.process().id()));
        signal(server.process().id(), "TERM");
        server.process().wait_for_exit();
        assert!(!Path::new(&file).exists(), "the pid file must go with the server");
    });
}

#[test]
fn a_rotated_log_is_written_anew_after_a_hangup_signal() {
    each_config(|config| {
        let mut server = Server::start(config, &["--logfile", "server.log"]);
        let log = server.file("server.log");
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        eventually("the log is written", || read(&log).contains("Ready to accept connections"));
        fs::rename(&log, server.file("server.log.1")).expect("the log can be renamed");
        signal(server.process().id(), "HUP");
        let mut client = server.connect_plain();
        // The signal may take a moment; every marker goes to either file, none is lost.
        eventually("the new log is written", || {
            client.check("DEBUG LOG rotated", OK);
            read(&log).contains("DEBUG LOG: rotated")
        });
        client.check("PING", "+PONG");
    });
}

#[test]
fn log_lines_tools_wait_for() {
    each_config(|config| {
        let mut server = Server::start(config, &["--always-show-logo", "yes"]);
        server.wait_for_log("Ready to accept connections");
        let id = server.process().id();
        let log = server.process().output();
        let position = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text:?} in\n{log}"));
        let milestones = [
            position(&format!(" PID: {id}")),
            position("Server initialized"),
            position("Ready to accept connections"),
        ];
        assert!(milestones.is_sorted(), "{log}");
        let line = log.lines().find(|line| line.contains("Ready to accept")).expect("seen above");
        assert_log_line(line, id);
    });
}

#[test]
fn a_payload_that_is_refused_is_explained_to_whoever_reads_along() {
    each_config(|config| {
        let server = Server::start(config, &["--loglevel", "verbose"]);
        let mut client = server.connect_plain();
        // Two letters that are no ziplist, in a sound frame.
        let payload = b"\x0d\x02xx\x09\x00\x58\xeb\x0a\x67\x41\xd9\xb3\xd2";
        client.check([&b"RESTORE"[..], b"two\nlines", b"0", payload], "-ERR Bad data format");
        server.wait_for_log(
            "RESTORE of 'two\\nlines' was refused: Hash ziplist integrity check failed: the \
             ziplist is damaged",
        );
    });
}

/// `1234:M 21 Nov 2026 01:02:03.456 * text`: process, role, time, level, text.
fn assert_log_line(line: &str, process_id: u32) {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], format!("{process_id}:M"), "{line}");
    assert!(words[1].parse::<u8>().is_ok_and(|day| (1..=31).contains(&day)), "{line}");
    assert_eq!((words[2].len(), words[3].len(), words[4].len()), (3, 4, 12), "{line}");
    assert!([".", "-", "*", "#"].contains(&words[5]), "{line}");
}

#[test]
fn a_unix_socket_alone_is_enough() {
    each_config(|config| {
        let directory = TestDirectory::create();
        let path = PathBuf::from(directory.file("server.sock"));
        let mut arguments = owned(&["--port", "0", "--save", "", "--unixsocketperm", "700"]);
        arguments.extend(owned(&["--unixsocket", path.to_str().expect("a plain path")]));
        arguments.extend(config.arguments());
        let mut process = Process::start(directory, &arguments, "");
        eventually("the socket answers", || {
            Client::connect_unix(&path).is_ok_and(|mut client| {
                client.try_send(b"PING\r\n").is_ok() && client.read_line_if_any().is_some()
            })
        });
        let mut client = Client::connect_unix(&path).expect("a unix socket");
        client.check("SET k v", OK);
        client.check("GET k", bulk("v"));
        let fields = Fields::of_client(&client.text("CLIENT INFO"));
        assert_eq!(fields.text("flags"), "U");
        assert_eq!(fields.text("addr"), format!("{}:0", path.display()));
        assert_eq!(mode_of(&path), "srwx------");
        client.send(b"SHUTDOWN NOSAVE\r\n");
        assert_eq!(process.wait_for_exit().code(), Some(0));
        assert!(!path.exists(), "the socket must go with the server");
    });
}

fn mode_of(path: &Path) -> String {
    let output = Command::new("stat").args(["-c", "%A"]).arg(path).output().expect("stat");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn both_ip_versions_are_served() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        skip("this machine has no IPv6 loopback");
        return;
    }
    each_config(|config| {
        let server = Server::start(config, &["--bind", "127.0.0.1", "::1"]);
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, server.port()));
        let mut six = Client::connect(address).expect("a connection over IPv6");
        six.check("SET k v", OK);
        server.connect_plain().check("GET k", bulk("v"));
        let fields = Fields::of_client(&six.text("CLIENT INFO"));
        assert_eq!(fields.text("addr"), six.local_address());
        assert_eq!(fields.text("laddr"), format!("[::1]:{}", server.port()));
    });
}

#[test]
fn an_optional_address_may_be_missing() {
    each_config(|config| {
        let server = Server::start(config, &["--bind", "127.0.0.1", "-192.0.2.1"]);
        server.connect_plain().check("PING", "+PONG");
    });
}

/// Starts with `arguments` and expects a failing exit that prints `expected`.
fn assert_start_fails(config: &ServerConfig, arguments: &[&str], expected: &str) {
    let arguments = [owned(arguments), config.arguments()].concat();
    let mut process = Process::start(TestDirectory::create(), &arguments, "");
    let status = process.wait_for_exit();
    let output = process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains(expected), "expected: {expected}\nprinted: {output}");
}

#[test]
fn a_server_that_cannot_listen_says_so() {
    each_config(|config| {
        let server = Server::start(config, &[]);
        let port = server.port().to_string();
        let expected = format!("Failed listening on port {port}");
        assert_start_fails(config, &["--port", &port, "--bind", "127.0.0.1"], &expected);
        server.connect_plain().check("PING", "+PONG");
        let free = ReservedPort::pick().0.to_string();
        let expected = format!("Failed listening on port {free}");
        assert_start_fails(config, &["--port", &free, "--bind", "192.0.2.1"], &expected);
        assert_start_fails(
            config,
            &["--port", "0", "--unixsocket", "/nonexistent/socket"],
            "Failed opening Unix socket: bind: No such file or directory",
        );
        assert_start_fails(config, &["--port", "0"], "Configured to not listen anywhere, exiting.");
    });
}

#[test]
fn a_log_file_that_cannot_be_opened_stops_the_start() {
    each_config(|config| {
        assert_start_fails(
            config,
            &["--port", "0", "--logfile", "/nonexistent/server.log"],
            "Can't open the log file: No such file or directory",
        );
    });
}

/// A server in the background, which no process handle can end.
struct Daemon {
    process_id: u32,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already, unless the test failed.
        if is_running(self.process_id) {
            signal(self.process_id, "KILL");
        }
    }
}

/// Whether the process still is the server this test started.
fn is_running(process_id: u32) -> bool {
    let executable = fs::read_link(format!("/proc/{process_id}/exe"));
    executable.is_ok_and(|path| fs::canonicalize(server_path()).is_ok_and(|own| own == path))
}

#[test]
fn daemonize_frees_the_terminal() {
    each_config(|config| {
        let directory = TestDirectory::create();
        let port = ReservedPort::pick().0;
        let port_text = port.to_string();
        let mut arguments = owned(&["--port", &port_text, "--bind", "127.0.0.1", "--save", ""]);
        arguments.extend(owned(&["--daemonize", "yes", "--pidfile", "daemon.pid"]));
        arguments.extend(owned(&["--logfile", "daemon.log"]));
        arguments.extend(config.arguments());
        let mut starter = Process::start(directory, &arguments, "");
        assert_eq!(starter.wait_for_exit().code(), Some(0), "{}", starter.output());
        let read = |name: &str| starter.directory().read(name);
        eventually("the pid file is written", || read("daemon.pid").ends_with('\n'));
        let process_id = read("daemon.pid").trim().parse().expect("a process number");
        let _daemon = Daemon { process_id };
        assert_ne!(process_id, starter.id());
        eventually("the daemon is ready", || {
            read("daemon.log").contains("Ready to accept connections")
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut client = Client::connect(address).expect("the daemon listens");
        client.check("PING", "+PONG");
        client.send(b"SHUTDOWN NOSAVE\r\n");
        assert_eq!(client.read_until_closed(), b"");
        eventually("the daemon is gone", || !is_running(process_id));
        assert_eq!(read("daemon.pid"), "", "the pid file must go with the daemon");
    });
}

#[test]
fn version_and_help() {
    for flag in ["--version", "-v"] {
        let mut process = Process::start(TestDirectory::create(), &owned(&[flag]), "");
        assert_eq!(process.wait_for_exit().code(), Some(0));
        assert!(process.output().contains(" server v="), "{}", process.output());
    }
    for flag in ["--help", "-h"] {
        let mut process = Process::start(TestDirectory::create(), &owned(&[flag]), "");
        process.wait_for_exit();
        assert!(process.output().starts_with("Usage: "), "{}", process.output());
    }
}

#[test]
fn the_title_tells_who_it_is() {
    each_with(&[], |t| {
        let id = t.server.process().id();
        let title = || {
            let bytes = fs::read(format!("/proc/{id}/cmdline")).expect("it runs");
            String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
        };
        let port = t.server.port();
        let shown = title();
        assert!(
            shown.contains("basalt-server ") && shown.ends_with(&format!(":{port}")),
            "{shown}"
        );
        let template = "now {port} {tls-port} {{x";
        t.check(["CONFIG", "SET", "proc-title-template", template], OK);
        assert_eq!(title(), format!("now {port} 0 {{x"));
        let long = "y".repeat(100_000);
        t.check(["CONFIG", "SET", "proc-title-template", &long], OK);
        assert!(title().starts_with("yyyy"));
        t.check("PING", "+PONG");
    });
}

#[test]
fn the_oom_score_follows_the_configuration() {
    each_with(&[], |t| {
        let id = t.server.process().id();
        let score = || -> i32 {
            let text = fs::read_to_string(format!("/proc/{id}/oom_score_adj"));
            text.expect("it runs").trim().parse().expect("a number")
        };
        let before = score();
        t.check(["CONFIG", "SET", "oom-score-adj-values", "10 20 30"], OK);
        assert_eq!(score(), before);
        t.check("CONFIG SET oom-score-adj yes", OK);
        assert_eq!(score(), (before + 10).min(1000));
        t.check(["CONFIG", "SET", "oom-score-adj-values", "15 20 30"], OK);
        assert_eq!(score(), (before + 15).min(1000));
        t.check("CONFIG SET oom-score-adj no", OK);
        assert_eq!(score(), before);
        // What fails as a whole leaves nothing behind.
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("its address").port().to_string();
        t.check(
            ["CONFIG", "SET", "oom-score-adj", "yes", "port", &port],
            "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on \
             this port. Check server logs.",
        );
        assert_eq!(score(), before);
    });
}
