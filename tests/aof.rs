//! The append-only file of the real server: restarts with any number of cores, kills at any moment,
//! torn files, rewrites beside writes, and files that go to a stock Redis and come from one.
//!
//! `BASALT_AOF_KILLS` says how often servers are killed in each of the tests that do; 3 unless set.

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{
    Client, Fields, IoBackend, OK, Process, Reply, Resp, Server, ServerConfig, TestDirectory,
    array, bulk, eventually, owned, signal,
};

fn cores(core_count: u32) -> ServerConfig {
    ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll }
}

/// A server of so many cores with its append-only file in `files`, once that is loaded.
fn start(core_count: u32, files: &TestDirectory, extra: &[&str]) -> (Server, Client) {
    let directory = files.path().to_str().expect("test paths are plain text");
    let mut arguments = vec!["--dir", directory, "--appendonly", "yes", "--save", ""];
    arguments.extend(["--enable-debug-command", "yes"]);
    arguments.extend(extra);
    let server = Server::start(&cores(core_count), &arguments);
    let mut client = server.connect(Resp::Two);
    eventually("the data is loaded", || info(&mut client).number("loading") == 0);
    (server, client)
}

fn info(client: &mut Client) -> Fields {
    Fields::of_info(&client.text("INFO persistence"))
}

fn kill(mut server: Server) {
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
}

/// Some of everything, and changes to it.
fn fill(client: &mut Client) {
    for line in [
        "SET number 12345",
        "SET later value EX 100000",
        "SET gone value PX 1",
        "MSET a 1 b 2 c 3 d 4",
        "RPUSH list a b 3 4 5",
        "LMOVE list other LEFT RIGHT",
        "BLPOP nothing list 1",
        "SADD words one two three four",
        "SPOP words",
        "ZADD sorted 1.5 a 2 b 3 c",
        "ZPOPMIN sorted",
        "ZUNIONSTORE union 2 sorted sorted",
        "HSET hash name value other 7",
        "HINCRBYFLOAT hash other 0.5",
        "XADD stream * field value",
        "XADD stream * field value",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group me COUNT 1 STREAMS stream >",
        "PFADD sketch a b c",
        "COPY list copy",
        "RENAME c renamed",
        "SELECT 3",
        "SET elsewhere value",
        "SWAPDB 3 4",
        "SELECT 0",
        "MULTI",
        "INCR a",
        "INCR b",
        "EXEC",
        "DEL d",
    ] {
        client.call(line);
    }
    for number in 0..300 {
        client.call(format!("SET key{number} {number}").as_str());
    }
}

#[test]
fn data_comes_back_after_a_kill_on_any_number_of_cores() {
    for policy in ["always", "everysec", "no"] {
        let files = TestDirectory::create();
        let (server, mut client) = start(2, &files, &["--appendfsync", policy]);
        fill(&mut client);
        client.call("HEXPIRE hash 100000 FIELDS 1 name");
        let digest = client.text("DEBUG DIGEST");
        // What is still on its way to the file is written when the server ends in good order.
        client.send_command("SHUTDOWN");
        client.read_until_closed();
        drop(server);
        for core_count in [1, 3, 2] {
            let (server, mut client) = start(core_count, &files, &["--appendfsync", "always"]);
            assert_eq!(client.text("DEBUG DIGEST"), digest, "{policy}, {core_count} cores");
            client.check("SET passing 1", OK);
            assert_eq!(client.integer("DEL passing"), 1);
            kill(server);
        }
    }
}

/// How far the group of `stream` has read and what it has pending, with the times of delivery.
fn pending_of_group(client: &mut Client) -> String {
    client.send_command("XINFO STREAM stream FULL");
    let reply = String::from_utf8(client.read_bytes()).expect("it is text");
    let (_, group) = reply.split_once("last-delivered-id").expect("there is a group");
    let (pending, _) = group.split_once("consumers").expect("pending entries come first");
    pending.to_owned()
}

