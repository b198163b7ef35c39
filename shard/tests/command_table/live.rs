//! The replies of COMMAND against a redis-server, where one is installed.
//!
//! Rows describe the newest servers, the one found may be older. What later versions changed is
//! listed by name below; everything else must agree. Commands without code have no reply to
//! compare: they must be unknown, and of their rows the keys of command lines are compared.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};

use basalt_shard::command::docs::{INVALID_COMMAND, KeyReply, write_docs, write_infos, write_keys};

use crate::value::{TreeWriter, Value, read};
use crate::{keys, words, written};

/// The version the lists of differences are written for.
const VERSION: &str = "7.0.15";

struct Server {
    process: Child,
    directory: PathBuf,
    connection: BufReader<UnixStream>,
}

impl Server {
    /// A server of the known version on a socket of its own; none if there is none to start.
    fn start(test: &str) -> Option<Self> {
        let version = Process::new("redis-server").arg("--version").output().ok()?;
        if !String::from_utf8_lossy(&version.stdout).contains(&format!("v={VERSION} ")) {
            return None;
        }
        let name = format!("basalt-command-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory for the socket");
        let socket = directory.join("socket");
        let mut process = Process::new("redis-server")
            .args(["--port", "0", "--save", "", "--daemonize", "no", "--unixsocket"])
            .arg(&socket)
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = BufReader::new(process.stdout.take().expect("its log is piped"));
        let mut lines = log.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("accept connections at")), "the server is ready");
        let connection = BufReader::new(UnixStream::connect(&socket).expect("a connection"));
        let mut server = Self { process, directory, connection };
        server.ask("HELLO 3");
        Some(server)
    }

    fn ask(&mut self, line: &str) -> Value {
        let words = words(line);
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(word);
            request.extend(b"\r\n");
        }
        self.connection.get_mut().write_all(&request).expect("a request");
        read(&mut self.connection)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// What differs: command and field, with both values for the message.
