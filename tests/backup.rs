//! `scripts/backup` against a running server: what it copies can be restored, what is damaged is
//! refused, and old copies go.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{
    IoBackend, OK, Resp, Server, ServerConfig, TestDirectory, is_basalt, server_path, skip,
};

fn backup(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/backup");
    let mut command = Command::new(script);
    command.args(arguments).env("BASALT_SERVER", server_path());
    command.output().expect("the script can be run")
}

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
    let has_tool = Command::new("redis-cli").arg("--version").output().is_ok();
    let check_tool = Path::new(&server_path()).with_file_name("basalt-check-rdb");
    if !has_tool || !check_tool.exists() || !is_basalt() {
        return skip("redis-cli and basalt-check-rdb are not both here");
    }
    let (files, target) = (TestDirectory::create(), TestDirectory::create());
    let directory = files.path().to_str().expect("test paths are plain text");
    let config = ServerConfig::Basalt { core_count: 2, io_backend: IoBackend::Epoll };
    let server = Server::start(&config, &["--dir", directory, "--save", ""]);
    let mut client = server.connect(Resp::Two);
    for number in 0..300 {
        client.check(format!("SET key{number} value").as_str(), OK);
    }
    client.call("RPUSH list a b c");
    client.call("SET short lived PX 1");
    let port = server.port().to_string();
    let folder = target.path().to_str().expect("test paths are plain text");
    for round in 0..3 {
        client.check(format!("SET round {round}").as_str(), OK);
        let made = backup(&["make", "--to", folder, "--port", &port, "--keep", "2"]);
        assert!(made.status.success(), "{}", text(&made));
    }
    let copies = copies(target.path());
    assert_eq!(copies.len(), 2, "{copies:?}");
    let newest = copies[1].to_str().expect("test paths are plain text");
    let tried = backup(&["try", newest]);
    assert!(tried.status.success(), "{}", text(&tried));
    assert!(text(&tried).contains(" keys restored"), "{}", text(&tried));
    let mut damaged = std::fs::read(newest).expect("it is there");
    damaged[40] ^= 1;
    std::fs::write(newest, damaged).expect("it can be written");
    let tried = backup(&["try", newest]);
    assert!(!tried.status.success() && text(&tried).contains("SHA-256"), "{}", text(&tried));
}
