//! WAITAOF, and what runs in the background one after the other: rewrites and snapshots.

mod support;

use support::{
    Client, Fields, IoBackend, OK, Reply, Resp, Server, ServerConfig, TestDirectory, eventually,
};

const STARTED: &str = "+Background append only file rewriting started";
const SCHEDULED: &str = "+Background append only file rewriting scheduled";

fn start(core_count: u32, files: &TestDirectory, extra: &[&str]) -> (Server, Client) {
    let directory = files.path().to_str().expect("test paths are plain text");
    let mut arguments = vec!["--dir", directory, "--save", ""];
    arguments.extend(["--enable-debug-command", "yes"]);
    arguments.extend(extra);
    let config = ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll };
    let server = Server::start(&config, &arguments);
    let mut client = server.connect(Resp::Two);
    eventually("the data is loaded", || info(&mut client).number("loading") == 0);
    (server, client)
}

fn info(client: &mut Client) -> Fields {
    Fields::of_info(&client.text("INFO persistence"))
}

fn numbers(client: &mut Client, command: &str) -> Vec<i64> {
    let reply = client.call(command);
    let number = |reply: &Reply| match reply {
        Reply::Integer(number) => *number,
        other => panic!("{command}: {other:?}"),
    };
    reply.elements().iter().map(number).collect()
}

#[test]
fn without_an_append_only_file_there_is_nothing_to_wait_for() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(1, &files, &[]);
    client.check("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1");
    client.check("WAITAOF x 0 0", "-ERR value is not an integer or out of range");
    client.check("WAITAOF 0 x 0", "-ERR value is out of range, must be positive");
    client.check("WAITAOF 0 0 -1", "-ERR timeout is negative");
    client.check(
        "WAITAOF 1 0 0",
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
    );
    assert_eq!(numbers(&mut client, "WAITAOF 0 0 0"), [0, 0]);
    assert_eq!(numbers(&mut client, "WAITAOF 0 1 5"), [0, 0]);
}

#[test]
fn it_answers_once_the_writes_of_all_cores_are_on_the_disk() {
    for policy in ["always", "everysec"] {
        let files = TestDirectory::create();
        let arguments = ["--appendonly", "yes", "--appendfsync", policy];
        let (_server, mut client) = start(2, &files, &arguments);
        for round in 0..3 {
            // One pipeline, over both cores: the wait is for all of it.
            for key in ["a", "b", "c", "d"] {
                client.send_command(format!("SET {key} {round}").as_str());
            }
            client.send_command("WAITAOF 1 0 0");
            for _ in 0..4 {
                client.check_next("SET", OK);
            }
            let reply = client.read_reply();
            assert_eq!(reply.elements(), [Reply::Integer(1), Reply::Integer(0)], "{policy}");
        }
        assert_eq!(numbers(&mut client, "WAITAOF 1 1 10"), [1, 0], "replicas never answer");
        client.check("MULTI", OK);
        client.check("WAITAOF 0 0 0", "+QUEUED");
        assert_eq!(client.call("EXEC").elements().len(), 1, "nobody waits in a transaction");
    }
}

#[test]
fn who_waits_for_a_disk_that_is_not_asked_is_told_when_the_file_is_turned_off() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--appendonly", "yes", "--appendfsync", "no"]);
    client.check("SET key value", OK);
    assert_eq!(numbers(&mut client, "WAITAOF 1 0 20"), [0, 0], "nothing syncs the file");
    let mut waiting = server.connect(Resp::Two);
    waiting.send_command("WAITAOF 1 0 0");
    let blocked = |client: &mut Client| {
        Fields::of_info(&client.text("INFO clients")).number("blocked_clients")
    };
    eventually("it waits", || blocked(&mut client) == 1);
    client.check("CONFIG SET appendonly no", OK);
    waiting.check_next(
        "WAITAOF",
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
    );
    client.check("CONFIG SET appendonly yes appendfsync everysec", OK);
    eventually("the base is written", || info(&mut client).number("aof_rewrites") > 0);
    client.check("SET key other", OK);
    assert_eq!(numbers(&mut client, "WAITAOF 1 0 0"), [1, 0]);
}

#[test]
fn rewrites_and_snapshots_follow_each_other() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &["--appendonly", "yes"]);
    client.check("DEBUG POPULATE 2000", OK);
    client.check("CONFIG SET rdb-key-save-delay 1000000", OK);
    client.check("BGSAVE", "+Background saving started");
    client.check("BGREWRITEAOF", SCHEDULED);
    assert_eq!(info(&mut client).number("aof_rewrite_scheduled"), 1);
    client.check("BGSAVE", "-ERR Background save already in progress");
    client.check("BGSAVE CANCEL", "+Background saving cancelled");
    eventually("the rewrite begins", || info(&mut client).number("aof_rewrite_in_progress") == 1);
    client.check("BGREWRITEAOF", "-ERR Background append only file rewriting already in progress");
    client.check(
        "BGSAVE",
        "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE \
         in order to schedule a BGSAVE whenever possible.",
    );
    client.check("BGSAVE SCHEDULE", "+Background saving scheduled");
    client.check("CONFIG SET rdb-key-save-delay 0", OK);
    // What cannot wait puts the rewrite off.
    client.check("SAVE", OK);
    eventually("both are over", || {
        let fields = info(&mut client);
        let is_over = fields.number("rdb_bgsave_in_progress") == 0;
        is_over && fields.number("aof_rewrites") == 1 && fields.number("rdb_saves") == 3
    });
    client.check("BGREWRITEAOF", STARTED);
    eventually("it is over", || info(&mut client).number("aof_rewrites") == 2);
}

#[test]
fn a_rewrite_with_the_file_turned_off_leaves_it_off() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &[]);
    client.check("SET key value", OK);
    client.check("BGREWRITEAOF", STARTED);
    eventually("it is over", || {
        let fields = info(&mut client);
        fields.number("aof_rewrites") == 1 && fields.number("aof_enabled") == 0
    });
    client.check("CONFIG SET appendonly yes", OK);
    eventually("it is on", || info(&mut client).number("aof_rewrites") == 2);
    client.check("DEBUG LOADAOF", OK);
    assert_eq!(client.text("GET key"), "value");
}

#[test]
fn while_something_is_written_the_disk_may_be_left_alone() {
    let files = TestDirectory::create();
    let arguments = ["--appendonly", "yes", "--appendfsync", "always"];
    let (_server, mut client) = start(2, &files, &arguments);
    client.check("CONFIG SET no-appendfsync-on-rewrite yes", OK);
    client.check("DEBUG POPULATE 2000", OK);
    client.check("CONFIG SET rdb-key-save-delay 1000000", OK);
    client.check("BGSAVE", "+Background saving started");
    client.check("SET key value", OK);
    assert_eq!(numbers(&mut client, "WAITAOF 1 0 20"), [0, 0], "no fsync meanwhile");
    client.check("BGSAVE CANCEL", "+Background saving cancelled");
    assert_eq!(numbers(&mut client, "WAITAOF 1 0 0"), [1, 0]);
}