#[derive(Default)]
struct Differences(BTreeMap<(String, &'static str), String>);

impl Differences {
    fn compare(&mut self, name: &str, field: &'static str, theirs: &Value, ours: &Value) {
        if theirs != ours {
            let values = format!("theirs {theirs:?}\n  ours {ours:?}");
            self.0.insert((name.to_owned(), field), values);
        }
    }

    /// Fails unless the differences are exactly those that later versions account for, as far as
    /// their commands are built.
    fn assert_known(mut self, known: &[(&'static str, &[&str])]) {
        for (field, names) in known {
            for name in names.iter().filter(|name| is_built(name)) {
                let found = self.0.remove(&((*name).to_owned(), *field));
                assert!(found.is_some(), "{name} {field} agrees: strike it off the list");
            }
        }
        let report: Vec<_> = self
            .0
            .iter()
            .map(|((name, field), values)| format!("{name} {field}\n{values}"))
            .collect();
        assert!(report.is_empty(), "{}", report.join("\n"));
    }
}

fn is_built(full_name: &str) -> bool {
    written::is_built(written::row(full_name).unwrap_or_else(|| panic!("{full_name} has no row")))
}

const INFO_FIELDS: [&str; 9] =
    ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"];

/// Flags, tips and key specifications that versions after 7.0 corrected.
const INFO_CHANGED: &[(&str, &[&str])] = &[
    (
        "tips",
        &[
            "acl|deluser",
            "acl|save",
            "acl|setuser",
            "client|setname",
            "config|resetstat",
            "config|rewrite",
            "latency|reset",
            "msetnx",
            "randomkey",
            "scan",
        ],
    ),
    (
        "flags",
        &[
            "blmove",
            "blpop",
            "brpop",
            "brpoplpush",
            "bzpopmax",
            "bzpopmin",
            "cluster|count-failure-reports",
            "cluster|info",
            "cluster|keyslot",
            "cluster|links",
            "cluster|myid",
            "cluster|nodes",
            "cluster|replicas",
            "cluster|shards",
            "cluster|slaves",
            "cluster|slots",
            "psubscribe",
            "ssubscribe",
            "subscribe",
            "wait",
        ],
    ),
    ("arity", &["command|getkeys", "command|getkeysandflags", "zrank", "zrevrank"]),
    ("key specs", &["georadius", "georadiusbymember", "sinterstore", "xread", "xreadgroup"]),
    ("categories", &["wait"]),
];

#[test]
fn info_agrees() {
    let Some(mut server) = Server::start("info") else { return };
    let mut differences = Differences::default();
    for theirs in server.ask("COMMAND").items() {
        compare_info(theirs, &mut differences);
    }
    differences.assert_known(INFO_CHANGED);
}

fn compare_info(theirs: &Value, differences: &mut Differences) {
    let theirs = theirs.items();
    let name = theirs[0].text();
    let ours = TreeWriter::collect(|reply| write_infos(&[name], reply));
    if !is_built(name) {
        assert_eq!(ours.items(), [Value::Null], "{name} has no code");
        return;
    }
    let ours = ours.items()[0].items();
    assert_eq!(theirs.len(), ours.len());
    for (index, field) in INFO_FIELDS.into_iter().enumerate() {
        let without_notes = |value: &Value| without_field(value, "notes");
        differences.compare(
            name,
            field,
            &without_notes(&theirs[index]),
            &without_notes(&ours[index]),
        );
    }
    for theirs in theirs[INFO_FIELDS.len()].items() {
        compare_info(theirs, differences);
    }
}

/// The value without the fields of that name in maps at any depth.
fn without_field(value: &Value, name: &str) -> Value {
    let all = |items: &[Value]| items.iter().map(|item| without_field(item, name)).collect();
    match value {
        Value::Array(items) => Value::Array(all(items)),
        Value::Set(items) => Value::Set(all(items)),
        Value::Map(pairs) => {
            let others = pairs.iter().filter(|(key, _)| key.text() != name);
            let others = others.map(|(key, value)| (key.clone(), without_field(value, name)));
            Value::Map(others.collect())
        }
        other => other.clone(),
    }
}

/// Arguments that versions after 7.0 added, renamed or described otherwise.
const DOCS_CHANGED: &[(&str, &[&str])] = &[
    (
        "arguments",
        &[
            "acl|cat",
            "bitop",
            "client|kill",
            "client|list",
            "command|getkeys",
            "command|getkeysandflags",
            "config|get",
            "geohash",
            "geopos",
            "georadius",
            "georadiusbymember",
            "hscan",
            "lcs",
            "migrate",
            "module|loadex",
            "pfmerge",
            "psubscribe",
            "set",
            "xadd",
            "xclaim",
            "xgroup|create",
            "xgroup|createconsumer",
            "xgroup|delconsumer",
            "xgroup|destroy",
            "xgroup|setid",
            "xinfo|consumers",
            "xread",
            "xreadgroup",
            "xsetid",
            "xtrim",
            "zinter",
            "zinterstore",
            "zrank",
            "zrevrank",
            "zunion",
            "zunionstore",
        ],
    ),
    ("since", &["client|pause"]),
    ("deprecated_since", &["psetex", "quit", "setex", "setnx"]),
    ("doc_flags", &["psetex", "quit", "setex", "setnx"]),
];

#[test]
fn docs_agree() {
    let Some(mut server) = Server::start("docs") else { return };
    let mut differences = Differences::default();
    let Value::Map(docs) = server.ask("COMMAND DOCS") else { panic!("DOCS is a map") };
    for (name, theirs) in &docs {
        let ours = TreeWriter::collect(|reply| write_docs(&[name.text()], reply));
        compare_docs(name.text(), theirs, ours.field(name.text()), &mut differences);
    }
    differences.assert_known(DOCS_CHANGED);
}

fn compare_docs(name: &str, theirs: &Value, ours: Option<&Value>, differences: &mut Differences) {
    if !is_built(name) {
        assert_eq!(ours, None, "{name} has no code");
        return;
    }
    let ours = ours.unwrap_or_else(|| panic!("{name} has no documentation"));
    let null = Value::Null;
    for field in ["since", "group", "doc_flags", "deprecated_since"] {
        let [theirs, ours] = [theirs, ours].map(|docs| docs.field(field).unwrap_or(&null));
        differences.compare(name, field, theirs, ours);
    }
    let [their_arguments, our_arguments] = [theirs, ours].map(|docs| {
        let arguments = docs.field("arguments").map(Value::items).unwrap_or_default();
        Value::Array(arguments.iter().map(structure).collect())
    });
    differences.compare(name, "arguments", &their_arguments, &our_arguments);
    let Some(Value::Map(subcommands)) = theirs.field("subcommands") else { return };
    for (name, theirs) in subcommands {
        let ours = ours.field("subcommands").and_then(|all| all.field(name.text()));
        compare_docs(name.text(), theirs, ours, differences);
    }
}

/// What an argument is, without the names of groups, which every version chose anew.
fn structure(argument: &Value) -> Value {
    let field = |name: &str| argument.field(name).cloned().unwrap_or(Value::Null);
    let members = field("arguments");
    let is_group = members != Value::Null;
    let name = field("name").text().replace('_', "-");
    let mut parts = vec![if is_group { Value::Null } else { Value::Bulk(name) }];
    parts.extend(["type", "token", "key_spec_index", "flags"].map(field));
    if is_group {
        parts.extend(members.items().iter().map(structure));
    }
    Value::Array(parts)
}

/// Command lines whose keys both servers find alike.
const LINES: &[&str] = &[
    "GET k",
    "SET k v",
    "SET k v GET",
    "MSET a 1 b 2",
    "MSETNX a 1 b",
    "RENAME a b",
    "LMPOP 2 a b LEFT",
    "BLMPOP 0 2 a b LEFT",
    "BLPOP a b 0",
    "ZUNIONSTORE d 2 a b",
    "ZUNIONSTORE d 3 a b",
    "ZUNIONSTORE d 0 a",
    "ZDIFF 2 a b WITHSCORES",
    "EVAL script 0",
    "EVAL script 2 a b c",
    "EVAL script x a",
    "EVALSHA_RO sha 1 a",
    "XREAD STREAMS a b 0 0",
    "XREAD COUNT 2 STREAMS a 0",
    "XREADGROUP GROUP g c STREAMS a 0",
    "XINFO STREAM s",
    "XINFO NOTHING s",
    "OBJECT ENCODING k",
    "OBJECT ENCODING",
    "MIGRATE host 1 k 0 10",
    "MIGRATE host 1 '' 0 10 KEYS a b",
    "MIGRATE host 1 k 0 10 KEYS a b",
    "SORT k BY w GET x STORE d",
    "SORT k LIMIT 0 1 STORE a STORE b",
    "SORT_RO k BY w",
    "BITFIELD k GET u8 0",
    "BITFIELD k SET u8 0 1",
    "BITOP AND d a b",
    "GEORADIUS k 0 0 1 km",
    "SMOVE a b m",
    "COPY a b DB 1",
    "LCS a b",
    "PFMERGE d a b",
    "SPUBLISH c m",
    "CONFIG GET x",
    "PING word",
    "NOTHING a b",
    "MEMORY USAGE k",
    "XGROUP CREATE s g 0",
];

#[test]
fn keys_agree() {
    let Some(mut server) = Server::start("keys") else { return };
    for line in LINES {
        let theirs = server.ask(&format!("COMMAND GETKEYSANDFLAGS {line}"));
        let row = written::row_of_line(&words(line));
        if row.is_some() {
            assert_eq!(keys_of_row(line), keys_of_reply(&theirs), "{line}");
        }
        let mut reply = TreeWriter::default();
        let ours = match write_keys(words(line).as_slice(), KeyReply::NamesAndFlags, &mut reply) {
            Ok(()) => reply.finish(),
            Err(error) => Value::Error(error.to_owned()),
        };
        let unknown = Value::Error(INVALID_COMMAND.to_owned());
        let expected = if row.is_none_or(written::is_built) { theirs } else { unknown };
        assert_eq!(ours, expected, "{line}");
    }
}

/// The keys that the row finds, none if it finds the line invalid.
fn keys_of_row(line: &str) -> String {
    let found = keys::keys(line);
    if found == "invalid" { String::new() } else { found }
}

/// The keys of a GETKEYSANDFLAGS reply, none if it is an error.
fn keys_of_reply(reply: &Value) -> String {
    let Value::Array(pairs) = reply else { return String::new() };
    let key = |pair: &Value| {
        let [name, flags] = pair.items() else { panic!("not a pair: {pair:?}") };
        format!("{}:{}", name.text(), flags.texts().join(","))
    };
    pairs.iter().map(key).collect::<Vec<_>>().join(" ")
}
