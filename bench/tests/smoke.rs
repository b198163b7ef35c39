//! The binary against a real server: `redis-server`, where PATH has one.
//!
//! What these tests cannot find without a server is skipped by saying so; everything else about
//! the generator is tested beside its code. Ports are free ones, processes end with the test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// A redis-server with a TCP port and a Unix socket, killed when dropped.
struct Redis {
    child: Child,
    port: u16,
    directory: PathBuf,
    /// Kept open, so that the server can go on writing to it.
    _log: BufReader<ChildStdout>,
}

impl Redis {
    /// `None` where PATH has no redis-server.
    fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let directory = scratch(name);
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = probe.local_addr().expect("its address").port();
        drop(probe);
        let port_text = port.to_string();
        let spawned = Command::new("redis-server")
            .args(["--port", &port_text, "--bind", "127.0.0.1", "--save", ""])
            .args(["--unixsocket", "redis.sock", "--daemonize", "no"])
            .args(arguments)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(failure) => {
                let skipped = format!("{name} skipped, no redis-server: {failure}\n");
                std::io::stderr().write_all(skipped.as_bytes()).expect("standard error");
                return None;
            }
        };
        let mut log = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            let count = log.read_line(&mut line).expect("the log");
            assert!(count > 0, "redis-server ended before it was ready");
        }
        Some(Self { child, port, directory, _log: log })
    }

    /// Sends an inline command and reads the first line of the reply; empty when unreachable.
    fn try_command(&self, line: &str) -> String {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return String::new();
        };
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("a write");
        let mut reply = Vec::new();
        let mut byte = [0];
        while !reply.ends_with(b"\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            reply.push(byte[0]);
        }
        String::from_utf8_lossy(&reply).trim_end().to_owned()
    }

    /// Runs `basalt-bench load` against it and returns the reports.
    fn load(&self, arguments: &[&str]) -> Vec<Value> {
        let json = self.directory.join("load.json");
        let port = self.port.to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_basalt-bench"))
            .args(["load", "--port", &port, "--json"])
            .arg(&json)
            .args(arguments)
            .output()
            .expect("basalt-bench runs");
        assert!(output.status.success(), "{}", text(&output));
        let text = fs::read_to_string(&json).expect("the report");
        serde_json::from_str(&text).expect("valid JSON")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _already_gone = self.child.kill().and_then(|()| self.child.wait());
        let _stays_behind = fs::remove_dir_all(&self.directory);
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).expect("a scratch directory");
    path
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn bench(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_basalt-bench");
    Command::new(program).args(arguments).output().expect("basalt-bench runs")
}

fn count(report: &Value, kind: &str) -> u64 {
    report["replies"][kind].as_u64().unwrap_or(0)
}

#[test]
fn counted_runs_send_exactly_that_many() {
    let Some(redis) = Redis::start("counted", &[]) else { return };
    let reports = redis.load(&["-t", "incr", "-n", "10007", "-P", "7", "-c", "13", "-r", "100"]);
    assert_eq!(
        (reports[0]["requests"].as_u64(), count(&reports[0], "integer")),
        (Some(10_007), 10_007)
    );
    assert_eq!(reports[0]["errors"], 0);
    assert!(reports[0]["latency"]["p50_us"].as_f64().expect("a latency") > 0.0);
    assert!(reports[0]["server"]["cpu_ns_per_request"].as_f64().expect("local") > 0.0);

    let threaded = ["-t", "ping", "-n", "5000", "--threads", "3", "-c", "10", "-P", "16"];
    assert_eq!(redis.load(&threaded)[0]["requests"], 5000);
}

#[test]
fn prefill_writes_every_key_and_get_hits_them() {
    let Some(redis) = Redis::start("prefill", &[]) else { return };
    let reports = redis.load(&["-t", "get", "--prefill", "-r", "5000", "-n", "20000", "-P", "16"]);
    assert_eq!(redis.try_command("DBSIZE"), ":5000");
    assert_eq!(count(&reports[0], "bulk"), 20_000);
    let zipf = ["-t", "get", "-r", "5000", "-n", "9000", "--distribution", "zipf:1.1", "-3"];
    assert_eq!(count(&redis.load(&zipf)[0], "bulk"), 9000);
}

#[test]
fn every_workload_is_understood_and_does_its_work() {
    let Some(redis) = Redis::start("workloads", &[]) else { return };
    let names = "ping,get,set,incr,mset,mget,setex,lpush,rpush,lpop,rpop,queue,lrange_100,\
                 lrange_300,lrange_500,lrange_600,hset,hget,hgetall,sadd,sismember,sinter,spop,\
                 zadd,zrange,zrank,zscore,zpopmin,xadd,xrange,pfadd,pfcount,geosearch,setbit,\
                 bitcount";
    let common = ["-r", "50", "-n", "300", "--prefill", "-d", "8-40"];
    let reports = redis.load(&[&["-t", names], common.as_slice()].concat());
    assert_eq!(reports.len(), names.split(',').count());
    for report in &reports {
        assert_eq!((&report["errors"], &report["requests"]), (&0.into(), &300.into()), "{report}");
    }
}