#[test]
fn what_reads_have_claimed_is_pending_as_it_was_after_a_kill() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let (server, mut client) = start(core_count, &files, &["--appendfsync", "always"]);
        for ms in 1..=6 {
            client.call(format!("XADD stream {ms} field value").as_str());
        }
        for line in [
            "XGROUP CREATE stream group 0",
            "XREADGROUP GROUP group me COUNT 2 STREAMS stream >",
            "XREADGROUP GROUP group you COUNT 3 CLAIM 0 STREAMS stream >",
            "XREADGROUP GROUP group she COUNT 1 NOACK CLAIM 0 STREAMS stream >",
            "XREADGROUP GROUP group she COUNT 4 NOACK CLAIM 0 STREAMS stream >",
            "XREADGROUP GROUP group she NOACK STREAMS stream >",
            // Served when they have been idle for so long.
            "XREADGROUP GROUP group late COUNT 2 BLOCK 0 CLAIM 40 STREAMS stream >",
        ] {
            client.call(line);
        }
        let pending = pending_of_group(&mut client);
        let owns = |name: &str| pending.contains(&format!("\r\n{name}\r\n"));
        assert!(owns("she") && owns("late") && !owns("me") && !owns("you"), "{pending}");
        kill(server);
        let (server, mut client) = start(3, &files, &[]);
        assert_eq!(pending_of_group(&mut client), pending, "{core_count} cores");
        kill(server);
    }
}

#[test]
fn a_rewrite_keeps_what_is_there_and_what_comes_meanwhile() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--appendfsync", "always"]);
    fill(&mut client);
    let mut number = 0;
    for _ in 0..3 {
        client.check("BGREWRITEAOF", "+Background append only file rewriting started");
        loop {
            for _ in 0..20 {
                number += 1;
                client.check(format!("MSET left {number} right {number}").as_str(), OK);
            }
            if info(&mut client).number("aof_rewrite_in_progress") == 0 {
                break;
            }
        }
    }
    assert_eq!(info(&mut client).number("aof_rewrites"), 3);
    let digest = client.text("DEBUG DIGEST");
    kill(server);
    let names: Vec<String> = fs::read_dir(files.path().join("appendonlydir"))
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 4, "a base, two segments, the manifest: {names:?}");
    let (_server, mut client) = start(1, &files, &[]);
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    assert_eq!(client.text("GET left"), number.to_string());
}

#[test]
fn a_base_may_be_commands() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let arguments = ["--appendfsync", "always", "--aof-use-rdb-preamble", "no"];
        let (server, mut client) = start(core_count, &files, &arguments);
        fill(&mut client);
        client.call("HEXPIRE hash 100000 FIELDS 1 name");
        client.call("ZADD sorted inf big -inf small 1e-300 tiny 0.1 tenth");
        load_function(&mut client, &["LOAD", &library("one", "1")]);
        let digest = client.text("DEBUG DIGEST");
        let streams = client.call("XINFO STREAM stream FULL");
        client.check("BGREWRITEAOF", "+Background append only file rewriting started");
        eventually("it is over", || info(&mut client).number("aof_rewrites") == 1);
        client.check("DEBUG LOADAOF", OK);
        assert_eq!(client.text("DEBUG DIGEST"), digest);
        kill(server);
        let base = files.path().join("appendonlydir/appendonly.aof.2.base.aof");
        assert!(fs::read(base).expect("it is there").starts_with(b"*"), "commands");
        let (_server, mut client) = start(core_count, &files, &[]);
        assert_eq!(client.text("DEBUG DIGEST"), digest);
        assert_eq!(client.call("XINFO STREAM stream FULL"), streams);
        assert_eq!(client.text("FCALL one 0"), "1");
    }
}

/// Rewrites the file, and waits until that is done.
fn rewrite(client: &mut Client) {
    client.check("BGREWRITEAOF", "+Background append only file rewriting started");
    eventually("the rewrite is over", || {
        info(client).number("aof_rewrite_in_progress")
            + info(client).number("aof_rewrite_scheduled")
            == 0
    });
}

#[test]
fn what_a_rewrite_has_replaced_is_kept_on_demand() {
    let files = TestDirectory::create();
    let keeps = ["--aof-disable-auto-gc", "yes"];
    let manifest = || {
        let text = fs::read_to_string(files.file("appendonlydir/appendonly.aof.manifest"));
        text.expect("there is a manifest").replace("file appendonly.aof.", "")
    };
    let exists =
        |name: &str| fs::exists(files.file(&format!("appendonlydir/{name}"))).unwrap_or(false);
    let (server, mut client) = start(1, &files, &keeps);
    client.check("SET key value", OK);
    rewrite(&mut client);
    rewrite(&mut client);
    let kept = "3.base.rdb seq 3 type b\n2.incr.aof seq 2 type h\n2.base.rdb seq 2 type h\n\
        1.incr.aof seq 1 type h\n1.base.rdb seq 1 type h\n3.incr.aof seq 3 type i\n";
    assert_eq!(manifest(), kept);
    kill(server);
    // Nobody loads them, and they stay.
    let (server, mut client) = start(1, &files, &keeps);
    client.check("GET key", bulk("value"));
    assert_eq!(manifest(), kept);
    assert!(exists("appendonly.aof.1.incr.aof"));
    client.check("CONFIG SET aof-disable-auto-gc no", OK);
    assert_eq!(manifest(), "3.base.rdb seq 3 type b\n3.incr.aof seq 3 type i\n");
    assert!(!exists("appendonly.aof.1.incr.aof") && !exists("appendonly.aof.2.base.rdb"));
    client.check("CONFIG SET aof-disable-auto-gc yes", OK);
    rewrite(&mut client);
    assert!(exists("appendonly.aof.3.base.rdb"));
    kill(server);
    // A start without the directive is the end of them, too.
    let (_server, mut client) = start(1, &files, &[]);
    client.check("GET key", bulk("value"));
    assert_eq!(manifest(), "4.base.rdb seq 4 type b\n4.incr.aof seq 4 type i\n");
    assert!(!exists("appendonly.aof.3.base.rdb"));
}

