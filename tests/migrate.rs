//! MIGRATE between real servers: Basalt to Basalt, to a stock server and back, with every option,
//! and to servers that refuse, say nothing, or end in the middle.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use support::{
    Client, Fields, IoBackend, NIL, OK, Resp, Server, ServerConfig, TestDirectory, bulk, each,
    eventually, skip,
};

const NOT_REACHED: &str = "-IOERR error or timeout connecting to the client";
const NOT_WRITTEN: &str = "-IOERR error or timeout writing to target instance";
const NOT_READ: &str = "-IOERR error or timeout reading to target instance";

fn basalt(core_count: u32, arguments: &[&str]) -> Server {
    let config = ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll };
    Server::start(&config, arguments)
}

/// `MIGRATE` to a port of this machine.
fn migrate(port: u16, rest: &str) -> String {
    format!("MIGRATE 127.0.0.1 {port} {rest}")
}

/// A value of every type, each in a small and a large form.
fn fill(client: &mut Client) {
    for command in [
        "SET number 12",
        "SET text 'some text'",
        "RPUSH list a b 3",
        "SADD ints 1 2 3",
        "SADD members a b 3",
        "ZADD sorted 1 a 2.5 b",
        "HSET hash f v g w",
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f w",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
        "EVAL \"for i = 1, 1000 do redis.call('rpush', KEYS[1], 'element' .. i) end\" 1 biglist",
        "EVAL \"for i = 1, 1000 do redis.call('sadd', KEYS[1], 'member' .. i) end\" 1 bigset",
        "EVAL \"for i = 1, 1000 do redis.call('zadd', KEYS[1], i, 'm' .. i) end\" 1 bigsorted",
        "EVAL \"for i = 1, 1000 do redis.call('hset', KEYS[1], 'f' .. i, i) end\" 1 bighash",
    ] {
        client.call(command);
    }
}

const FILLED: [&str; 12] = [
    "number",
    "text",
    "list",
    "ints",
    "members",
    "sorted",
    "hash",
    "stream",
    "biglist",
    "bigset",
    "bigsorted",
    "bighash",
];

/// What a client sees of every key.
fn look(client: &mut Client) -> Vec<String> {
    let commands = [
        "GET number",
        "GET text",
        "LRANGE list 0 -1",
        "SORT ints",
        "SORT members ALPHA",
        "ZRANGE sorted 0 -1 WITHSCORES",
        "HMGET hash f g",
        "XRANGE stream - +",
        "XPENDING stream group",
        "LRANGE biglist 0 -1",
        "SORT bigset ALPHA",
        "ZRANGE bigsorted 0 -1 WITHSCORES",
        "HMGET bighash f1 f500 f1000",
    ];
    commands.iter().map(|command| format!("{:?}", client.call(*command))).collect()
}

/// A stock redis-server on a socket of 127.0.0.1.
struct Stock {
    child: Child,
    port: u16,
    _files: TestDirectory,
}

