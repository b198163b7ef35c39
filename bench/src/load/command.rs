//! `basalt-bench load`: options to plan, run, report.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};
use crate::keys::distribution::Distribution;
use crate::keys::slot::SLOT_COUNT;
use crate::load::engine::{self, Plan, Stop};
use crate::load::fill::{self, FillOrder};
use crate::load::listeners::Listeners;
use crate::load::pacing::{Arrivals, Pacing};
use crate::load::progress::{Forced, Progress};
use crate::load::report::LoadReport;
use crate::load::target::{self, Addressing, KeyStyle, Target};
use crate::request::mix::{self, Mix};
use crate::request::template::ValueSize;
use crate::request::workloads::{self, Fill, Workload};
use crate::resp::client::Session;
use crate::resp::endpoint::Endpoint;

/// Options that say how to reach a running server.
pub(crate) const CONNECT_OPTIONS: &[Opt] = &[
    Opt::new("host", "HOST", "Server host.").short('h').default("127.0.0.1"),
    Opt::new("port", "PORT", "Server port.").short('p').default("6379"),
    Opt::new("socket", "PATH", "Unix socket instead of host and port.").short('s'),
    Opt::switch("tls", "Connect by TLS; any certificate will do."),
    Opt::new("user", "NAME", "User for AUTH."),
    Opt::new("password", "TEXT", "Password for AUTH.").short('a'),
    Opt::new("db", "N", "Database to select.").default("0"),
    Opt::switch("resp3", "Speak RESP3.").short('3'),
];

const REQUEST_OPTIONS: &[Opt] = &[
    Opt::new("tests", "NAMES", "Workloads to run in turn.").short('t').default("set,get"),
    Opt::new("command", "TEMPLATE", "Run this command instead; repeat for an even mix."),
    Opt::new("mix", "LIST", "Run a mix instead: NAME-or-TEMPLATE:WEIGHT,..."),
    Opt::switch("prefill", "Put the data set of each test into the server first."),
    Opt::new("value-size", "BYTES", "Payload size, or a range MIN-MAX.").short('d').default("16"),
    Opt::new("keys", "N", "Number of keys.").short('r').default("1000000"),
    Opt::new("key-size", "BYTES", "Length of every key.").default("16"),
    Opt::new("key-prefix", "TEXT", "First letters of every key.").default("key:"),
    Opt::new("distribution", "NAME", "uniform, zipf[:THETA] or sequential.").default("uniform"),
    Opt::switch("tag-per-connection", "Give each connection a hash tag (slot) of its own."),
    Opt::new("slots", "LIST", "Keep all keys in these hash slots, e.g. 0-99,7000."),
    Opt::switch("cluster", "Ask CLUSTER SLOTS and send each key to its primary."),
];

const RUN_OPTIONS: &[Opt] = &[
    Opt::new("connections", "N", "Connections in all.").short('c').default("50"),
    Opt::new("pipeline", "N", "Closed loop: requests in flight per connection.")
        .short('P')
        .default("1"),
    Opt::new("rate", "N", "Open loop: requests per second in all, on a timetable."),
    Opt::switch("poisson", "Open loop: exponential instead of equal distances."),
    Opt::new("threads", "N", "Generator threads.").default("1"),
    Opt::new("cpus", "LIST", "CPUs to pin the threads to, in turn."),
    Opt::new("duration", "SECONDS", "Measure for this long.").default("10"),
    Opt::new("requests", "N", "Measure so many requests instead.").short('n'),
    Opt::new("warm-up", "SECONDS", "Send without measuring first [1; with --requests 0]."),
    Opt::new("seed", "N", "Seed of keys and mixes [drawn and printed]."),
    Opt::new("server-pid", "PID", "Process whose CPU time to watch [asked of INFO]."),
    Opt::new("json", "FILE", "Write the reports as a JSON array."),
    Opt::switch("progress", "Show progress though standard error is no terminal."),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "load",
    about: "puts load on a running server and measures it",
    groups: &[CONNECT_OPTIONS, REQUEST_OPTIONS, RUN_OPTIONS],
    examples: "  \
  basalt-bench load -t get,set -P 16 --prefill --cpus 1
  basalt-bench load --command 'HSET h:__key__ f:__rand:0-9__ __value__' -d 10-100
  basalt-bench load --mix get:0.9,set:0.1 --rate 50000 --poisson --json out.json
  basalt-bench load --cluster -p 7000 -t get -c 90 --threads 3

In templates, __key__ is a key, __value__ the payload, __rand_int__ and
__rand:LOW-HIGH__ are numbers, and (WORDS)*N repeats words with __i__ counting.
",
};

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let options = Options::read(parsed)?;
    let mut reports = Vec::new();
    for test in &options.tests {
        let report = options.run_test(test)?;
        writeln!(out, "{report}").map_err(BenchError::io("write the report"))?;
        reports.push(report);
    }
    if let Some(path) = &options.json_path {
        let json = serde_json::to_string_pretty(&reports).expect("reports are plain data");
        let doing = format!("write {}", path.display());
        fs::write(path, json).map_err(BenchError::io(doing))?;
    }
    Ok(())
}

