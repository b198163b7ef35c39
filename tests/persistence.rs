//! Snapshots and restarts of the real server: what is saved comes back, on any number of cores, and
//! what goes wrong is told and gets better when its cause goes away.

mod support;

use std::fs;

use support::{
    Client, Fields, IoBackend, OK, Process, Reply, Resp, Server, ServerConfig, TestDirectory, bulk,
    eventually, owned, signal,
};

fn cores(core_count: u32) -> ServerConfig {
    ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll }
}

/// A server of so many cores that keeps its files in `files`.
fn start(core_count: u32, files: &TestDirectory, extra: &[&str]) -> (Server, Client) {
    let directory = files.path().to_str().expect("test paths are plain text");
    let mut arguments = vec!["--dir", directory];
    arguments.extend(extra);
    let server = Server::start(&cores(core_count), &arguments);
    let client = server.connect(Resp::Two);
    (server, client)
}

fn persistence(client: &mut Client) -> Fields {
    Fields::of_info(&client.text("INFO persistence"))
}

/// Keys of every type in their forms, in two databases, some of them with deadlines.
fn fill(client: &mut Client) {
    let long = "long ".repeat(2000);
    for line in [
        "SET number 12345",
        "SET text some-text",
        "SET later value EX 100000",
        "RPUSH list a b 3",
        "SADD ints 1 2 3",
        "SADD words one two",
        "ZADD sorted 1.5 a 2 b",
        "HSET hash name value other 7",
        "HEXPIRE hash 100000 FIELDS 1 name",
        "XADD stream 1-1 field value",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group me STREAMS stream >",
        "PFADD sketch a b c",
        "DEBUG POPULATE 3000 many 50",
    ] {
        client.call(line);
    }
    client.check(["SET", "long", long.as_str()], OK);
    let code = "#!lua name=kept\nredis.register_function('twice', function(keys, arguments) \
                return 2 * arguments[1] end)";
    client.check(["FUNCTION", "LOAD", code], bulk("kept"));
    for number in 0..600 {
        client.call(format!("SADD bigset member{number}").as_str());
        client.call(format!("ZADD bigsorted {number} member{number}").as_str());
        client.call(format!("HSET bighash field{number} {number}").as_str());
        client.call(format!("RPUSH biglist element{number}").as_str());
    }
    client.check("SELECT 5", OK);
    client.check("SET elsewhere value", OK);
    client.check("SELECT 0", OK);
}

fn shut_down(mut server: Server, mut client: Client, line: &str) {
    client.send_command(line);
    assert_eq!(client.read_until_closed(), b"", "{line} ends the connection");
    assert_eq!(server.process().wait_for_exit().code(), Some(0));
}

#[test]
fn data_comes_back_on_any_number_of_cores() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &[]);
    fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    let keys = client.integer("DBSIZE");
    shut_down(server, client, "SHUTDOWN SAVE");
    for core_count in [1, 8, 2] {
        let (server, mut client) = start(core_count, &files, &[]);
        eventually("the data is loaded", || persistence(&mut client).number("loading") == 0);
        assert_eq!(client.text("DEBUG DIGEST"), digest, "{core_count} cores");
        assert_eq!(client.integer("DBSIZE"), keys);
        assert_eq!(client.integer("FCALL twice 0 21"), 42);
        assert_eq!(client.call("HTTL hash FIELDS 1 other").elements()[0].integer(), -1);
        assert_eq!(persistence(&mut client).number("rdb_last_load_keys_loaded"), keys + 1);
        shut_down(server, client, "SHUTDOWN SAVE");
    }
}

#[test]
fn a_reload_changes_nothing() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let (_server, mut client) = start(core_count, &files, &[]);
        fill(&mut client);
        let digest = client.text("DEBUG DIGEST");
        for line in ["DEBUG RELOAD", "DEBUG RELOAD NOSAVE", "DEBUG RELOAD NOSAVE NOFLUSH MERGE"] {
            client.check(line, OK);
            assert_eq!(client.text("DEBUG DIGEST"), digest, "{line}");
        }
        client.check(
            "DEBUG RELOAD NOSAVE NOFLUSH",
            "-ERR Error trying to load the RDB dump, check server logs.",
        );
        client.check("MULTI", OK);
        client.check("DEBUG RELOAD", "+QUEUED");
        client.check("GET number", "+QUEUED");
        assert_eq!(client.call("EXEC").texts(), ["OK", "12345"]);
        assert_eq!(client.text("DEBUG DIGEST"), digest);
    }
}