impl Stock {
    /// Nothing where there is none on the PATH.
    fn start() -> Option<(Self, Client)> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let files = TestDirectory::create();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"])
            .current_dir(files.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let stock = Self { child, port, _files: files };
        let mut client = None;
        eventually("the stock server listens", || {
            client = Client::connect((Ipv4Addr::LOCALHOST, port).into()).ok();
            client.is_some()
        });
        Some((stock, client?))
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_of_every_type_move_and_come_back() {
    for (core_count, others) in [(1, 2), (2, 1)] {
        let (one, other) = (basalt(core_count, &[]), basalt(others, &[]));
        let (mut here, mut there) = (one.connect(Resp::Two), other.connect(Resp::Two));
        there_and_back(&mut here, one.port(), &mut there, other.port());
    }
}

#[test]
fn a_stock_server_takes_keys_and_gives_them_back() {
    let Some((stock, mut there)) = Stock::start() else {
        return skip("there is no redis-server on the PATH");
    };
    let one = basalt(2, &[]);
    there_and_back(&mut one.connect(Resp::Two), one.port(), &mut there, stock.port);
}

fn there_and_back(here: &mut Client, own_port: u16, there: &mut Client, port: u16) {
    fill(here);
    let before = look(here);
    here.check("PEXPIRE text 1000000", 1);
    here.check(migrate(port, "number 9 5000").as_str(), OK);
    here.check("EXISTS number", 0);
    there.check("SELECT 9", OK);
    there.check("GET number", bulk("12"));
    let rest = FILLED[1..].join(" ");
    here.check(migrate(port, &format!("\"\" 9 5000 KEYS missing {rest}")).as_str(), OK);
    here.check("DBSIZE", 0);
    there.check("DBSIZE", FILLED.len() as i64);
    let left_ms = there.integer("PTTL text");
    assert!((900_000..=1_000_000).contains(&left_ms), "{left_ms} ms");
    there.call("PERSIST text");
    assert!(look(there) == before, "values are the same there");
    let all = FILLED.join(" ");
    there.check(migrate(own_port, &format!("\"\" 0 5000 KEYS {all}")).as_str(), OK);
    assert!(look(here) == before, "values are the same here again");
    there.check("DBSIZE", 0);
}

#[test]
fn copies_and_replacements() {
    let (one, other) = (basalt(2, &[]), basalt(1, &[]));
    let (mut here, mut there) = (one.connect(Resp::Two), other.connect(Resp::Two));
    let port = other.port();
    here.check("MSET a 1 b 2 c 3", OK);
    here.check(migrate(port, "a 0 5000 COPY").as_str(), OK);
    here.check("GET a", bulk("1"));
    there.check("GET a", bulk("1"));
    here.check("SET a changed", OK);
    let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    here.check(migrate(port, "a 0 5000").as_str(), busy);
    here.check(migrate(port, "\"\" 0 5000 KEYS b a c").as_str(), busy);
    here.check("MGET a b c", support::array([bulk("changed"), NIL, NIL]));
    here.check(migrate(port, "a 0 5000 REPLACE").as_str(), OK);
    there.check("MGET a b c", support::array([bulk("changed"), bulk("2"), bulk("3")]));
    here.check(migrate(port, "a 0 5000").as_str(), "+NOKEY");
    there.check("SET here 1", OK);
    here.check("SET here 1", OK);
    let no_database = "-ERR Target instance replied with error: ERR DB index is out of range";
    here.check(migrate(port, "here 99 5000").as_str(), no_database);
    here.check("GET here", bulk("1"));
}

#[test]
fn passwords_and_users() {
    let (one, other) = (basalt(2, &[]), basalt(2, &["--requirepass", "secret"]));
    let (mut here, mut there) = (one.connect(Resp::Two), other.connect_plain());
    let port = other.port();
    there.check("AUTH secret", OK);
    there.check("ACL SETUSER mover on >pass ~* +@all", OK);
    here.check("MSET a 1 b 2", OK);
    let refused = "-ERR Target instance replied with error: NOAUTH Authentication required.";
    here.check(migrate(port, "a 0 5000").as_str(), refused);
    let wrong = "-ERR Target instance replied with error: WRONGPASS invalid username-password \
                 pair or user is disabled.";
    here.check(migrate(port, "a 0 5000 AUTH other").as_str(), wrong);
    here.check(migrate(port, "a 0 5000 AUTH2 mover other").as_str(), wrong);
    here.check(migrate(port, "a 0 5000 AUTH secret").as_str(), OK);
    // Nobody travels on the connection somebody else has logged in.
    here.check(migrate(port, "b 0 5000").as_str(), refused);
    here.check(migrate(port, "b 0 5000 AUTH2 mover pass").as_str(), OK);
    there.check("MGET a b", support::array([bulk("1"), bulk("2")]));
}

#[test]
fn connections_are_kept_and_made_anew() {
    let one = basalt(2, &[]);
    let mut here = one.connect(Resp::Two);
    let kept = |client: &mut Client| {
        Fields::of_info(&client.text("INFO stats")).number("migrate_cached_sockets")
    };
    assert_eq!(kept(&mut here), 0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    // Answers one key per connection and closes it; the next key needs another one.
    let target = std::thread::spawn(move || {
        (0..2).map(|_| answer(&listener, &["+OK", "+OK"]).len()).sum::<usize>()
    });
    here.check("MSET a 1 b 2", OK);
    here.check(migrate(port, "a 3 5000").as_str(), OK);
    here.check(migrate(port, "b 3 5000").as_str(), OK);
    assert_eq!(kept(&mut here), 1);
    assert_eq!(target.join().expect("it ended well"), 4, "SELECT and RESTORE, twice");
}

/// A server that takes one connection, answers as many commands, and closes it. Returns the names
/// of the commands.
fn answer(listener: &TcpListener, replies: &[&str]) -> Vec<String> {
    let (stream, _) = listener.accept().expect("somebody comes");
    let mut reader = BufReader::new(&stream);
    let names = replies.iter().map(|reply| {
        let name = read_command(&mut reader);
        (&stream).write_all(format!("{reply}\r\n").as_bytes()).expect("it is read");
        name
    });
    names.collect()
}

/// Reads a command and returns its name.
fn read_command(reader: &mut BufReader<&TcpStream>) -> String {
    let number = |reader: &mut BufReader<&TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).expect("there is a line");
        line[1..].trim().parse::<usize>().expect("it is a number")
    };
    let words = (0..number(reader)).map(|_| {
        let mut word = vec![0; number(reader) + 2];
        reader.read_exact(&mut word).expect("there is a word");
        String::from_utf8_lossy(&word).trim().to_owned()
    });
    words.collect::<Vec<_>>().swap_remove(0)
}

/// A server on a port of its own that answers one connection so.
fn target(replies: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    (port, std::thread::spawn(move || answer(&listener, replies)))
}

#[test]
fn a_server_that_fails_keeps_nothing_from_working() {
    each(|t| {
        t.check("MSET a 1 b 2 c 3", OK);
        // Nobody listens there: Redis finds out when it writes.
        t.check(migrate(1, "a 0 5000").as_str(), NOT_WRITTEN);
        t.check("MIGRATE 127.0.0.1 port a 0 5000", NOT_WRITTEN);
        t.check("MIGRATE 127.0.0.1 99999 a 0 5000", NOT_REACHED);
        // It accepts, and says nothing: connections wait in the backlog.
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = silent.local_addr().expect("it is bound").port();
        t.check(migrate(port, "a 0 50").as_str(), NOT_READ);
        t.check("MGET a b c", support::array([bulk("1"), bulk("2"), bulk("3")]));
        // It ends after the first of three keys.
        let (port, ended) = target(&["+OK", "+OK"]);
        t.check(migrate(port, "\"\" 7 5000 KEYS a b c").as_str(), NOT_READ);
        assert_eq!(ended.join().expect("it ended well"), ["SELECT", "RESTORE"]);
        t.check("MGET a b c", support::array([NIL, bulk("2"), bulk("3")]));
        // It is no Redis at all.
        let (port, _ended) = target(&["HTTP/1.1 400 Bad Request", "Connection: close"]);
        let odd = "-ERR Target instance replied with error: HTTP/1.1 400 Bad Request";
        t.check(migrate(port, "b 0 5000").as_str(), odd);
        t.check("EXISTS b", 1);
        t.check("DEL a b c", 2);
    });
}

#[test]
fn what_is_under_way_waits_and_the_rest_goes_on() {
    let one = basalt(2, &[]);
    let (mut here, mut other) = (one.connect(Resp::Two), one.connect(Resp::Two));
    here.check("MSET k v a 1 b 2 c 3 d 4", OK);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    here.send_command(migrate(port, "k 0 60000").as_str());
    let (stream, _) = listener.accept().expect("somebody comes");
    let mut reader = BufReader::new(&stream);
    assert_eq!(read_command(&mut reader), "SELECT");
    assert_eq!(read_command(&mut reader), "RESTORE");
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
        other.check(format!("GET {name}").as_str(), bulk(value));
    }
    other.send_command("SET k new NX");
    (&stream).write_all(b"+OK\r\n+OK\r\n").expect("it is read");
    here.check_next("MIGRATE", OK);
    other.check_next("SET k new NX", OK);
    here.check("GET k", bulk("new"));
}