/// Reads the options that name a server.
pub(crate) fn endpoint_and_session(parsed: &Parsed) -> Outcome<(Endpoint, Session)> {
    let endpoint = match parsed.text("socket") {
        Some(path) => Endpoint::Unix(PathBuf::from(path)),
        None => Endpoint::resolve(&parsed.value::<String>("host")?, parsed.value("port")?)?,
    };
    let endpoint = if parsed.has("tls") { endpoint.by_tls() } else { endpoint };
    let session = Session {
        user: parsed.text("user").map(str::to_owned),
        password: parsed.text("password").map(str::to_owned),
        database: parsed.value("db")?,
        resp3: parsed.has("resp3"),
    };
    if session.user.is_some() && session.password.is_none() {
        return Err(usage("--user needs --password"));
    }
    Ok((endpoint, session))
}

/// One test of a run.
#[derive(Debug)]
struct Test {
    name: String,
    commands: Vec<(String, f64)>,
    fill: Option<Fill>,
    keys_max: u64,
    /// The row of the table it is, if it is one.
    workload: Option<&'static Workload>,
}

/// The options, checked.
#[derive(Debug)]
struct Options {
    target: Target,
    tests: Vec<Test>,
    prefill: bool,
    value: ValueSize,
    distribution: Distribution,
    connections: usize,
    pacing: Pacing,
    threads: usize,
    cpus: Vec<usize>,
    stop: Stop,
    warm_up: Duration,
    seed: u64,
    server_pid: Option<u32>,
    json_path: Option<PathBuf>,
    progress: Forced,
}

impl Options {
    fn read(parsed: &Parsed) -> Outcome<Self> {
        let (endpoint, session) = endpoint_and_session(parsed)?;
        let connections = parsed.positive::<u32>("connections")? as usize;
        let style = KeyStyle {
            prefix: parsed.value("key-prefix")?,
            len: parsed.positive::<u16>("key-size")?.into(),
        };
        let addressing = read_addressing(parsed, connections)?;
        let key_count = parsed.positive("keys")?;
        let stop = match parsed.optional("requests")? {
            Some(count) => Stop::Requests(count),
            None => Stop::After(parsed.seconds("duration")?),
        };
        let warm_up = match (parsed.has("warm-up"), stop) {
            (true, _) => parsed.seconds("warm-up")?,
            (false, Stop::Requests(_)) => Duration::ZERO,
            (false, _) => Duration::from_secs(1),
        };
        Ok(Self {
            target: Target { endpoint, session, addressing, style, key_count },
            tests: read_tests(parsed)?,
            prefill: parsed.has("prefill"),
            value: ValueSize::parse(&parsed.value::<String>("value-size")?)?,
            distribution: Distribution::parse(&parsed.value::<String>("distribution")?)?,
            connections,
            pacing: read_pacing(parsed)?,
            threads: parsed.positive::<u16>("threads")?.into(),
            cpus: parsed.number_list("cpus")?,
            stop,
            warm_up,
            seed: parsed.optional("seed")?.unwrap_or_else(|| fastrand::u64(..)),
            server_pid: parsed.optional("server-pid")?,
            json_path: parsed.text("json").map(PathBuf::from),
            progress: if parsed.has("progress") { Forced::Yes } else { Forced::No },
        })
    }

    fn run_test(&self, test: &Test) -> Outcome<LoadReport> {
        let mut target = self.target.clone();
        target.key_count = target.key_count.min(test.keys_max);
        if let (true, Some(data)) = (self.prefill, test.fill) {
            self.fill(&target, data, &test.name)?;
        }
        let connections =
            test.workload.map_or(self.connections, |workload| workload.senders(self.connections));
        let lanes = target.lanes(connections)?;
        let frame = target.frame(&lanes, self.value)?;
        let weighted: Vec<(&str, f64)> =
            test.commands.iter().map(|(text, weight)| (text.as_str(), *weight)).collect();
        let mix = Mix::compile(&weighted, &frame)?;
        let commands = mix.names();
        let server_pid = match self.server_pid {
            Some(pid) => Some(pid),
            None => target::server_pid(&target.endpoint, &target.session)?,
        };
        let plan = Plan {
            links: target.open(&lanes, connections)?,
            lanes: target::key_sources(&lanes, self.distribution),
            mix,
            pacing: self.pacing,
            stop: self.stop,
            warm_up: self.warm_up,
            threads: self.threads,
            cpus: self.cpus.clone(),
            seed: self.seed,
            server_pid,
        };
        let count = test.workload.map_or(0, |workload| workload.listeners);
        let listeners = Listeners::subscribe(&target.endpoint, &target.session, count, &self.cpus)?;
        let mut progress = Progress::new(&test.name, self.progress);
        let result = engine::run(plan, &mut |tick| progress.tick(tick));
        progress.clear();
        listeners.finish()?;
        Ok(LoadReport::new(&test.name, commands, self.settings(&target), &result?))
    }