#[test]
fn a_snapshot_beside_writes_is_of_one_moment() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &[]);
    client.check("DEBUG POPULATE 20000 ballast 100", OK);
    client.check("MSET left 0 right 0", OK);
    client.check("BGSAVE", "+Background saving started");
    let mut number = 0;
    while persistence(&mut client).number("rdb_bgsave_in_progress") == 1 {
        for _ in 0..20 {
            number += 1;
            client.check(format!("MSET left {number} right {number}").as_str(), OK);
            client.call(format!("DEL ballast:{}", number * 7).as_str());
        }
    }
    assert_eq!(persistence(&mut client).text("rdb_last_bgsave_status"), "ok");
    shut_down(server, client, "SHUTDOWN NOSAVE");
    let (_server, mut client) = start(8, &files, &[]);
    eventually("the data is loaded", || persistence(&mut client).number("loading") == 0);
    assert_eq!(client.text("GET left"), client.text("GET right"));
    assert_eq!(client.integer("DBSIZE"), 20_002, "all that was there at the cut");
}

#[test]
fn clients_wait_while_data_is_loaded() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &[]);
    client.check("DEBUG POPULATE 20000", OK);
    shut_down(server, client, "SHUTDOWN SAVE");
    let (server, mut client) = start(2, &files, &["--key-load-delay", "500"]);
    let refusal = "-LOADING Redis is loading the dataset in memory";
    client.check("GET key:1", refusal);
    client.check("SET key:1 x", refusal);
    let info = persistence(&mut client);
    assert_eq!(info.number("loading"), 1);
    assert!(info.number("loading_total_bytes") > 100_000);
    assert!(info.number("loading_rdb_used_mem") > 0);
    // What is told is in the cores, part of it for a while.
    let mut info = info;
    eventually("keys are counted", || {
        info = persistence(&mut client);
        info.number("rdb_last_load_keys_loaded") > 0
    });
    assert_eq!(info.number("loading"), 1);
    assert!(info.number("rdb_last_load_keys_loaded") < 20_000);
    assert!(info.number("loading_loaded_bytes") < info.number("loading_total_bytes"));
    client.check("MULTI", OK);
    client.check("GET key:1", refusal);
    client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
    client.check("CONFIG SET key-load-delay 0", OK);
    eventually("the data is loaded", || persistence(&mut client).number("loading") == 0);
    client.check("GET key:1", bulk("value:1"));
    assert_eq!(client.integer("DBSIZE"), 20_000);
    for line in [
        "Loading RDB produced by version",
        "RDB age ",
        "RDB memory usage when created ",
        "Done loading RDB, keys loaded: 20000, keys expired: 0.",
    ] {
        server.wait_for_log(line);
    }
}

#[test]
fn a_damaged_file_stops_the_start_and_says_where() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &[]);
    fill(&mut client);
    shut_down(server, client, "SHUTDOWN SAVE");
    let whole = fs::read(files.file("dump.rdb")).expect("it was saved");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for (damaged, reason) in [
        (&whole[..whole.len() / 2], "the file ends early"),
        (&flipped[..], "at offset"),
        (b"no snapshot at all", "Wrong signature trying to load DB from file"),
    ] {
        fs::write(files.file("dump.rdb"), damaged).expect("a file");
        let directory = files.path().to_str().expect("plain");
        let arguments = owned(&["--port", "0", "--unixsocket", "s", "--dir", directory]);
        let mut process = Process::start(TestDirectory::create(), &arguments, "");
        assert_eq!(process.wait_for_exit().code(), Some(1));
        assert!(process.output().contains(reason), "{}", process.output());
        let now = fs::read(files.file("dump.rdb")).expect("it is there");
        assert!(now == damaged, "the file is left as it is");
    }
}