#[test]
fn the_open_loop_keeps_its_rate() {
    let Some(redis) = Redis::start("open", &[]) else { return };
    let timed = ["-t", "set", "--rate", "2000", "-n", "1000", "-c", "5"];
    let report = &redis.load(&timed)[0];
    assert_eq!(report["requests"], 1000);
    // 999 distances of half a millisecond lie between the first and the last request, whatever
    // the machine does; a slower run is the machine's fault, a faster one would be ours.
    assert!(report["window_s"].as_f64().expect("a window") >= 0.499, "{report}");
    assert!(report["send_lag"]["p50_us"].is_number());
}

#[test]
fn errors_are_counted_and_quoted() {
    let Some(redis) = Redis::start("errors", &[]) else { return };
    let report = &redis.load(&["--command", "NOSUCH __key__", "-n", "100"])[0];
    assert_eq!((&report["errors"], count(report, "error")), (&100.into(), 100));
    assert!(report["first_error"].as_str().expect("a text").starts_with("ERR unknown command"));
    let warning = report["warnings"].to_string();
    assert!(warning.contains("100 error replies"), "{warning}");
}

#[test]
fn sessions_authenticate_select_and_use_unix_sockets() {
    let Some(redis) = Redis::start("session", &["--requirepass", "sesame"]) else { return };
    let socket = redis.directory.join("redis.sock");
    let socket = socket.to_str().expect("a printable path");
    let common = ["-a", "sesame", "--db", "3", "-s", socket, "-t", "set", "-n", "500", "-r", "50"];
    let fill = ["--distribution", "sequential"];
    assert_eq!(redis.load(&[common.as_slice(), &fill].concat())[0]["errors"], 0);
    let port = redis.port.to_string();
    let refused = bench(&["load", "-p", &port, "-a", "wrong", "-n", "1"]);
    assert!(
        !refused.status.success() && text(&refused).contains("WRONGPASS"),
        "{}",
        text(&refused)
    );
}

#[test]
fn cluster_keys_go_where_their_slots_are() {
    let Some(redis) = Redis::start("cluster", &["--cluster-enabled", "yes"]) else { return };
    let added = redis.try_command("CLUSTER ADDSLOTSRANGE 0 16383");
    if added.starts_with("-ERR") {
        return; // before Redis 7 this took 16,384 arguments
    }
    let begin = Instant::now();
    while redis.try_command("SET probe 1").starts_with('-') {
        assert!(begin.elapsed() < READY_TIMEOUT, "the cluster never came up");
        // Answers after 50 ms, for want of a replica: the server paces this loop.
        redis.try_command("WAIT 1 50");
    }
    let run = ["--cluster", "-t", "get", "--prefill", "-r", "30000", "-n", "20000", "-P", "16"];
    let report = &redis.load(&run)[0];
    assert_eq!((&report["errors"], count(report, "bulk")), (&0.into(), 20_000), "{report}");
    assert_eq!(redis.try_command("DBSIZE"), ":32769", "2 keys in each slot, and the probe");
    for addressed in [["--slots", "100-200"].as_slice(), &["--tag-per-connection"]] {
        let mset = ["-t", "mset,mget", "-r", "3000", "-n", "1000"];
        for report in redis.load(&[addressed, &mset].concat()) {
            assert_eq!(report["errors"], 0, "ten keys of one request share a slot: {report}");
        }
    }
}

#[test]
fn compare_writes_ratios_with_their_spread() {
    if Redis::start("compare-probe", &[]).is_none() {
        return;
    }
    let out = scratch("compare-out");
    let out_text = out.to_str().expect("a printable path");
    let output = bench(&[
        "compare",
        "--peer",
        "one=redis-server",
        "--peer",
        "two=redis-server --hz 5",
        "--tests",
        "get,lpush",
        "--pipelines",
        "8",
        "--rounds",
        "2",
        "--duration",
        "0.2",
        "--warm-up",
        "0",
        "--keys",
        "1000",
        "--server-cpus",
        "0",
        "--client-cpus",
        "0",
        "--out",
        out_text,
        "--seed",
        "7",
    ]);
    assert!(output.status.success(), "{}", text(&output));
    let json = fs::read_to_string(out.join("compare.json")).expect("the figures");
    let comparison: Value = serde_json::from_str(&json).expect("valid JSON");
    assert_eq!(comparison["seed"], 7);
    assert_eq!(comparison["samples"].as_array().map(Vec::len), Some(2 * 2 * 3));
    let ratio = &comparison["rows"][0]["cells"][1]["ratios"]["server_cpu_ns_per_request"];
    let [low, middle, high] = ["min", "median", "max"].map(|name| ratio[name].as_f64());
    assert!(low > Some(0.0) && low <= middle && middle <= high, "{ratio}");
    assert!(fs::read_to_string(out.join("compare.md")).expect("the table").contains("get/16B"));
}

