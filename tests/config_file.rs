//! Configuration at start: files, includes, quotes, standard input, the command line; and the
//! message with which a server refuses to start.

mod support;

use std::fs;

use support::{
    Client, Launch, OK, Process, Server, ServerConfig, TestDirectory, bulk, map, owned,
    two_core_configs,
};

/// How a server is started is one and the same code on every backend.
fn config() -> ServerConfig {
    two_core_configs().remove(0)
}

/// Lines every configuration file of these tests needs.
fn base(port: u16) -> String {
    format!("port {port}\nbind 127.0.0.1\nsave \"\"\n{}", config().lines())
}

/// Starts a server from one file, `redis.conf`, that holds `text` behind the base lines.
fn server_from_file(text: &str, extra: &[&str]) -> Server {
    Server::launch(&config(), |directory, port| {
        let file = directory.write("redis.conf", &(base(port) + text));
        let mut arguments = vec![file];
        arguments.extend(owned(extra));
        Launch { arguments, input: String::new() }
    })
}

#[track_caller]
fn check_directive(client: &mut Client, name: &str, value: &str) {
    client.check(["CONFIG", "GET", name], map([(name, bulk(value))]));
}

#[test]
fn a_file_with_comments_quotes_and_units() {
    let text = "# a comment\n\n   # an indented one\n  proto-max-bulk-len   10mb  \n\
        MAXMEMORY-POLICY allkeys-lru\r\ndbfilename \"a \\x41\\\"b.rdb\"\n\
        appendfilename 'it\\'s.aof'\ntimeout 10\ntimeout 20\nslowlog-max-len 5";
    let server = server_from_file(text, &[]);
    let mut client = server.connect_plain();
    for (name, value) in [
        ("proto-max-bulk-len", "10485760"),
        ("maxmemory-policy", "allkeys-lru"),
        ("dbfilename", "a A\"b.rdb"),
        ("appendfilename", "it's.aof"),
        ("timeout", "20"),
        ("slowlog-max-len", "5"),
    ] {
        check_directive(&mut client, name, value);
    }
}

/// The report behind the first line, which names product and version.
fn report(line: usize, shown: &str, reason: &str) -> String {
    format!("Reading the configuration file, at line {line}\n>>> '{shown}'\n{reason}\n")
}

/// The start must fail with code 1 and print `expected`.
#[track_caller]
fn assert_exit(directory: TestDirectory, arguments: &[&str], input: &str, expected: &str) {
    let mut process = Process::start(directory, &owned(arguments), input);
    let status = process.wait_for_exit();
    let output = process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains(expected), "expected: {expected}\nprinted: {output}");
    if expected.contains(">>>") {
        assert!(output.contains("*** FATAL CONFIG FILE ERROR ("), "{output}");
    }
}

