//! Options that the harness' subcommands share.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::args::{Opt, Parsed, usage};
use crate::error::{BenchError, Outcome};
use crate::harness::certificate::Certificate;
use crate::harness::server::{Kind, Layout, Server, ServerSpec};
use crate::load::fill::{self, FillOrder};
use crate::load::progress::{Forced, Progress};
use crate::load::target::{Addressing, KeyStyle, Target};
use crate::request::template::ValueSize;
use crate::resp::client::Session;
use crate::resp::endpoint::Endpoint;

/// Which servers are measured: see [`servers`].
pub(crate) const SERVER_OPTIONS: &[Opt] = &[
    Opt::new("basalt", "PATH", "The subject of all ratios."),
    Opt::new("peer", "[LABEL=]PATH", "A server to compare with, in quotes with arguments; repeat."),
];

/// With how many cores: see [`with_cores`].
pub(crate) const CORES_OPTIONS: &[Opt] = &[Opt::new(
    "cores",
    "LIST",
    "Run a server that has such a directive with so many cores in turn.",
)
.default("1,2")];

/// Where servers and clients run, how often, and where the results go.
pub(crate) const HARNESS_OPTIONS: &[Opt] = &[
    Opt::new("server-cpus", "LIST", "CPUs of the server.").default("0"),
    Opt::new("client-cpus", "LIST", "CPUs of the generator, a thread on each.").default("1"),
    Opt::new("rounds", "N", "Times each server is started and measured.").default("3"),
    Opt::new("connections", "N", "Connections in all.").short('c').default("50"),
    Opt::new("duration", "SECONDS", "Measuring window of each figure.").default("3"),
    Opt::new("warm-up", "SECONDS", "Load before each window.").default("0.5"),
    Opt::new("keys", "N", "Keys of the data set.").short('r').default("1000000"),
    Opt::switch("tls", "Everything by TLS, with a certificate made for the run."),
    Opt::new("seed", "N", "Seed of orders and keys [drawn and printed]."),
    Opt::new("out", "DIR", "Directory for the results as JSON and Markdown."),
];

/// Keys of all harness runs: `key:000000000123`.
pub(crate) const KEY_LEN: usize = 16;

/// What all measurements of a run share.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The subject first.
    pub(crate) servers: Vec<ServerSpec>,
    /// How each server is laid out.
    pub(crate) layout: Layout,
    /// CPUs of the generator; empty leaves its threads to the kernel.
    pub(crate) client_cpus: Vec<usize>,
    /// Threads of the generator.
    pub(crate) client_threads: usize,
    /// Times each server is started.
    pub(crate) rounds: u32,
    /// Connections in all.
    pub(crate) connections: usize,
    /// Measuring window.
    pub(crate) duration: Duration,
    /// Load before it.
    pub(crate) warm_up: Duration,
    /// Keys of the data set.
    pub(crate) key_count: u64,
    /// Seed of orders and keys.
    pub(crate) seed: u64,
    /// Where the results go.
    pub(crate) out: Option<PathBuf>,
}

impl Setup {
    /// Reads the shared options.
    pub(crate) fn read(parsed: &Parsed, servers: Vec<ServerSpec>) -> Outcome<Self> {
        let cpus = parsed.number_list("server-cpus")?;
        let client_cpus = parsed.number_list("client-cpus")?;
        Ok(Self {
            servers,
            layout: Layout {
                cores: cpus.len().max(1),
                cpus,
                directives: Vec::new(),
                certificate: parsed.has("tls").then(Certificate::new).transpose()?,
            },
            client_threads: client_cpus.len().max(1),
            client_cpus,
            rounds: parsed.positive("rounds")?,
            connections: parsed.positive::<u32>("connections")? as usize,
            duration: parsed.seconds("duration")?,
            warm_up: parsed.seconds("warm-up")?,
            key_count: parsed.positive("keys")?,
            seed: seed(parsed)?,
            out: out_directory(parsed)?,
        })
    }