#[test]
fn idle_gives_figures() {
    let Some(redis) = Redis::start("idle", &[]) else { return };
    let json = redis.directory.join("idle.json");
    let json_text = json.to_str().expect("a printable path");
    let port = redis.port.to_string();
    let idle = bench(&["idle", "-p", &port, "-c", "20", "--duration", "0.3", "--json", json_text]);
    assert!(idle.status.success(), "{}", text(&idle));
    let report = fs::read_to_string(&json).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("valid JSON");
    assert!(report["server_cpu_percent"].as_f64().expect("a figure") < 100.0, "{report}");
    assert!(report["resident_bytes"].as_u64().expect("a figure") > 1 << 20, "{report}");
}

#[test]
fn memory_per_key_is_plausible() {
    if Redis::start("memory-probe", &[]).is_none() {
        return;
    }
    let out = scratch("memory-out");
    let out_text = out.to_str().expect("a printable path");
    let output = bench(&[
        "compare",
        "--memory",
        "--peer",
        "redis-server",
        "--rounds",
        "1",
        "--memory-keys",
        "200000",
        "--client-cpus",
        "0",
        "--out",
        out_text,
    ]);
    assert!(output.status.success(), "{}", text(&output));
    let json = fs::read_to_string(out.join("memory.json")).expect("the figures");
    let samples: Value = serde_json::from_str(&json).expect("valid JSON");
    let bytes = |name: &str| samples[0][name].as_f64().expect("a figure");
    let per_key = (bytes("full_bytes") - bytes("empty_bytes")) / 200_000.0;
    // Key, value and the entries around them: no Redis needs less than 32 or more than 200.
    assert!((32.0..200.0).contains(&per_key), "{samples}");
}

/// Runs a subcommand against servers it starts itself; its samples, `None` without redis-server.
fn samples(name: &str, options: &[&str]) -> Option<Value> {
    Redis::start(&format!("{name}-probe"), &[])?;
    let out = scratch(&format!("{name}-out"));
    let out_text = out.to_str().expect("a printable path");
    let common = ["--peer", "redis-server", "--rounds", "1", "--client-cpus", "0"];
    let arguments = [&[name, "--out", out_text], &common[..], options].concat();
    let output = bench(&arguments);
    assert!(output.status.success(), "{}", text(&output));
    let json = fs::read_to_string(out.join(format!("{name}.json"))).expect("the figures");
    Some(serde_json::from_str(&json).expect("valid JSON"))
}

#[test]
fn snapshots_give_figures() {
    let options =
        ["--gigabytes", "0.02", "--rate", "2000", "--duration", "0.5", "--warm-up", "0.1"];
    let Some(samples) = samples("snapshot", &options) else { return };
    let figure = |name: &str| samples[0][name].as_f64().expect("a figure");
    assert!(figure("save_s") > 0.0 && figure("file_bytes") > 1e5, "{samples}");
    for load in ["quiet", "saving"] {
        assert!(samples[0][load]["p99_9_us"].as_f64() > Some(0.0), "{samples}");
    }
}

#[test]
fn restarts_bring_all_data_back() {
    let Some(samples) = samples("restart", &["--keys", "20000"]) else { return };
    for (sample, file) in samples.as_array().expect("samples").iter().zip(["rdb", "aof", "text"]) {
        assert_eq!(sample["file"], file);
        assert!(sample["start_s"].as_f64() > Some(0.0), "{sample}");
    }
}

#[test]
fn evictions_give_hit_rates_near_those_of_an_exact_cache() {
    let few = ["--megabytes", "5", "--requests", "150000", "--keys", "60000"];
    let policies = ["--policies", "volatile-lru", "--seed", "11"];
    let Some(samples) = samples("eviction", &[few.as_slice(), &policies].concat()) else { return };
    let figure = |name: &str| samples[0][name].as_f64().expect("a figure");
    assert_eq!((figure("seed"), figure("limit_bytes")), (11.0, 5.0 * 1024.0 * 1024.0));
    assert!(figure("requests") <= 100_000.0 && figure("keys_evicted") > 0.0, "{samples}");
    // Clocks of LRU tick once a second, so a run this short hardly tells old keys from new ones.
    let distance = figure("exact_hit_percent") - figure("hit_percent");
    assert!(distance.abs() < 10.0, "{samples}");
}

#[test]
fn a_server_that_dies_is_reported_with_its_log() {
    let output = bench(&["compare", "--peer", "broken=/bin/false", "--rounds", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("'broken' ended by itself") && text.contains("log is empty"), "{text}");
}

#[test]
fn help_and_usage() {
    for name in ["load", "compare", "scale", "snapshot", "restart", "eviction", "idle"] {
        let help = bench(&[name, "--help"]);
        assert!(help.status.success() && text(&help).contains("Options:"), "{}", text(&help));
        assert!(text(&bench(&["--help"])).contains(name));
        assert_eq!(bench(&[name, "--nonsense"]).status.code(), Some(2));
    }
    assert_eq!(bench(&["nosuch"]).status.code(), Some(2));
    assert_eq!(bench(&["load", "-p", "1", "-n", "1"]).status.code(), Some(1));
}
