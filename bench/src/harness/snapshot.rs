//! `basalt-bench snapshot`: how fast a snapshot is made, and what clients notice of it.
//!
//! Each server is filled, makes one snapshot in peace, and then runs an open loop of which half are
//! writes: once undisturbed, once while one snapshot follows the other. A request counts from its
//! place in the timetable, so whoever stops the server for a while (a fork does) is charged with
//! all that was due meanwhile.
//!
//! Extra memory is what the server's resident memory grows by at most while it makes a snapshot,
//! above the most it had under the same load without; of a server that forks, also what its child
//! had to copy, by its own account (`rdb_last_cow_size`).

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};
use crate::harness::memory::at_rest;
use crate::harness::options::{self, CORES_OPTIONS, HARNESS_OPTIONS, SERVER_OPTIONS, Setup};
use crate::harness::results;
use crate::harness::server::{Layout, Server, ServerSpec};
use crate::harness::spread::Spread;
use crate::keys::distribution::Distribution;
use crate::load::engine::{self, Plan, Stop};
use crate::load::pacing::{Arrivals, Pacing};
use crate::load::progress::{Forced, Progress};
use crate::load::report::{Latency, LoadReport};
use crate::load::target::{self, Addressing};
use crate::procfs;
use crate::request::mix::Mix;
use crate::request::template::ValueSize;
use crate::resp::client::Client;
use crate::resp::value::Value;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// A snapshot that takes longer is taken for stuck.
const SAVE_TIMEOUT: Duration = Duration::from_secs(600);
/// A window is at least so many times as long as a snapshot in peace.
const WINDOW_FACTOR: f64 = 1.5;

const OPTIONS: &[Opt] = &[
    Opt::new("gigabytes", "N", "Payload of the data set; takes the place of --keys.")
        .default("0.25"),
    Opt::new("value-size", "BYTES", "Payload of a value.").short('d').default("256"),
    Opt::new("rate", "N", "Requests per second, half of them writes.").default("10000"),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "snapshot",
    about: "measures snapshots: seconds, what clients wait meanwhile, extra memory",
    groups: &[SERVER_OPTIONS, CORES_OPTIONS, OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench snapshot --basalt ./basalt-server --peer valkey-server --server-cpus 0,1
  basalt-bench snapshot --basalt ./basalt-server --gigabytes 5 -d 1024 --rounds 1

Values are the same bytes over and over, which compress well; to measure without that, give the
servers '--rdbcompression no'.
",
};

/// One server in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    round: u32,
    /// Name, and cores where the server has such a directive.
    server: String,
    file_bytes: u64,
    resident_bytes: u64,
    /// Seconds of a snapshot in peace ...
    save_s: f64,
    /// ... and of the last one under load.
    loaded_save_s: f64,
    /// What clients wait without a snapshot ...
    quiet: Latency,
    /// ... and with one.
    saving: Latency,
    extra_bytes: u64,
}

impl Sample {
    fn slowdown(&self) -> f64 {
        self.saving.p99_9_us / self.quiet.p99_9_us.max(f64::MIN_POSITIVE)
    }

    fn extra_percent(&self) -> f64 {
        100.0 * self.extra_bytes as f64 / self.resident_bytes.max(1) as f64
    }

    fn payload_rate(&self, payload_bytes: u64) -> f64 {
        payload_bytes as f64 / self.save_s / 1e6
    }
}

/// What the samples of a run share.
struct Study {
    setup: Setup,
    cores: Vec<usize>,
    keys: u64,
    value_len: usize,
    rate_per_s: f64,
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let study = Study::read(parsed)?;
    let mut samples = Vec::new();
    for round in 0..study.setup.rounds {
        for (spec, cores) in options::with_cores(&study.setup.servers, &study.cores) {
            samples.push(study.measure_server(round, spec, cores)?);
        }
    }
    let markdown = study.to_markdown(&samples);
    results::publish(out, &study.setup, "snapshot", &samples, &markdown)
}

impl Study {
    fn read(parsed: &Parsed) -> Outcome<Self> {
        let value_len: usize = parsed.value("value-size")?;
        let gigabytes: f64 = parsed.value("gigabytes")?;
        let rate_per_s: f64 = parsed.value("rate")?;
        let is_sane = |number: f64, limit: f64| number > 0.0 && number <= limit;
        if !is_sane(gigabytes, 1e4) || !is_sane(rate_per_s, 1e9) {
            return Err(usage("--gigabytes and --rate must be above 0"));
        }
        Ok(Self {
            setup: Setup::read(parsed, options::servers(parsed)?)?,
            cores: parsed.number_list("cores")?,
            keys: (gigabytes * 1e9 / (options::KEY_LEN + value_len) as f64).ceil() as u64,
            value_len,
            rate_per_s,
        })
    }