#[test]
fn it_is_turned_on_and_off_at_run_time() {
    let files = TestDirectory::create();
    let directory = files.path().to_str().expect("test paths are plain text");
    let server = Server::start(&cores(2), &["--dir", directory, "--save", ""]);
    let mut client = server.connect(Resp::Two);
    client.check("SET before 1", OK);
    client.check("CONFIG SET appendonly yes appendfsync always", OK);
    eventually("the base is written", || info(&mut client).number("aof_rewrites") == 1);
    client.check("SET during 2", OK);
    client.check("CONFIG SET appendonly no", OK);
    eventually("it is off", || info(&mut client).number("aof_enabled") == 0);
    client.check("SET after 3", OK);
    kill(server);
    let (server, mut client) = start(1, &files, &[]);
    let there = client.call("MGET before during after");
    let there: Vec<bool> = there.elements().iter().map(|value| *value != Reply::Null).collect();
    assert_eq!(there, [true, true, false]);
    kill(server);
}

/// Where the files are to be; nothing else is there.
fn directory_of(files: &TestDirectory) -> std::path::PathBuf {
    files.path().join("appendonlydir")
}

#[test]
fn what_cannot_be_turned_on_stays_off_and_so_does_what_was_set_with_it() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let directory = files.path().to_str().expect("test paths are plain text");
        let server = Server::start(&cores(core_count), &["--dir", directory]);
        let mut client = server.connect(Resp::Two);
        client.check("SET before 1", OK);
        files.write("appendonlydir", "a file");
        let refused = "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable \
                       to turn on AOF. Check server logs.";
        client.check("CONFIG SET maxmemory 1gb appendonly yes appendfsync always", refused);
        for (name, value) in [("maxmemory", "0"), ("appendonly", "no"), ("appendfsync", "everysec")]
        {
            assert_eq!(client.call(["CONFIG", "GET", name]).texts(), [name, value]);
        }
        let fields = info(&mut client);
        assert_eq!(fields.number("aof_enabled"), 0);
        assert_eq!(fields.text("aof_last_bgrewrite_status"), "err");
        fs::remove_file(directory_of(&files)).expect("it is there");
        client.check("CONFIG SET appendonly yes appendfsync always", OK);
        eventually("the base is written", || info(&mut client).number("aof_rewrites") == 1);
        assert_eq!(info(&mut client).text("aof_last_bgrewrite_status"), "ok");
        client.check("SET after 2", OK);
        kill(server);
        let (server, mut client) = start(core_count, &files, &[]);
        assert_eq!(client.call("MGET before after").texts(), ["1", "2"]);
        kill(server);
    }
}

#[test]
fn what_cannot_be_turned_on_later_shows_that_and_waits_on() {
    let files = TestDirectory::create();
    let directory = files.path().to_str().expect("test paths are plain text");
    let server = Server::start(&cores(2), &["--dir", directory]);
    let mut client = server.connect(Resp::Two);
    client.check("DEBUG POPULATE 1000", OK);
    client.check("CONFIG SET rdb-key-save-delay 100000", OK);
    client.check("BGSAVE", "+Background saving started");
    client.check("CONFIG SET appendonly yes", OK);
    let waits = ["aof_enabled", "aof_rewrite_scheduled", "aof_pending_rewrite"];
    let fields = info(&mut client);
    assert_eq!(waits.map(|name| fields.number(name)), [1, 1, 1]);
    // Whoever thinks better of it meanwhile has nothing to wait for.
    client.check("CONFIG SET appendonly no", OK);
    let fields = info(&mut client);
    assert_eq!((fields.number(waits[0]), fields.number(waits[1])), (0, 0));
    client.check("CONFIG SET appendonly yes", OK);
    files.write("appendonlydir", "a file");
    client.check("BGSAVE CANCEL", "+Background saving cancelled");
    eventually("it has failed", || info(&mut client).text("aof_last_bgrewrite_status") == "err");
    let fields = info(&mut client);
    assert_eq!(fields.number("aof_rewrites_consecutive_failures"), 1);
    assert_eq!(waits.map(|name| fields.number(name)), [1, 1, 1]);
    fs::remove_file(directory_of(&files)).expect("it is there");
    client.check("CONFIG SET rdb-key-save-delay 0", OK);
    client.check("BGREWRITEAOF", "+Background append only file rewriting started");
    eventually("it is on", || info(&mut client).number("aof_rewrites") == 1);
    let fields = info(&mut client);
    assert_eq!(waits.map(|name| fields.number(name)), [1, 0, 0]);
    kill(server);
    let (_server, mut client) = start(1, &files, &[]);
    assert_eq!(client.integer("DBSIZE"), 1000);
}