#[test]
fn transactions_scripts_and_the_append_only_file() {
    let files = TestDirectory::create();
    let directory = files.path().to_str().expect("test paths are plain text");
    let arguments = ["--dir", directory, "--appendonly", "yes", "--appendfsync", "always"];
    let other = basalt(1, &[]);
    let port = other.port();
    {
        let one = basalt(2, &arguments);
        let mut here = one.connect(Resp::Two);
        here.check("MSET a 1 b 2 c 3 d 4", OK);
        here.check(migrate(port, "a 0 5000").as_str(), OK);
        here.check("MULTI", OK);
        here.check(migrate(port, "b 0 5000").as_str(), "+QUEUED");
        here.check("GET c", "+QUEUED");
        here.check("EXEC", support::array([OK.into(), bulk("3")]));
        let script = format!(
            "EVAL \"return redis.call('migrate', '127.0.0.1', '{port}', KEYS[1], '0', '5000')\" 1 c"
        );
        here.check(script.as_str(), OK);
        here.check(migrate(port, "d 0 5000 COPY").as_str(), OK);
        here.check("DBSIZE", 1);
    }
    let one = basalt(1, &arguments);
    let mut here = one.connect(Resp::Two);
    eventually("the data is loaded", || {
        Fields::of_info(&here.text("INFO persistence")).number("loading") == 0
    });
    here.check("MGET a b c d", support::array([NIL, NIL, NIL, bulk("4")]));
    let mut there = other.connect(Resp::Two);
    there.check("DBSIZE", 4);
}