    fn payload_bytes(&self) -> u64 {
        self.keys * (options::KEY_LEN + self.value_len) as u64
    }

    fn measure_server(&self, round: u32, spec: &ServerSpec, cores: usize) -> Outcome<Sample> {
        let layout = Layout { cores, ..self.setup.layout.clone() };
        let mut server = Server::start(spec, &layout)?;
        let name = options::name_with_cores(spec, cores);
        let measured = self.measure(round, name, &server);
        measured.map_err(|failure| server.blame(failure))
    }

    fn measure(&self, round: u32, name: String, server: &Server) -> Outcome<Sample> {
        let label = format!("round {} {name}", round + 1);
        options::fill_strings(&self.setup, server, (self.keys, self.value_len), &label)?;
        let resident_bytes = at_rest(server.pid())?;
        let mut client = server.client()?;
        let save_s = save(&mut client)?.as_secs_f64();
        let file_bytes = file_bytes(&mut client)?;
        let window = Duration::from_secs_f64(save_s * WINDOW_FACTOR).max(self.setup.duration);
        let is_over = AtomicBool::new(false);
        let watched = |saves: bool, label: String| {
            is_over.store(false, Ordering::Relaxed);
            thread::scope(|scope| {
                let watcher = scope.spawn(|| watch(server, saves, &is_over));
                let report = self.load(server, window, &label);
                is_over.store(true, Ordering::Relaxed);
                let seen = watcher.join().expect("watching does not panic")?;
                Ok::<_, BenchError>((report?, seen))
            })
        };
        let (quiet, before) = watched(false, format!("{label} quiet"))?;
        let (saving, during) = watched(true, format!("{label} saving"))?;
        Ok(Sample {
            round,
            server: name,
            file_bytes,
            resident_bytes,
            save_s,
            loaded_save_s: during.save_s,
            quiet: quiet.latency,
            saving: saving.latency,
            extra_bytes: during.peak_bytes.saturating_sub(before.peak_bytes) + during.copied_bytes,
        })
    }

    fn load(&self, server: &Server, window: Duration, label: &str) -> Outcome<LoadReport> {
        let target = options::target(server.endpoint(), Addressing::Plain, self.keys);
        let connections = self.setup.connections;
        let lanes = target.lanes(connections)?;
        let frame = target.frame(&lanes, ValueSize::fixed(self.value_len))?;
        let plan = Plan {
            links: target.open(&lanes, connections)?,
            lanes: target::key_sources(&lanes, Distribution::Uniform),
            mix: Mix::even(&["SET __key__ __value__", "GET __key__"], &frame)?,
            pacing: Pacing::Open { rate_per_s: self.rate_per_s, arrivals: Arrivals::Even },
            stop: Stop::After(window),
            warm_up: self.setup.warm_up,
            threads: self.setup.client_threads,
            cpus: self.setup.client_cpus.clone(),
            seed: self.setup.seed,
            server_pid: Some(server.pid()),
        };
        let mut progress = Progress::new(label, Forced::No);
        let result = engine::run(plan, &mut |tick| progress.tick(tick));
        progress.clear();
        let report = LoadReport::new(label, Vec::new(), Default::default(), &result?);
        match &report.first_error {
            None => Ok(report),
            Some(text) => {
                Err(BenchError::WrongReplies { workload: label.into(), text: text.clone() })
            }
        }
    }