#[test]
fn a_rewrite_that_cannot_begin_counts_as_one_that_failed() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(1, &files, &[]);
    client.check("SET key value", OK);
    let in_the_way = directory_of(&files).join("appendonly.aof.2.incr.aof");
    fs::create_dir(&in_the_way).expect("a directory can be made");
    let refused = "-ERR Can't execute an AOF background rewriting. Please check the server logs \
                   for more information.";
    for failures in 1..=2 {
        client.check("BGREWRITEAOF", refused);
        let fields = info(&mut client);
        assert_eq!(fields.text("aof_last_bgrewrite_status"), "err");
        assert_eq!(fields.number("aof_rewrites_consecutive_failures"), failures);
    }
    client.check("CONFIG RESETSTAT", OK);
    let fields = info(&mut client);
    assert_eq!(fields.text("aof_last_bgrewrite_status"), "err");
    assert_eq!(fields.number("aof_rewrites_consecutive_failures"), 0);
    fs::remove_dir(&in_the_way).expect("it is empty");
    rewrite(&mut client);
    assert_eq!(info(&mut client).text("aof_last_bgrewrite_status"), "ok");
}

#[test]
fn what_waits_for_the_disk_is_shown() {
    let files = TestDirectory::create();
    let (_server, mut client) = start(2, &files, &["--appendfsync", "everysec"]);
    client.check("DEBUG AOF-FLUSH-SLEEP 2100000", OK);
    client.check(["SET", "k", &"v".repeat(1000)], OK);
    let waits = |fields: &Fields| fields.number("aof_buffer_length") > 1000;
    eventually("it waits", || waits(&info(&mut client)));
    assert_eq!(info(&mut client).number("aof_delayed_fsync"), 0);
    // What comes after an fsync has begun has to wait for it.
    eventually("an fsync is due", || {
        client.call("APPEND k v");
        info(&mut client).number("aof_pending_bio_fsync") > 0
    });
    eventually("it was slow", || info(&mut client).number("aof_delayed_fsync") > 0);
    client.check("DEBUG AOF-FLUSH-SLEEP 0", OK);
    eventually("all is done", || {
        let fields = info(&mut client);
        fields.number("aof_buffer_length") + fields.number("aof_pending_bio_fsync") == 0
    });
    client.check("CONFIG RESETSTAT", OK);
    assert_eq!(info(&mut client).number("aof_delayed_fsync"), 0);
}

#[test]
fn a_torn_end_is_cut_off_and_damage_stops_the_start() {
    let files = TestDirectory::create();
    let (server, mut client) = start(1, &files, &["--appendfsync", "always"]);
    client.check("SET one 1", OK);
    client.check("SET two 2", OK);
    kill(server);
    let path = files.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&path).expect("the file is there");
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the file is there");
    file.set_len(whole.len() as u64 - 15).expect("a file can be cut");
    let directory = files.path().to_str().expect("test paths are plain text");
    let mut refused = vec!["--appendonly", "yes", "--aof-load-truncated", "no", "--dir", directory];
    assert!(ends_with_failure(&refused), "what is torn is not loaded if it must not be");
    let (server, mut client) = start(1, &files, &[]);
    assert_eq!(client.text("GET one"), "1");
    assert_eq!(client.integer("EXISTS two"), 0);
    kill(server);
    let mut damaged = whole;
    damaged[30] = b'x';
    damaged[31] = b'x';
    damaged[32] = b'x';
    fs::write(&path, damaged).expect("the file can be written");
    refused.truncate(2);
    refused.extend(["--dir", directory]);
    assert!(ends_with_failure(&refused), "damage in the middle stops the start");
}