    /// The settings, for the report.
    pub(crate) fn describe(&self) -> BTreeMap<String, String> {
        let rows = [
            ("server CPUs", format!("{:?}", self.layout.cpus)),
            ("client CPUs", format!("{:?}", self.client_cpus)),
            ("connections", self.connections.to_string()),
            ("TLS", if self.layout.certificate.is_some() { "1.3" } else { "no" }.to_owned()),
            ("keys", self.key_count.to_string()),
            ("key", format!("{} B", KEY_LEN)),
            ("window", format!("{:.1} s", self.duration.as_secs_f64())),
        ];
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A plain target with the harness' keys.
pub(crate) fn target(endpoint: &Endpoint, addressing: Addressing, key_count: u64) -> Target {
    Target {
        endpoint: endpoint.clone(),
        session: Session::default(),
        addressing,
        style: KeyStyle { prefix: "key:".to_owned(), len: KEY_LEN },
        key_count,
    }
}

/// The servers of `--basalt` and `--peer`, the subject of all ratios first.
pub(crate) fn servers(parsed: &Parsed) -> Outcome<Vec<ServerSpec>> {
    let texts = parsed.text("basalt").into_iter().chain(parsed.all("peer"));
    let servers: Vec<ServerSpec> = texts.map(ServerSpec::parse).collect::<Outcome<_>>()?;
    for (index, server) in servers.iter().enumerate() {
        if servers[..index].iter().any(|other| other.label == server.label) {
            let label = &server.label;
            return Err(usage(format!("two servers are called '{label}'; use LABEL=PATH")));
        }
    }
    if servers.is_empty() {
        return Err(usage("name the servers with --basalt PATH and --peer [LABEL=]PATH"));
    }
    Ok(servers)
}

/// Each server that keeps data, with each number of cores where it has such a directive.
pub(crate) fn with_cores<'a>(
    servers: &'a [ServerSpec],
    cores: &'a [usize],
) -> impl Iterator<Item = (&'a ServerSpec, usize)> {
    let counts = move |spec: &ServerSpec| match spec.kind {
        Kind::Basalt => cores,
        Kind::Redis => &[1],
        Kind::Echo => &[],
    };
    servers.iter().flat_map(move |spec| counts(spec).iter().map(move |count| (spec, *count)))
}

/// What one of [`with_cores`] is called in reports.
pub(crate) fn name_with_cores(spec: &ServerSpec, cores: usize) -> String {
    match spec.kind {
        Kind::Basalt => format!("{}, {cores} cores", spec.label),
        Kind::Redis | Kind::Echo => spec.label.clone(),
    }
}

/// Fills a server with `keys` strings of `value_len` bytes.
pub(crate) fn fill_strings(
    setup: &Setup,
    server: &Server,
    (keys, value_len): (u64, usize),
    label: &str,
) -> Outcome<()> {
    let order = FillOrder {
        command: "SET __key__ __value__",
        step: 1,
        times: 1,
        value: ValueSize::fixed(value_len),
        cpus: &setup.client_cpus,
    };
    let mut progress = Progress::new(label, Forced::No);
    let target = target(server.endpoint(), Addressing::Plain, keys);
    let filled = fill::fill(&target, &order, &mut |tick| progress.tick(tick));
    progress.clear();
    filled
}

/// The seed given, or one to be printed.
fn seed(parsed: &Parsed) -> Outcome<u64> {
    Ok(parsed.optional("seed")?.unwrap_or_else(|| fastrand::u64(..)))
}

/// A directory for results; created before the first measurement, so that a typing slip does
/// not show after an hour.
fn out_directory(parsed: &Parsed) -> Outcome<Option<PathBuf>> {
    let Some(path) = parsed.text("out").map(PathBuf::from) else { return Ok(None) };
    let doing = format!("create {}", path.display());
    fs::create_dir_all(&path).map_err(BenchError::io(doing))?;
    Ok(Some(path))
}