#[test]
fn writes_are_refused_while_the_disk_fails_and_taken_when_it_recovers() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &["--save", "900 1000000"]);
    client.check("SET k v", OK);
    // Nothing can be renamed over a directory that holds something.
    fs::create_dir_all(files.file("dump.rdb/in-the-way")).expect("a directory");
    client.check("BGSAVE", "+Background saving started");
    eventually("it fails", || persistence(&mut client).text("rdb_last_bgsave_status") == "err");
    let mut refused = String::new();
    eventually("writes are refused", || {
        refused = format!("{:?}", client.call("SET k w"));
        refused.contains("MISCONF")
    });
    assert!(refused.contains("unable to persist to disk"), "{refused}");
    client.check("GET k", bulk("v"));
    client.check("SAVE", "-ERR");
    client.check("CONFIG SET stop-writes-on-bgsave-error no", OK);
    eventually("writes are taken", || !format!("{:?}", client.call("SET k w")).contains("MISC"));
    client.check("CONFIG SET stop-writes-on-bgsave-error yes", OK);
    eventually("and refused", || format!("{:?}", client.call("SET k x")).contains("MISCONF"));
    fs::remove_dir_all(files.file("dump.rdb")).expect("it is empty");
    client.check("BGSAVE", "+Background saving started");
    eventually("it succeeds", || persistence(&mut client).text("rdb_last_bgsave_status") == "ok");
    eventually("writes are taken", || !format!("{:?}", client.call("SET k x")).contains("MISC"));
    let left = fs::read_dir(files.path()).expect("a directory").count();
    assert_eq!(left, 1, "nothing but the snapshot is left");
}

#[test]
fn whoever_is_killed_leaves_the_old_file() {
    let files = TestDirectory::create();
    let (mut server, mut client) = start(2, &files, &[]);
    client.check("SET k old", OK);
    client.check("SAVE", OK);
    client.check("SET k new", OK);
    client.check("DEBUG POPULATE 1000", OK);
    client.check("CONFIG SET rdb-key-save-delay 100000", OK);
    client.check("BGSAVE", "+Background saving started");
    client.check("BGSAVE", "-ERR Background save already in progress");
    client.check("SAVE", "-ERR Background save already in progress");
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
    let (_server, mut client) = start(1, &files, &[]);
    eventually("the data is loaded", || persistence(&mut client).number("loading") == 0);
    client.check("GET k", bulk("old"));
    assert_eq!(client.integer("DBSIZE"), 1);
}

#[test]
fn a_server_does_not_end_before_its_first_base_is_written() {
    let files = TestDirectory::create();
    let (mut server, mut client) = start(2, &files, &[]);
    client.check("DEBUG POPULATE 10", OK);
    client.check("CONFIG SET rdb-key-save-delay 10000000", OK);
    let begun =
        |client: &mut Client| Fields::of_info(&client.text("INFO stats")).number("total_forks");
    let before = begun(&mut client);
    client.check("CONFIG SET appendonly yes", OK);
    eventually("it is being written", || begun(&mut client) == before + 1);
    client.check("SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.");
    // A second signal asks once more, since what the first one asked for has failed.
    for refusals in 2..=3 {
        signal(server.process().id(), "INT");
        eventually("the log says so", || {
            let log = server.process().output();
            log.matches("Writing initial AOF, can't exit.").count() == refusals
        });
    }
    client.check("PING", "+PONG");
}

/// Symptom: SHUTDOWN NOSAVE was refused for ever, and with it everything else. Cause: it waits for
/// the first base of the append-only file, which waits for the script. Fix: it does not.
#[test]
fn a_server_whose_script_keeps_its_first_base_from_being_written_may_end() {
    let files = TestDirectory::create();
    let (mut server, mut client) = start(1, &files, &["--busy-reply-threshold", "50"]);
    let mut busy = server.connect(Resp::Two);
    client.check("DEBUG POPULATE 10", OK);
    client.check("CONFIG SET rdb-key-save-delay 10000000", OK);
    client.check("CONFIG SET appendonly yes", OK);
    busy.send_command(["EVAL", "redis.call('SET', KEYS[1], 'v') while true do end", "1", "k"]);
    eventually(
        "the script is busy",
        || matches!(client.call("PING"), Reply::Error(text) if text.starts_with("BUSY")),
    );
    client.check("SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.");
    client.send_command("SHUTDOWN NOSAVE");
    assert_eq!(server.process().wait_for_exit().code(), Some(0));
}

#[test]
fn impatience_leaves_nothing_half_written() {
    let files = TestDirectory::create();
    let (mut server, mut client) = start(1, &files, &[]);
    client.check("CONFIG SET save '900 1'", OK);
    client.check("DEBUG POPULATE 1000", OK);
    client.check("CONFIG SET rdb-key-save-delay 100000", OK);
    let process_id = server.process().id();
    let temporary = files.path().join(format!("temp-{process_id}.rdb"));
    signal(process_id, "INT");
    eventually("the last snapshot is being written", || temporary.exists());
    signal(process_id, "INT");
    assert_eq!(server.process().wait_for_exit().code(), Some(1));
    assert!(!temporary.exists());
}

