//! The audit log: who did what, and that nobody waits for it.

mod support;

use std::path::{Path, PathBuf};

use support::{OK, Server, TestDirectory, eventually, signal, two_core_configs};

/// A server that keeps an audit log of some classes in `directory`, and the file.
fn started(directory: &TestDirectory, classes: &str) -> (Server, PathBuf) {
    let path = directory.path().join("audit.log");
    let file = path.to_str().expect("a path in UTF-8");
    let arguments = [
        "--audit-log",
        "file",
        "--audit-log-file",
        file,
        "--audit-log-classes",
        classes,
        "--enable-protected-configs",
        "yes",
    ];
    (Server::start(&two_core_configs()[0], &arguments), path)
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The one line with `text` in it, once it is there.
fn line_with(path: &Path, text: &str) -> String {
    let mut found = Vec::new();
    eventually("the line is written", || {
        found = lines(path).into_iter().filter(|line| line.contains(text)).collect();
        !found.is_empty()
    });
    assert_eq!(found.len(), 1, "{text} in {found:?}");
    found.remove(0)
}

#[test]
fn it_tells_who_did_what() {
    let directory = TestDirectory::create();
    let (server, path) = started(&directory, "connection auth admin write read denied");
    let mut client = server.connect_plain();
    let address = client.local_address();
    client.check("SET k \"a\\\"b\\n\\xff\"", OK);
    client.check(
        "MGET k another third",
        support::array([support::bulk(b"a\"b\n\xff".as_slice()), support::NIL, support::NIL]),
    );
    client.check("ACL SETUSER alice on >secret ~a* +get +set", OK);
    client.call("AUTH alice wrong");
    client.check("AUTH alice secret", OK);
    client.call("SET b 1");
    client.call("DEL a");
    client.check("SET a 1", OK);
    let set = line_with(&path, "[\"SET\",\"k\"");
    assert!(set.starts_with("{\"time\":\"20"), "{set}");
    let rest = format!(
        "\"class\":\"write\",\"event\":\"command\",\"outcome\":\"allowed\",\"user\":\"default\",\
         \"address\":\"{address}\",\"client\":"
    );
    assert!(set.contains(&rest), "{set}");
    assert!(
        set.ends_with("\"db\":0,\"command\":[\"SET\",\"k\",\"a\\\"b\\n\u{ff}\"],\"keys\":1}"),
        "{set}"
    );
    let get = line_with(&path, "\"MGET\"");
    assert!(get.contains("\"class\":\"read\"") && get.ends_with("\"keys\":3}"), "{get}");
    let admin = line_with(&path, "\"SETUSER\"");
    assert!(admin.contains("\"class\":\"admin\"") && !admin.contains("secret"), "{admin}");
    let failed = line_with(&path, "\"event\":\"login\",\"outcome\":\"denied\"");
    assert!(failed.contains("\"user\":\"alice\""), "{failed}");
    let login = line_with(&path, "\"event\":\"login\",\"outcome\":\"allowed\"");
    assert!(login.contains("\"class\":\"auth\",") && !login.contains("secret"), "{login}");
    for refused in ["[\"SET\",\"b\",\"1\"]", "[\"DEL\",\"a\"]"] {
        let line = line_with(&path, refused);
        assert!(line.contains("\"class\":\"denied\",\"event\":\"command\",\"outcome\":\"denied\""));
        assert!(line.contains("\"user\":\"alice\""), "{line}");
    }
    assert!(line_with(&path, "[\"SET\",\"a\",\"1\"]").contains("\"user\":\"alice\""));
    drop(client);
    line_with(
        &path,
        &format!(
            "\"event\":\"disconnect\",\"outcome\":\"allowed\",\"user\":\"alice\",\
        \"address\":\"{address}\""
        ),
    );
}

#[test]
fn only_the_chosen_classes_are_told() {
    let directory = TestDirectory::create();
    let (server, path) = started(&directory, "write");
    let mut client = server.connect_plain();
    client.check("SET a 1", OK);
    client.check("GET a", support::bulk("1"));
    client.check("MULTI", OK);
    client.check("SET b 2", "+QUEUED");
    client.check("EXEC", [OK]);
    client.check("EVAL \"return redis.call('set', KEYS[1], 1)\" 1 c", OK);
    line_with(&path, "\"EVAL\"");
    let told = lines(&path);
    assert_eq!(told.len(), 3, "{told:?}");
    // Off, and on again.
    client.check("CONFIG SET audit-log off", OK);
    client.check("SET off 1", OK);
    client.check("CONFIG SET audit-log file audit-log-classes \"write admin\"", OK);
    client.check("SET on 1", OK);
    line_with(&path, "[\"SET\",\"on\",\"1\"]");
    assert!(!lines(&path).iter().any(|line| line.contains("\"off\",\"1\"")));
    assert_eq!(
        client
            .call("CONFIG GET audit-log-classes")
            .field("audit-log-classes")
            .map(|value| value.text()),
        Some("admin write".to_owned())
    );
}

#[test]
fn the_file_is_opened_anew_on_hangup() {
    let directory = TestDirectory::create();
    let (mut server, path) = started(&directory, "write");
    let mut client = server.connect_plain();
    client.check("SET before 1", OK);
    line_with(&path, "\"before\"");
    let old = directory.path().join("audit.log.1");
    std::fs::rename(&path, &old).expect("a file to rotate");
    signal(server.process().id(), "HUP");
    // A line told while the file is being opened may still go to the old one.
    let told_in = |path: &Path| lines(path).iter().filter(|line| line.contains("after")).count();
    let mut told = 0;
    eventually("a new file is written", || {
        client.check("SET after 1", OK);
        told += 1;
        told_in(&path) > 0
    });
    eventually("no line is lost", || told_in(&path) + told_in(&old) == told);
}

#[test]
fn a_disk_that_takes_nothing_stops_nobody() {
    let directory = TestDirectory::create();
    let (server, _) = started(&directory, "write");
    let mut client = server.connect_plain();
    let bad = "-ERR CONFIG SET failed (possibly related to argument 'audit-log')";
    let said = format!("{:?}", client.call("CONFIG SET audit-log-file /no/where/audit.log"));
    assert!(said.contains(&bad[1..]), "{said}");
    client.check("CONFIG SET audit-log-file /dev/full", OK);
    for number in 0..100 {
        client.check(["SET", "k", &number.to_string()], OK);
    }
    let mut dropped = 0;
    eventually("losses are counted", || {
        let info = support::Fields::of_info(&client.text("INFO stats"));
        dropped = info.number("audit_log_dropped");
        dropped == 100
    });
}