    fn to_markdown(&self, samples: &[Sample]) -> String {
        let payload_bytes = self.payload_bytes();
        let mut text = format!(
            "# Snapshots\n\n{} keys of {} B with values of {} B ({:.2} GB), {} requests/s of which \
             half are writes, {} connections, medians of {} rounds. Rates are payload by seconds \
             of a snapshot in peace; latencies in us, the ratio with its range over the rounds.\n\n\
             | server | save s | MB/s | under load s | p50 | p99 | p99.9 | p50 saving | \
             p99 saving | p99.9 saving | p99.9 ratio | extra memory % |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            self.keys,
            options::KEY_LEN,
            self.value_len,
            payload_bytes as f64 / 1e9,
            self.rate_per_s,
            self.setup.connections,
            self.setup.rounds
        );
        for (spec, cores) in options::with_cores(&self.setup.servers, &self.cores) {
            let name = options::name_with_cores(spec, cores);
            let own = || samples.iter().filter(|sample| sample.server == name);
            let median = |figure: &dyn Fn(&Sample) -> f64| Spread::of(own().map(figure)).median;
            text.push_str(&format!(
                "| {name} | {:.2} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | \
                 {:.0} | {} | {:.1} |\n",
                median(&|it| it.save_s),
                median(&|it| it.payload_rate(payload_bytes)),
                median(&|it| it.loaded_save_s),
                median(&|it| it.quiet.p50_us),
                median(&|it| it.quiet.p99_us),
                median(&|it| it.quiet.p99_9_us),
                median(&|it| it.saving.p50_us),
                median(&|it| it.saving.p99_us),
                median(&|it| it.saving.p99_9_us),
                Spread::of(own().map(Sample::slowdown)),
                median(&Sample::extra_percent),
            ));
        }
        text
    }
}

/// What was seen of a server while it was under load.
#[derive(Default)]
struct Seen {
    /// The most resident memory it had.
    peak_bytes: u64,
    /// The most that the child of one snapshot copied.
    copied_bytes: u64,
    /// Seconds of the last snapshot that began and ended meanwhile.
    save_s: f64,
}

/// Watches a server until that is over, making one snapshot after the other if `saves`.
fn watch(server: &Server, saves: bool, is_over: &AtomicBool) -> Outcome<Seen> {
    let mut client = server.client()?;
    let mut seen = Seen::default();
    while !is_over.load(Ordering::Relaxed) {
        if saves {
            let begun = begin_save(&mut client)?;
            while is_saving(&mut client, begun)? {
                seen.look(server)?;
                thread::sleep(POLL_INTERVAL);
            }
            seen.save_s = begun.elapsed().as_secs_f64();
            seen.copied_bytes = seen.copied_bytes.max(number(&mut client, "rdb_last_cow_size")?);
        }
        seen.look(server)?;
        thread::sleep(POLL_INTERVAL);
    }
    Ok(seen)
}

impl Seen {
    fn look(&mut self, server: &Server) -> Outcome<()> {
        let resident = procfs::resident_bytes(server.pid());
        let resident = resident.map_err(BenchError::io("read the server's memory"))?;
        self.peak_bytes = self.peak_bytes.max(resident);
        Ok(())
    }
}

/// Makes one snapshot; how long that took.
pub(crate) fn save(client: &mut Client) -> Outcome<Duration> {
    let begun = begin_save(client)?;
    while is_saving(client, begun)? {
        thread::sleep(POLL_INTERVAL);
    }
    Ok(begun.elapsed())
}

fn begin_save(client: &mut Client) -> Outcome<Instant> {
    let begun = Instant::now();
    client.call(&["BGSAVE"])?;
    Ok(begun)
}

fn is_saving(client: &mut Client, begun: Instant) -> Outcome<bool> {
    let failed = |text: &str| BenchError::Reply { command: "BGSAVE".into(), text: text.into() };
    if number(client, "rdb_bgsave_in_progress")? != 0 {
        return if begun.elapsed() < SAVE_TIMEOUT { Ok(true) } else { Err(failed("it is stuck")) };
    }
    let status = client.info_field("persistence", "rdb_last_bgsave_status")?;
    match status.as_deref().map(str::trim) {
        Some("ok") => Ok(false),
        other => Err(failed(other.unwrap_or("no status"))),
    }
}

/// A figure of INFO persistence; 0 where a server does not tell it.
fn number(client: &mut Client, field: &str) -> Outcome<u64> {
    let text = client.info_field("persistence", field)?;
    Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

/// Length of the file a server has written.
fn file_bytes(client: &mut Client) -> Outcome<u64> {
    let mut setting = |name: &str| -> Outcome<String> {
        let reply = client.call(&["CONFIG", "GET", name])?;
        Ok(reply.elements().and_then(<[_]>::last).map(Value::text).unwrap_or_default())
    };
    let path = PathBuf::from(setting("dir")?).join(setting("dbfilename")?);
    let doing = format!("look at {}", path.display());
    Ok(fs::metadata(&path).map_err(BenchError::io(doing))?.len())
}
