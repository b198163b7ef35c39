//! Disks that are full: writes are refused with the words of Redis, nothing that was acknowledged
//! is lost, and service goes on when there is room again.
//!
//! Each test has a small file system in memory for itself, which root may mount; for anybody else
//! there is nothing to test here, which is said. Writes and fsyncs that fail in any other way are
//! tested on a disk made for it, in `persist`.
//!
//! How much room there is, and how many cores the servers have, is drawn from a seed
//! (`BASALT_TEST_SEED`), so that the disk is full at another moment with each.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{
    Client, Fields, OK, Reply, Resp, Seeded, Server, ServerConfig, TestDirectory, announce,
    backends, core_counts, eventually, signal,
};

/// A file system of four megabytes.
struct SmallDisk {
    directory: TestDirectory,
    random: fastrand::Rng,
}

impl SmallDisk {
    fn mount(what: &str) -> Option<Self> {
        let directory = TestDirectory::create();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(directory.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !mounted {
            announce("file systems may not be mounted here: full disks are not tested");
        }
        mounted.then(|| Self { directory, random: Seeded::announced(what).generator })
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("filler")
    }

    /// Leaves room for some kilobytes.
    fn fill(&mut self) {
        let room = self.random.usize(192 << 10..384 << 10);
        fs::write(self.filler(), vec![0; (4 << 20) - room]).expect("there is room for it");
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).expect("it is there");
    }

    fn start(&mut self, extra: &[&str]) -> (Server, Client) {
        let core_count = self.random.choice(core_counts(&[1, 2, 3])).expect("there are some");
        let io_backend = self.random.choice(backends()).expect("there are some");
        let directory = self.directory.path().to_str().expect("test paths are plain text");
        let config = ServerConfig::Basalt { core_count, io_backend };
        let mut arguments = vec!["--dir", directory];
        arguments.extend(extra);
        let server = Server::start(&config, &arguments);
        let mut client = server.connect(Resp::Two);
        eventually("the data is loaded", || info(&mut client).number("loading") == 0);
        (server, client)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server of a test that failed may still have its files open.
        let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
    }
}

fn info(client: &mut Client) -> Fields {
    Fields::of_info(&client.text("INFO persistence"))
}

/// Writes until the server refuses; how many writes it has taken.
fn write_until_refused(client: &mut Client) -> usize {
    let value = "x".repeat(4096);
    for number in 0..10_000 {
        let line = format!("SET key{number} {value}{number}");
        if let Reply::Error(text) = client.call(line.as_str()) {
            assert_eq!(text, DISK_IS_FULL);
            return number;
        }
    }
    panic!("a disk of four megabytes takes no forty");
}

#[test]
fn an_append_only_file_goes_on_when_there_is_room_again() {
    let Some(mut disk) = SmallDisk::mount("a full append-only file") else { return };
    disk.fill();
    let arguments = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
    let (mut server, mut client) = disk.start(&arguments);
    let count = write_until_refused(&mut client);
    assert_eq!(info(&mut client).text("aof_last_write_status"), "err");
    assert_eq!(client.integer("DBSIZE"), count as i64, "reads go on");
    client.call("BGREWRITEAOF");
    eventually("a rewrite ends", || info(&mut client).number("aof_rewrite_in_progress") == 0);
    disk.empty();
    eventually("writes are taken", || info(&mut client).text("aof_last_write_status") == "ok");
    client.check("SET after value", OK);
    assert_eq!(client.call("WAITAOF 1 0 0").elements()[0].clone().integer(), 1);
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
    let (_server, mut client) = disk.start(&arguments);
    assert_eq!(client.integer("DBSIZE"), count as i64 + 1);
    assert_eq!(client.integer(format!("STRLEN key{}", count - 1).as_str()) as usize, {
        4096 + (count - 1).to_string().len()
    });
}

const DISK_IS_FULL: &str = "MISCONF Errors writing to the AOF file: No space left on device";

