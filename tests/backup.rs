//! `scripts/backup` against a running server: what it copies can be restored, what is damaged is
//! refused, old copies go, and what goes wrong is told at once and leaves nothing behind.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{
    IoBackend, OK, Resp, Server, ServerConfig, TestDirectory, is_basalt, server_path, skip,
};

fn script(arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/backup");
    let mut command = Command::new(script);
    command.args(arguments).env("BASALT_SERVER", server_path()).env_remove("REDISCLI_AUTH");
    command
}

fn backup(arguments: &[&str]) -> Output {
    script(arguments).output().expect("the script can be run")
}

/// Whether the tools that the script calls are here.
fn has_tools() -> bool {
    let has_tool = Command::new("redis-cli").arg("--version").output().is_ok();
    let check_tool = Path::new(&server_path()).with_file_name("basalt-check-rdb");
    has_tool && check_tool.exists() && is_basalt()
}

/// A server of two cores and a folder for its copies.
fn start(arguments: &[&str]) -> (TestDirectory, TestDirectory, Server) {
    let (files, target) = (TestDirectory::create(), TestDirectory::create());
    let directory = path_text(files.path());
    let config = ServerConfig::Basalt { core_count: 2, io_backend: IoBackend::Epoll };
    let all = [&["--dir", directory, "--save", ""], arguments].concat();
    let server = Server::start(&config, &all);
    (files, target, server)
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("test paths are plain text")
}

/// Has a backup fail that should, at once, and returns what it said.
fn fails(command: &mut Command) -> String {
    let output = command.output().expect("the script can be run");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("the folder is there").next().is_none()
}

const NO_TOOLS: &str = "redis-cli and basalt-check-rdb are not both here";

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn copies(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut copies: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "rdb")).collect();
    copies.sort();
    copies
}

#[test]
fn copies_are_made_while_the_server_runs_and_can_be_restored() {
    if !has_tools() {
        return skip(NO_TOOLS);
    }
    let (_files, target, server) = start(&[]);
    let mut client = server.connect(Resp::Two);
    for number in 0..300 {
        client.check(format!("SET key{number} value").as_str(), OK);
    }
    client.call("RPUSH list a b c");
    client.call("SET short lived PX 1");
    let port = server.port().to_string();
    let folder = path_text(target.path());
    for round in 0..3 {
        client.check(format!("SET round {round}").as_str(), OK);
        let made = backup(&["make", "--to", folder, "--port", &port, "--keep", "2"]);
        assert!(made.status.success(), "{}", text(&made));
    }
    let copies = copies(target.path());
    assert_eq!(copies.len(), 2, "{copies:?}");
    let newest = path_text(&copies[1]);
    // The password of the server that was copied is not one of the server it is tried with.
    let tried = script(&["try", newest]).env("REDISCLI_AUTH", "secret").output();
    let tried = tried.expect("the script can be run");
    assert!(tried.status.success(), "{}", text(&tried));
    assert!(text(&tried).contains(" keys restored"), "{}", text(&tried));
    assert!(!text(&tried).contains("AUTH"), "{}", text(&tried));
    let mut damaged = std::fs::read(newest).expect("it is there");
    damaged[40] ^= 1;
    std::fs::write(newest, damaged).expect("it can be written");
    let tried = backup(&["try", newest]);
    assert!(!tried.status.success() && text(&tried).contains("SHA-256"), "{}", text(&tried));
    std::fs::remove_file(format!("{newest}.sha256")).expect("it is there");
    let said = fails(&mut script(&["try", newest]));
    assert!(said.contains(".sha256 is missing"), "{said}");
}

#[test]
fn a_server_that_refuses_is_told_of_at_once() {
    if !has_tools() {
        return skip(NO_TOOLS);
    }
    let (_files, target, server) = start(&["--requirepass", "secret"]);
    let port = server.port().to_string();
    let make = ["make", "--to", path_text(target.path()), "--port", &port];
    let said = fails(&mut script(&make));
    assert!(said.contains("NOAUTH"), "{said}");
    let mut client = server.connect(Resp::Two);
    client.check("AUTH secret", OK);
    client.check("ACL SETUSER default -bgsave", OK);
    let said = fails(script(&make).env("REDISCLI_AUTH", "secret"));
    assert!(said.contains("refuses to write a snapshot: NOPERM"), "{said}");
    client.check("ACL SETUSER default +bgsave -info", OK);
    let said = fails(script(&make).env("REDISCLI_AUTH", "secret"));
    assert!(said.contains("does not tell of its snapshots: NOPERM"), "{said}");
    assert!(is_empty(target.path()));
}

#[test]
fn a_snapshot_that_fails_or_takes_too_long_is_given_up() {
    if !has_tools() {
        return skip(NO_TOOLS);
    }
    let (files, target, server) = start(&[]);
    let port = server.port().to_string();
    let make = ["make", "--to", path_text(target.path()), "--port", &port];
    let hasty = [&make[..], &["--timeout", "1"]].concat();
    let in_the_way = files.path().join("dump.rdb");
    std::fs::create_dir(&in_the_way).expect("it can be made");
    let said = fails(&mut script(&make));
    assert!(said.contains("the snapshot failed"), "{said}");
    std::fs::remove_dir(&in_the_way).expect("it is empty");
    let mut client = server.connect(Resp::Two);
    client.check("SET key value", OK);
    client.check("CONFIG SET rdb-key-save-delay 60000000", OK);
    let said = fails(&mut script(&hasty));
    assert!(said.contains("the snapshot was not complete within 1 seconds"), "{said}");
    let said = fails(&mut script(&hasty));
    assert!(said.contains("no snapshot could begin within 1 seconds"), "{said}");
    assert!(is_empty(target.path()));
    client.check("BGSAVE CANCEL", "+Background saving cancelled");
}

#[test]
fn a_copy_that_cannot_be_finished_is_removed() {
    if !has_tools() {
        return skip(NO_TOOLS);
    }
    let (_files, target, server) = start(&[]);
    let port = server.port().to_string();
    // The disk has no room for the end of the copy.
    let tools = TestDirectory::create();
    let sync = tools.path().join("sync");
    std::fs::write(&sync, "#!/bin/sh\nexit 1\n").expect("it can be written");
    std::fs::set_permissions(&sync, Permissions::from_mode(0o755)).expect("it is there");
    let path = std::env::var("PATH").expect("there is a path");
    let mut make = script(&["make", "--to", path_text(target.path()), "--port", &port]);
    fails(make.env("PATH", format!("{}:{path}", path_text(tools.path()))));
    assert!(is_empty(target.path()));
}