    fn fill(&self, target: &Target, data: Fill, name: &str) -> Outcome<()> {
        let mut progress = Progress::new(&format!("{name} (prefill)"), self.progress);
        let order = FillOrder {
            command: data.command,
            step: 1,
            times: data.times,
            value: self.value,
            cpus: &self.cpus,
        };
        let result = fill::fill(target, &order, &mut |tick| progress.tick(tick));
        progress.clear();
        result
    }

    fn settings(&self, target: &Target) -> BTreeMap<String, String> {
        let value = match self.value {
            ValueSize { min, max } if min == max => format!("{min} B"),
            ValueSize { min, max } => format!("{min}-{max} B"),
        };
        let pacing = match self.pacing {
            Pacing::Closed { pipeline } => ("pipeline", pipeline.to_string()),
            Pacing::Open { rate_per_s, .. } => ("rate", format!("{rate_per_s}/s")),
        };
        let rows = [
            ("connections", self.connections.to_string()),
            ("threads", self.threads.to_string()),
            ("keys", target.key_count.to_string()),
            ("key", format!("{} B", target.style.len)),
            ("value", value),
            ("distribution", format!("{:?}", self.distribution).to_lowercase()),
            ("seed", self.seed.to_string()),
            pacing,
        ];
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn read_tests(parsed: &Parsed) -> Outcome<Vec<Test>> {
    let commands = parsed.all("command");
    let custom = |name: &str, commands| {
        let (name, fill, keys_max) = (name.to_owned(), None, u64::MAX);
        vec![Test { name, commands, fill, keys_max, workload: None }]
    };
    if parsed.has("mix") && !commands.is_empty() {
        return Err(usage("--mix and --command exclude each other"));
    }
    if let Some(text) = parsed.text("mix") {
        return Ok(custom(text, mix::parse_weights(text)?));
    }
    if let [first, ..] = commands[..] {
        let weighted = commands.iter().map(|text| ((*text).to_owned(), 1.0)).collect();
        return Ok(custom(first, weighted));
    }
    let names: String = parsed.value("tests")?;
    let named = |name: &str| {
        let workload = workloads::named(name).ok_or_else(|| workloads::unknown(name))?;
        let commands = workload.commands.iter().map(|text| ((*text).to_owned(), 1.0)).collect();
        let (fill, keys_max) = (workload.fill, workload.keys_max);
        let workload = Some(workload);
        Ok(Test { name: name.to_owned(), commands, fill, keys_max, workload })
    };
    names.split(',').map(|name| named(name.trim())).collect()
}

fn read_addressing(parsed: &Parsed, connections: usize) -> Outcome<Addressing> {
    let slots = parsed.number_list("slots")?;
    let choices = [parsed.has("cluster"), parsed.has("tag-per-connection"), !slots.is_empty()];
    if choices.iter().filter(|chosen| **chosen).count() > 1 {
        return Err(usage("--cluster, --tag-per-connection and --slots exclude each other"));
    }
    if let Some(slot) = slots.iter().find(|slot| **slot >= SLOT_COUNT) {
        return Err(usage(format!("--slots: {slot} is beyond {}", SLOT_COUNT - 1)));
    }
    Ok(match choices {
        [true, ..] => Addressing::Cluster,
        [_, true, _] => Addressing::slot_per_connection(connections),
        [.., true] => Addressing::Slots(slots),
        _ => Addressing::Plain,
    })
}

fn read_pacing(parsed: &Parsed) -> Outcome<Pacing> {
    let pipeline = parsed.positive("pipeline")?;
    let Some(rate_per_s) = parsed.optional::<f64>("rate")? else {
        return Ok(Pacing::Closed { pipeline });
    };
    if !(rate_per_s > 0.0 && rate_per_s <= 1e9) {
        return Err(usage("--rate must be above 0 and at most 1e9"));
    }
    let arrivals = if parsed.has("poisson") { Arrivals::Poisson } else { Arrivals::Even };
    Ok(Pacing::Open { rate_per_s, arrivals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Outcome<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&SPEC.parse(&words)?.expect("not a call for help"))
    }

    #[test]
    fn defaults_are_redis_benchmarks() {
        let options = options("").expect("defaults are valid");
        assert_eq!(options.target.endpoint.to_string(), "127.0.0.1:6379");
        assert_eq!((options.connections, options.tests.len()), (50, 2));
        assert_eq!(options.pacing, Pacing::Closed { pipeline: 1 });
        assert_eq!(options.warm_up, Duration::from_secs(1));
    }

    #[test]
    fn counting_requests_needs_no_warm_up() {
        let counted = options("-n 1000").expect("valid");
        assert_eq!((counted.stop, counted.warm_up), (Stop::Requests(1000), Duration::ZERO));
        let timed = options("--duration 0.5 --warm-up 2").expect("valid");
        assert_eq!(timed.stop, Stop::After(Duration::from_millis(500)));
        assert_eq!(timed.warm_up, Duration::from_secs(2));
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--cluster --slots 1",
            "--slots 16384",
            "--mix get:1 --command PING",
            "--rate 0",
            "--rate -5",
            "--user me",
            "-t nosuch",
            "-P 0",
            "-c 0",
            "--distribution normal",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
    }
}