/// A client that came when the server knew already that its disk fails. Who has asked before waits.
fn client_of_failing(server: &Server) -> Client {
    let mut found = None;
    eventually("the server notices that its disk fails", || {
        let mut client = server.connect(Resp::Two);
        client.send_command("PING");
        let is_answered = !client.is_silent_for(Duration::from_millis(100));
        if is_answered && matches!(client.read_reply(), Reply::Error(_)) {
            found = Some(client);
        }
        found.is_some()
    });
    found.expect("it was found")
}

/// Whoever comes while the disk fails is told so, and nothing of the data. `queued` has a
/// transaction that reads, from before.
fn is_told_what_is_wrong(client: &mut Client, queued: &mut Client) {
    for command in ["PING", "GET key0", "SET k v", "EVAL \"return redis.call('GET','k')\" 0"] {
        match client.call(command) {
            Reply::Error(text) => assert!(text.contains(DISK_IS_FULL), "{command}: {text}"),
            other => panic!("{command}: {other:?}"),
        }
    }
    let aborted = format!("-EXECABORT Transaction discarded because of: {DISK_IS_FULL}");
    queued.check("EXEC", aborted.as_str());
    assert_eq!(info(client).text("aof_last_write_status"), "err");
    client.check("CLIENT SETNAME operator", OK);
}

#[test]
fn with_always_nobody_is_told_before_there_is_room() {
    let Some(mut disk) = SmallDisk::mount("a full disk, fsync always") else { return };
    disk.fill();
    let arguments = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    let (mut server, mut client) = disk.start(&arguments);
    let mut queued = server.connect(Resp::Two);
    queued.check("MULTI", OK);
    queued.check("GET key0", "+QUEUED");
    let value = "x".repeat(8192);
    let total = 100;
    for number in 0..total {
        client.send_command(format!("SET key{number} {value}").as_str());
    }
    // What does not fit is not answered; when there is room all of it is, one way or the other.
    let size = || {
        let files = fs::read_dir(disk.directory.path().join("appendonlydir"));
        let length = |entry: std::io::Result<fs::DirEntry>| {
            entry.and_then(|entry| entry.metadata()).map_or(0, |metadata| metadata.len())
        };
        files.map_or(0, |files| files.map(length).sum::<u64>())
    };
    eventually("the disk is full", || size() > 100 << 10);
    is_told_what_is_wrong(&mut client_of_failing(&server), &mut queued);
    disk.empty();
    let mut taken = 0;
    for _ in 0..total {
        match client.read_reply() {
            Reply::Simple(_) => taken += 1,
            Reply::Error(text) => assert!(text.starts_with("MISCONF"), "{text:?}"),
            other => panic!("{other:?}"),
        }
    }
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
    let (_server, mut client) = disk.start(&arguments);
    assert_eq!(client.integer("DBSIZE"), taken);
}

#[test]
fn a_snapshot_that_finds_no_room_stops_writes_until_one_does() {
    let Some(mut disk) = SmallDisk::mount("a full snapshot") else { return };
    let arguments = ["--save", "900 1000000", "--rdbcompression", "no"];
    let (_server, mut client) = disk.start(&arguments);
    for number in 0..100 {
        let line = format!("SET key{number} {}", "x".repeat(8192));
        client.check(line.as_str(), OK);
    }
    disk.fill();
    client.check("BGSAVE", "+Background saving started");
    eventually("it fails", || info(&mut client).text("rdb_last_bgsave_status") == "err");
    let is_refused = |client: &mut Client| match client.call("SET k v") {
        Reply::Error(text) => text.starts_with("MISC"),
        _ => false,
    };
    eventually("writes are refused", || is_refused(&mut client));
    disk.empty();
    client.check("BGSAVE", "+Background saving started");
    eventually("it succeeds", || info(&mut client).text("rdb_last_bgsave_status") == "ok");
    eventually("writes are taken", || !is_refused(&mut client));
}