/// Whether the server, started so, gives up.
fn ends_with_failure(arguments: &[&str]) -> bool {
    let mut process = Command::new(support::server_path())
        .args(["--port", "0", "--unixsocket", "s", "--save", "", "--cores", "1"])
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("the server can be started");
    let mut status = None;
    eventually("the server ends", || {
        status = process.try_wait().expect("its state can be asked for");
        status.is_some()
    });
    status.is_some_and(|status| !status.success())
}

/// How often a server is killed.
fn kills() -> u64 {
    support::environment_number("BASALT_AOF_KILLS").unwrap_or(3)
}

/// Writers that know what was acknowledged: each counts in three keys at once.
fn write_until_killed(server: &Server, acknowledged: &[AtomicU64]) {
    std::thread::scope(|scope| {
        for (number, count) in acknowledged.iter().enumerate() {
            let mut client = server.connect(Resp::Two);
            scope.spawn(move || {
                let lines = format!(
                    "MULTI\r\nINCR count{number}\r\nRPUSH log{number} x\r\nINCR twin{number}\r\n\
                     EXEC\r\n"
                );
                while client.try_send(lines.as_bytes()).is_ok() {
                    for _ in 0..8 {
                        // +OK, three +QUEUED, *3 and its three lines.
                        match client.read_line_if_any() {
                            Some(_) => {}
                            None => return,
                        }
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let random = Duration::from_millis(fastrand::u64(50..600));
        let begun = Instant::now();
        while begun.elapsed() < random {
            std::thread::yield_now();
        }
        signal(server_id(server), "KILL");
    });
}

fn server_id(server: &Server) -> u32 {
    Fields::of_info(&server.connect(Resp::Two).text("INFO server")).number("process_id") as u32
}

#[test]
fn with_always_no_acknowledged_write_is_lost_and_no_transaction_halved() {
    const WRITERS: usize = 6;
    let files = TestDirectory::create();
    let acknowledged: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    for round in 0..kills() {
        let core_count = [2, 1, 3][round as usize % 3];
        let (server, mut client) = start(core_count, &files, &["--appendfsync", "always"]);
        check_counts(&mut client, &acknowledged);
        if round % 2 == 1 {
            client.call("BGREWRITEAOF");
        }
        write_until_killed(&server, &acknowledged);
        kill_is_over(server);
    }
    let (_server, mut client) = start(2, &files, &[]);
    check_counts(&mut client, &acknowledged);
}

fn kill_is_over(mut server: Server) {
    server.process().wait_for_exit();
}

/// What is there is what was acknowledged, or one more that was on its way.
fn check_counts(client: &mut Client, acknowledged: &[AtomicU64]) {
    for (number, count) in acknowledged.iter().enumerate() {
        let known = count.load(Ordering::SeqCst);
        let there = client.integer(format!("LLEN log{number}").as_str()) as u64;
        for key in ["count", "twin"] {
            let value = client.call(format!("GET {key}{number}").as_str());
            let value =
                if value == Reply::Null { 0 } else { value.text().parse().expect("a number") };
            assert_eq!(there, value, "{key}{number} and log{number} changed in one transaction");
        }
        assert!(there >= known, "writer {number}: {known} acknowledged, {there} there");
        assert!(there <= known + 1, "writer {number}: {known} acknowledged, {there} there");
        count.store(there, Ordering::SeqCst);
    }
}

#[test]
fn with_everysec_what_is_left_is_a_prefix_of_history() {
    for _ in 0..kills() {
        let files = TestDirectory::create();
        let (server, mut client) = start(2, &files, &["--appendfsync", "everysec"]);
        let process = server_id(&server);
        let last = fastrand::u64(500..4000);
        let begun = Instant::now();
        for number in 1..=last {
            client.check(format!("SET step{number} {number}").as_str(), OK);
        }
        let took = begun.elapsed();
        signal(process, "KILL");
        kill_is_over(server);
        let (server, mut client) = start(1, &files, &[]);
        let count = client.integer("DBSIZE") as u64;
        for number in 1..=last {
            let is_there = client.integer(format!("EXISTS step{number}").as_str()) == 1;
            assert_eq!(is_there, number <= count, "step {number} of {count} that are left");
        }
        if took < Duration::from_secs(1) {
            assert!(count <= last);
        }
        kill(server);
    }
}

/// A stock redis-server with its files in `files`, or nothing where there is none.
struct Stock(Child);

impl Stock {
    fn start(files: &TestDirectory, socket: &str) -> Option<Self> {
        let directory = files.path().to_str().expect("test paths are plain text");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "yes", "--dir", directory])
            .args(["--unixsocket", socket, "--enable-debug-command", "yes"])
            .stdout(Stdio::null())
            .spawn();
        child.ok().map(Self)
    }

    fn client(&self, files: &TestDirectory, socket: &str) -> Client {
        let path = files.path().join(socket);
        let mut client = None;
        eventually("the stock server listens", || {
            client = Client::connect_unix(&path).ok();
            client.is_some()
        });
        let mut client = client.expect("it is connected");
        eventually("it has loaded its data", || {
            client.call("PING") == Reply::Simple("PONG".into())
        });
        client
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_stock_server_loads_the_files_of_one_core_and_the_other_way_round() {
    let files = TestDirectory::create();
    let (server, mut client) = start(1, &files, &["--appendfsync", "always"]);
    fill(&mut client);
    let digest = client.text("DEBUG DIGEST");
    kill(server);
    let Some(stock) = Stock::start(&files, "one") else { return };
    let mut client = stock.client(&files, "one");
    assert_eq!(client.text("DEBUG DIGEST"), digest, "Redis loads what Basalt wrote");
    client.check("SET by redis", OK);
    client.call("SPOP words");
    client.check("SET soon 1 EX 1000", OK);
    let digest = client.text("DEBUG DIGEST");
    drop(stock);
    let (server, mut client) = start(2, &files, &["--appendfsync", "always"]);
    assert_eq!(client.text("DEBUG DIGEST"), digest, "Basalt loads what Redis wrote");
    client.check("BGREWRITEAOF", "+Background append only file rewriting started");
    eventually("the rewrite is over", || info(&mut client).number("aof_rewrites") == 1);
    kill(server);
    let (server, mut client) = start(1, &files, &[]);
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    kill(server);
}

#[test]
fn a_single_file_of_an_old_server_becomes_the_base() {
    let files = TestDirectory::create();
    files.write("appendonly.aof", "*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n");
    let (server, mut client) = start(2, &files, &["--appendfsync", "always"]);
    assert_eq!(client.text("GET old"), "1");
    assert_eq!(client.integer("INCR old"), 2);
    kill(server);
    let (_server, mut client) = start(1, &files, &[]);
    assert_eq!(client.text("GET old"), "2");
}

/// Scripts with their digests.
const SET: [&str; 2] =
    ["return redis.call('set',KEYS[1],ARGV[1])", "c686f316aaf1eb01d5a4de1b0b63cd233010e63d"];
const ADD: [&str; 2] = [
    "return redis.call('incrby','undeclared',ARGV[1])",
    "5d14e3d624db0b6e8d1abbdb0572d40229b859a8",
];
const READ: [&str; 2] =
    ["return redis.call('get','x')", "db94c2918043c41a85e5c7f5b637c7a9c9c7119c"];
const ONE: [&str; 2] = ["return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"];

/// Commands as a single file of an old server tells them.
fn old_file(lines: &[&[&str]]) -> String {
    let told = |line: &&[&str]| {
        let words = line.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", line.len(), words.collect::<String>())
    };
    lines.iter().map(told).collect()
}

/// The keys that are there, in this order, and what else there is to ask for.
const WHAT_SCRIPTS_LEFT: &str = "1 2 3 4 12 6 7 :0 true :15 :2 0-0 1 :1 :0 :0 :1 :1";

/// What scripts of the file below have left.
fn what_scripts_left(client: &mut Client) -> String {
    let digests = [SET[1], ADD[1], READ[1], ONE[1]].join(" ");
    let mut told = String::new();
    for line in [
        "SELECT 2",
        "MGET named again after failed undeclared inside gone end",
        "EXISTS old",
        "GET soon",
        "STRLEN id",
        "XLEN x",
        // Nothing has been idle for long.
        "XAUTOCLAIM x g e 10000000 0",
        "SELECT 3",
        "GET elsewhere",
        "DBSIZE",
        &format!("SCRIPT EXISTS {digests}"),
    ] {
        client.send_command(line);
        told += &String::from_utf8_lossy(&client.read_bytes());
    }
    client.check("SELECT 2", OK);
    for key in ["timed", "soon", "copy"] {
        assert!((1..=1000).contains(&client.integer(["TTL", key])), "{key}");
    }
    let words = told.lines().filter(|line| !line.starts_with(['$', '*', '+']));
    words.collect::<Vec<_>>().join(" ")
}

/// Servers before Redis 5 wrote EVAL into the file, and later ones may have been told to.
#[test]
fn scripts_of_an_old_file_run_again_and_do_what_a_stock_server_makes_of_them() {
    let elsewhere = "redis.call('select',3) redis.call('set','elsewhere','1')";
    let timed = "redis.call('setex','timed',1000,'1') \
                 redis.call('set','soon',tostring(redis.call('ttl','timed') < 1001)) \
                 redis.call('expire','soon',1000) \
                 redis.call('restore','copy',1000000,redis.call('dump','named'))";
    let added = "redis.call('set','id',redis.call('xadd','x','*','f','v'))";
    let claimed = "redis.call('xadd','x','*','f','v') redis.call('xgroup','create','x','g','0') \
                   redis.call('xreadgroup','group','g','c','streams','x','>') \
                   redis.call('xclaim','x','g','d',0,redis.call('get','id'))";
    let file = old_file(&[
        &["SELECT", "2"],
        &["EVAL", SET[0], "1", "named", "1"],
        &["EVALSHA", SET[1], "1", "again", "2"],
        &["EVAL", elsewhere, "0"],
        &["SET", "after", "3"],
        &["EVAL", "redis.call('set',KEYS[1],'4') error('no')", "1", "failed"],
        &["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"],
        &["EVAL", "this is not Lua", "0"],
        &["SCRIPT", "LOAD", ADD[0]],
        &["EVALSHA", ADD[1], "0", "5"],
        &["MULTI"],
        &["EVALSHA", ADD[1], "0", "7"],
        &["SET", "inside", "6"],
        &["EXEC"],
        &["EVALSHA_RO", ADD[1], "0", "100"],
        // What has expired meanwhile had not when this ran, and does not come back without a time.
        &["SET", "old", "1", "PXAT", "1000"],
        &["EVAL", "redis.call('incr','old')", "0"],
        &["EVAL", timed, "0"],
        &["EVAL", added, "0"],
        &["EVAL", claimed, "0"],
        &["SCRIPT", "FLUSH"],
        &["EVALSHA", SET[1], "1", "gone", "x"],
        &["SCRIPT", "LOAD", READ[0]],
        &["EVAL_RO", ONE[0], "0"],
        &["SET", "end", "7"],
    ]);
    for core_count in [1, 3] {
        let files = TestDirectory::create();
        files.write("appendonly.aof", &file);
        let (server, mut client) = start(core_count, &files, &[]);
        assert_eq!(what_scripts_left(&mut client), WHAT_SCRIPTS_LEFT);
        client.check("DEBUG LOADAOF", OK);
        assert_eq!(what_scripts_left(&mut client), WHAT_SCRIPTS_LEFT);
        server.wait_for_log("5 commands of the append only file answered with an error");
        kill(server);
    }
    let files = TestDirectory::create();
    files.write("appendonly.aof", &file);
    if let Some(stock) = Stock::start(&files, "one") {
        assert_eq!(what_scripts_left(&mut stock.client(&files, "one")), WHAT_SCRIPTS_LEFT);
    }
}

/// What a script empties while it runs again is not what snapshots are about.
#[test]
fn a_flush_by_a_script_of_a_file_leaves_the_snapshot_alone() {
    let files = TestDirectory::create();
    let flushes = "redis.call('flushall') redis.call('set','behind','1')";
    files.write("appendonly.aof", &old_file(&[&["SET", "x", "1"], &["EVAL", flushes, "0"]]));
    files.write("dump.rdb", "a snapshot");
    let (_server, mut client) = start(2, &files, &["--save", "3600 1"]);
    client.check("KEYS *", array([bulk("behind")]));
    assert_eq!(files.read("dump.rdb"), "a snapshot");
}

/// Symptom: no signal ends a server but KILL. Cause: a script of the file never ends, and the end
/// of the process waits for the load.
#[test]
fn a_server_ends_while_a_script_of_its_file_does_not() {
    let endless = "redis.call('set','x','1') while true do end";
    let file = old_file(&[&["EVAL", endless, "0"]]);
    let arguments = ["--port", "0", "--unixsocket", "s", "--save", "", "--cores", "2"];
    let arguments = [&arguments[..], &["--appendonly", "yes", "--busy-reply-threshold", "1"]];
    let files = TestDirectory::create();
    files.write("appendonly.aof", &file);
    let mut process = Process::start(files, &owned(&arguments.concat()), "");
    eventually("the script is slow", || process.output().contains("Slow script detected"));
    signal(process.id(), "TERM");
    assert!(process.wait_for_exit().success(), "{}", process.output());
    assert_eq!(process.directory().read("appendonlydir/appendonly.aof"), file);
}

#[test]
fn writes_are_refused_while_the_disk_is_full() {
    let files = TestDirectory::create();
    let directory = files.path().join("appendonlydir");
    fs::create_dir_all(&directory).expect("a directory can be made");
    let segment = directory.join("appendonly.aof.1.incr.aof");
    std::os::unix::fs::symlink("/dev/full", segment).expect("a link can be made");
    let (_server, mut client) = start(1, &files, &["--appendfsync", "everysec"]);
    client.check("SET one 1", OK);
    eventually("the disk is full", || info(&mut client).text("aof_last_write_status") == "err");
    client.check("SET two 2", "-MISCONF Errors writing to the AOF file: No space left on device");
    assert_eq!(client.text("GET one"), "1");
}

#[test]
fn a_rewrite_asked_for_in_a_transaction_comes_after_it() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let (server, mut client) = start(core_count, &files, &["--appendfsync", "always"]);
        for line in ["MULTI", "SET a 1", "BGREWRITEAOF", "SET b 2"] {
            client.call(line);
        }
        let scheduled = "Background append only file rewriting scheduled";
        assert_eq!(client.call("EXEC").texts(), ["OK", scheduled, "OK"]);
        eventually("the rewrite is over", || info(&mut client).number("aof_rewrites") == 1);
        client.check("SET c 3", OK);
        kill(server);
        let (server, mut client) = start(1, &files, &[]);
        assert_eq!(client.call("MGET a b c").texts(), ["1", "2", "3"]);
        kill(server);
    }
}

fn library(name: &str, answer: &str) -> String {
    format!(
        "#!lua name={name}\nredis.register_function('{name}', function() return '{answer}' end)"
    )
}

fn load_function(client: &mut Client, words: &[&str]) {
    let words: Vec<&[u8]> = ["FUNCTION"].iter().chain(words).map(|word| word.as_bytes()).collect();
    let reply = client.call(&words[..]);
    assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
}

#[test]
fn functions_are_in_the_file_and_come_back_on_any_number_of_cores() {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--appendfsync", "always"]);
    load_function(&mut client, &["LOAD", &library("one", "1")]);
    load_function(&mut client, &["LOAD", &library("gone", "2")]);
    load_function(&mut client, &["LOAD", &library("three", "3")]);
    let dump = client.call("FUNCTION DUMP");
    load_function(&mut client, &["LOAD", "REPLACE", &library("one", "new")]);
    load_function(&mut client, &["DELETE", "gone"]);
    assert!(matches!(client.call("FUNCTION DELETE gone"), Reply::Error(_)));
    client.check("MULTI", OK);
    client.call("SET key value");
    client.call("FUNCTION DELETE three");
    client.call("EXEC");
    kill(server);
    for core_count in [1, 3, 2] {
        let (server, mut client) = start(core_count, &files, &["--appendfsync", "always"]);
        assert_eq!(client.text("FCALL one 0"), "new", "{core_count} cores");
        assert_eq!(client.text("GET key"), "value");
        assert!(matches!(client.call("FCALL gone 0"), Reply::Error(_)));
        assert!(matches!(client.call("FCALL three 0"), Reply::Error(_)));
        kill(server);
    }
    let Reply::Bulk(dump) = dump else { panic!("{dump:?}") };
    let (server, mut client) = start(2, &files, &["--appendfsync", "always"]);
    let restore: [&[u8]; 4] = [b"FUNCTION", b"RESTORE", &dump, b"FLUSH"];
    client.check(&restore[..], OK);
    kill(server);
    let (_server, mut client) = start(1, &files, &[]);
    assert_eq!(client.text("FCALL one 0"), "1");
    assert_eq!(client.text("FCALL three 0"), "3");
}

#[test]
fn the_data_is_loaded_again_while_the_server_runs() {
    for core_count in [1, 2] {
        let files = TestDirectory::create();
        let (server, mut client) = start(core_count, &files, &["--appendfsync", "no"]);
        fill(&mut client);
        load_function(&mut client, &["LOAD", &library("one", "1")]);
        let digest = client.text("DEBUG DIGEST");
        client.check("DEBUG LOADAOF", OK);
        assert_eq!(client.text("DEBUG DIGEST"), digest);
        assert_eq!(client.text("FCALL one 0"), "1");
        client.check("SET after 1", OK);
        client.check("DEBUG RELOAD", OK);
        assert_eq!(client.text("FCALL one 0"), "1");
        assert_eq!(client.text("GET after"), "1");
        client.check("BGREWRITEAOF", "+Background append only file rewriting started");
        eventually("it is over", || info(&mut client).number("aof_rewrite_in_progress") == 0);
        assert_eq!(client.integer("INCR after"), 2);
        client.check("DEBUG LOADAOF", OK);
        assert_eq!(client.text("GET after"), "2");
        let digest = client.text("DEBUG DIGEST");
        client.send_command("SHUTDOWN");
        client.read_until_closed();
        drop(server);
        let (_server, mut client) = start(2, &files, &[]);
        assert_eq!(client.text("DEBUG DIGEST"), digest);
    }
}