#[test]
fn a_snapshot_can_be_given_up() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &[]);
    let none = "-ERR Background saving is currently not in progress or scheduled";
    client.check("BGSAVE CANCEL", none);
    client.check("DEBUG POPULATE 1000", OK);
    client.check("CONFIG SET rdb-key-save-delay 100000", OK);
    for end in ["BGSAVE CANCEL", "FLUSHALL"] {
        client.check("BGSAVE", "+Background saving started");
        assert_eq!(persistence(&mut client).number("rdb_bgsave_in_progress"), 1);
        client.call(end);
        let info = persistence(&mut client);
        assert_eq!(info.number("rdb_bgsave_in_progress"), 0, "{end}");
        assert_eq!(info.text("rdb_last_bgsave_status"), "ok");
        eventually("its file is gone", || {
            fs::read_dir(files.path()).expect("a directory").count() == 0
        });
        client.check("DEBUG POPULATE 1000", OK);
    }
    client.check("CONFIG SET rdb-key-save-delay 0", OK);
    client.check("BGSAVE", "+Background saving started");
    eventually("one that is left alone succeeds", || {
        fs::read_dir(files.path())
            .expect("a directory")
            .any(|entry| entry.expect("an entry").file_name() == "dump.rdb")
    });
}

#[test]
fn a_snapshot_that_is_scheduled_can_be_given_up() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &["--appendonly", "yes"]);
    client.check("DEBUG POPULATE 200", OK);
    client.check("CONFIG SET rdb-key-save-delay 20000", OK);
    client.check("BGREWRITEAOF", "+Background append only file rewriting started");
    let info = persistence(&mut client);
    assert_eq!(info.number("current_save_keys_total"), 200);
    client.check("BGSAVE SCHEDULE", "+Background saving scheduled");
    client.check("BGSAVE CANCEL", "+Scheduled background saving cancelled");
    client
        .check("BGSAVE CANCEL", "-ERR Background saving is currently not in progress or scheduled");
    eventually("the rewrite is over", || persistence(&mut client).number("aof_rewrites") == 1);
    // The next one would come after it.
    client.check("BGSAVE", "+Background saving started");
    assert_eq!(persistence(&mut client).number("rdb_saves"), 1);
}

#[test]
fn what_clients_and_save_points_ask_for_counts_as_a_save() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &["--save", "3600 1"]);
    let saves = |client: &mut Client| persistence(client).number("rdb_saves");
    client.check("SET k v", OK);
    for line in ["DEBUG RELOAD", "FLUSHALL"] {
        client.check(line, OK);
        assert_eq!(saves(&mut client), 0, "{line}");
    }
    client.check("SAVE", OK);
    assert_eq!(saves(&mut client), 1);
    client.check("DEBUG POPULATE 1000", OK);
    client.check("CONFIG SET rdb-key-save-delay 100000", OK);
    client.check("BGSAVE", "+Background saving started");
    assert_eq!(saves(&mut client), 2, "it counts from its beginning on");
    client.check("BGSAVE CANCEL", "+Background saving cancelled");
    assert_eq!(saves(&mut client), 2);
    client.check("CONFIG RESETSTAT", OK);
    assert_eq!(saves(&mut client), 0);
}

#[test]
fn a_save_point_that_is_reached_makes_a_snapshot() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--save", "1 5"]);
    let before = client.integer("LASTSAVE");
    for number in 0..6 {
        client.check(format!("SET key{number} v").as_str(), OK);
    }
    eventually("it is saved", || {
        let info = persistence(&mut client);
        info.number("rdb_saves") == 1 && info.number("rdb_bgsave_in_progress") == 0
    });
    assert!(client.integer("LASTSAVE") > before);
    assert_eq!(persistence(&mut client).number("rdb_changes_since_last_save"), 0);
    client.check("SET last v", OK);
    drop(client);
    let mut server = server;
    signal(server.process().id(), "TERM");
    assert_eq!(server.process().wait_for_exit().code(), Some(0));
    let (_server, mut client) = start(1, &files, &[]);
    eventually("the data is loaded", || persistence(&mut client).number("loading") == 0);
    assert_eq!(client.integer("DBSIZE"), 7);
}

#[test]
fn a_shutdown_that_cannot_save_does_not_happen() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--save", "900 1"]);
    fs::create_dir_all(files.file("dump.rdb/in-the-way")).expect("a directory");
    client.check("SET k v", OK);
    client.check("SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.");
    client.check("SHUTDOWN SAVE", "-ERR Errors trying to SHUTDOWN. Check logs.");
    client.check("GET k", bulk("v"));
    shut_down(server, client, "SHUTDOWN SAVE FORCE");
}