#[test]
fn bad_directives_are_reported_with_line_and_reason() {
    for (text, line, shown, reason) in [
        ("nosuch 1\n", 1, "nosuch 1", "Bad directive or wrong number of arguments"),
        ("\n\nport\n", 3, "port", "wrong number of arguments"),
        ("port 1 2\n", 1, "port 1 2", "wrong number of arguments"),
        ("port x\n", 1, "port x", "argument couldn't be parsed into an integer"),
        ("databases 0\n", 1, "databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("# fine\nmaxmemory abc\n", 2, "maxmemory abc", "argument must be a memory value"),
        ("appendonly maybe\n", 1, "appendonly maybe", "argument must be 'yes' or 'no'"),
        ("requirepass \"abc\n", 1, "requirepass \"abc", "Unbalanced quotes in configuration line"),
        (
            "loglevel foo\n",
            1,
            "loglevel foo",
            "argument(s) must be one of the following: debug, verbose, notice, warning",
        ),
        ("dir /nonexistent\n", 1, "dir /nonexistent", "No such file or directory"),
        ("save 1\n", 1, "save 1", "Invalid save parameters"),
        // A comment needs a line of its own.
        ("timeout 5 # why\n", 1, "timeout 5 # why", "wrong number of arguments"),
    ] {
        assert_refused(text, line, shown, reason);
    }
}

/// Writes `text` to a file; the start must fail with Redis' report about `line`. Later versions
/// may add words behind the reason.
#[track_caller]
fn assert_refused(text: &str, line: usize, shown: &str, reason: &str) {
    let directory = TestDirectory::create();
    let file = directory.write("redis.conf", text);
    let expected = report(line, shown, reason);
    assert_exit(directory, &[&file], "", expected.trim_end());
}

#[test]
fn a_missing_file_is_named() {
    let missing = "Fatal error, can't open config file '/nonexistent/redis.conf': No such file or \
        directory";
    assert_exit(TestDirectory::create(), &["/nonexistent/redis.conf"], "", missing);
    let directory = TestDirectory::create();
    let file = directory.write("redis.conf", "include /nonexistent/redis.conf\n");
    assert_exit(directory, &[&file], "", missing);
}

#[test]
fn includes_are_read_in_place() {
    let server = Server::launch(&config(), |directory, port| {
        directory.write("first.conf", "timeout 11\nslowlog-max-len 11\n");
        let nested = directory.file("nested.conf");
        directory.write("nested.conf", "databases 33\n");
        directory.write("part-a.conf", &format!("proto-max-bulk-len 1mb\ninclude {nested}\n"));
        directory.write("part-b.conf", "proto-max-bulk-len 2mb\n");
        let text = format!(
            "timeout 1\ninclude {}\nslowlog-max-len 22\ninclude {}\n",
            directory.file("first.conf"),
            directory.file("part-*.conf"),
        );
        let file = directory.write("redis.conf", &(base(port) + &text));
        Launch { arguments: vec![file], input: String::new() }
    });
    let mut client = server.connect_plain();
    check_directive(&mut client, "timeout", "11");
    check_directive(&mut client, "slowlog-max-len", "22");
    check_directive(&mut client, "proto-max-bulk-len", "2097152");
    check_directive(&mut client, "databases", "33");
}

#[test]
fn a_pattern_that_matches_no_file_includes_nothing() {
    let server = server_from_file("include /nonexistent/*.conf\ntimeout 5\n", &[]);
    check_directive(&mut server.connect_plain(), "timeout", "5");
}

#[test]
fn the_command_line_overrides_the_file() {
    let server = server_from_file("timeout 5\nhz 20\n", &["--timeout", "7", "--databases", "4"]);
    let mut client = server.connect_plain();
    check_directive(&mut client, "timeout", "7");
    check_directive(&mut client, "hz", "20");
    check_directive(&mut client, "databases", "4");
    client.check("SELECT 4", "-ERR DB index is out of range");
}

#[test]
fn the_command_line_alone_is_enough() {
    for (arguments, shown, reason) in [
        (&["--nosuch", "1"][..], "nosuch \"1\"", "Bad directive or wrong number of arguments"),
        (&["--port", "abc"], "port \"abc\"", "argument couldn't be parsed into an integer"),
        (&["--port"], "port", "wrong number of arguments"),
        (&["--maxmemory", "1mb", "x"], "maxmemory \"1mb\" \"x\"", "wrong number of arguments"),
    ] {
        assert_exit(TestDirectory::create(), arguments, "", &report(2, shown, reason));
    }
    let server = Server::start(&config(), &["--timeout", "9", "--bind", "127.0.0.1", "-::1"]);
    let mut client = server.connect_plain();
    check_directive(&mut client, "timeout", "9");
    check_directive(&mut client, "bind", "127.0.0.1 -::1");
}

#[test]
fn standard_input_is_read_for_a_dash() {
    let server = Server::launch(&config(), |_, port| Launch {
        arguments: owned(&["-"]),
        input: base(port) + "timeout 12\nproto-max-bulk-len 3mb",
    });
    let mut client = server.connect_plain();
    check_directive(&mut client, "timeout", "12");
    check_directive(&mut client, "proto-max-bulk-len", "3145728");
    let expected = report(1, "maxmemory foo", "argument must be a memory value");
    assert_exit(TestDirectory::create(), &["-"], "maxmemory foo\n", &expected);
}

#[test]
fn info_names_the_file() {
    let server = server_from_file("", &[]);
    let text = server.connect_plain().text("INFO server");
    let file = fs::canonicalize(server.file("redis.conf")).expect("the file was read");
    assert!(text.contains(&format!("config_file:{}\r\n", file.display())), "{text}");
}

#[test]
fn rewrite_keeps_comments_and_order_and_survives_a_restart() {
    let server = server_from_file("# kept comment\ntimeout 5\n\nhz 20\n", &[]);
    let mut client = server.connect_plain();
    client.check("CONFIG SET timeout 77 proto-max-bulk-len 5mb", OK);
    client.check("CONFIG SET requirepass 'se cret'", OK);
    client.check("CONFIG REWRITE", OK);
    let rewritten = fs::read_to_string(server.file("redis.conf")).expect("the rewritten file");
    let position = |text: &str| rewritten.find(text).unwrap_or_else(|| panic!("{text}?"));
    assert!(position("# kept comment") < position("timeout 77"), "{rewritten}");
    assert!(position("timeout 77") < position("hz 20"), "{rewritten}");
    assert_eq!(rewritten.matches("timeout ").count(), 1, "{rewritten}");
    let restarted = Server::launch(&config(), |directory, port| {
        let old_port = format!("port {}\n", server.port());
        let text = rewritten.replace(&old_port, &format!("port {port}\n"));
        let dir = format!("dir \"{}\"", directory.path().display());
        let lines = text.lines().map(|line| if line.starts_with("dir ") { &dir } else { line });
        let file = directory.write("redis.conf", &lines.collect::<Vec<_>>().join("\n"));
        Launch { arguments: vec![file], input: String::new() }
    });
    let mut client = restarted.connect_plain();
    client.check("AUTH 'se cret'", OK);
    for (name, value) in [("timeout", "77"), ("proto-max-bulk-len", "5242880"), ("hz", "20")] {
        check_directive(&mut client, name, value);
    }
}

#[test]
fn renamed_commands_answer_to_the_new_name_only() {
    let server = server_from_file("rename-command GET FETCH\nrename-command DEBUG \"\"\n", &[]);
    let mut client = server.connect_plain();
    client.check("SET k v", OK);
    client.check("FETCH k", bulk("v"));
    let unknown = "-ERR unknown command 'GET', with args beginning with: 'k' ";
    client.check("GET k", unknown);
    let unknown = "-ERR unknown command 'DEBUG', with args beginning with: 'SLEEP' '0' ";
    client.check("DEBUG SLEEP 0", unknown);
}
