//! `basalt-bench restart`: how long a server takes until its data is back.
//!
//! Each server is filled, leaves its data in a file of the kind at hand, is shut down and started
//! again in the same directory. Seconds count from the start of the process to the first PING that
//! draws no error, so the start itself is part of them: the data set should be large enough for
//! that not to matter. The files are in the page cache: what is measured is the loading, not the
//! disk.
//!
//! | file | directives | what makes it |
//! |---|---|---|
//! | `rdb` | | BGSAVE |
//! | `aof` | `appendonly yes`, no rewrites | the writes themselves |
//! | `text` | the same, `aof-use-rdb-preamble no` | BGREWRITEAOF |

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};
use crate::harness::options::{self, CORES_OPTIONS, HARNESS_OPTIONS, SERVER_OPTIONS, Setup};
use crate::harness::results;
use crate::harness::server::{Layout, Server, ServerSpec};
use crate::harness::snapshot;
use crate::harness::spread::Spread;
use crate::procfs;
use crate::resp::client::Client;

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A rewrite that takes longer is taken for stuck.
const REWRITE_TIMEOUT: Duration = Duration::from_secs(600);

const OPTIONS: &[Opt] = &[
    Opt::new("files", "NAMES", "rdb, aof, text.").default("rdb,aof,text"),
    Opt::new("value-size", "BYTES", "Payload of a value.").short('d').default("64"),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "restart",
    about: "measures how long loading takes, by the kind of file the data is in",
    groups: &[SERVER_OPTIONS, CORES_OPTIONS, OPTIONS, HARNESS_OPTIONS],
    examples: "  \
  basalt-bench restart --basalt ./basalt-server --peer valkey-server --server-cpus 0,1
  basalt-bench restart --basalt ./basalt-server --files text --keys 5000000 --rounds 1
",
};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileKind {
    Rdb,
    Aof,
    Text,
}

impl FileKind {
    fn parse(name: &str) -> Outcome<Self> {
        match name {
            "rdb" => Ok(Self::Rdb),
            "aof" => Ok(Self::Aof),
            "text" => Ok(Self::Text),
            _ => Err(usage(format!("file '{name}': rdb, aof, text"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rdb => "rdb",
            Self::Aof => "aof",
            Self::Text => "text",
        }
    }

    /// Directives of a server that keeps its data so.
    fn directives(self) -> Vec<String> {
        const APPENDS: &str = "--appendonly yes --appendfsync no --auto-aof-rewrite-percentage 0";
        let line = match self {
            Self::Rdb => String::new(),
            Self::Aof => APPENDS.to_owned(),
            Self::Text => format!("{APPENDS} --aof-use-rdb-preamble no"),
        };
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Has the data written, as far as that has not happened.
    fn settle(self, client: &mut Client) -> Outcome<()> {
        match self {
            Self::Rdb => snapshot::save(client).map(drop),
            Self::Aof => Ok(()),
            Self::Text => rewrite(client),
        }
    }
}

/// One server in one round, with one kind of file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    round: u32,
    file: FileKind,
    /// Name, and cores where the server has such a directive.
    server: String,
    start_s: f64,
    /// CPU time of the process by then.
    cpu_s: f64,
}

/// What the samples of a run share.
struct Study {
    setup: Setup,
    cores: Vec<usize>,
    files: Vec<FileKind>,
    value_len: usize,
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let names: String = parsed.value("files")?;
    let study = Study {
        setup: Setup::read(parsed, options::servers(parsed)?)?,
        cores: parsed.number_list("cores")?,
        files: names.split(',').map(|name| FileKind::parse(name.trim())).collect::<Outcome<_>>()?,
        value_len: parsed.value("value-size")?,
    };
    if study.setup.layout.certificate.is_some() {
        return Err(usage("restart is measured without --tls"));
    }
    let mut samples = Vec::new();
    for round in 0..study.setup.rounds {
        for file in &study.files {
            for (spec, cores) in options::with_cores(&study.setup.servers, &study.cores) {
                samples.push(study.measure_server(round, *file, spec, cores)?);
            }
        }
    }
    let markdown = study.to_markdown(&samples);
    results::publish(out, &study.setup, "restart", &samples, &markdown)
}

impl Study {
    fn measure_server(
        &self,
        round: u32,
        file: FileKind,
        spec: &ServerSpec,
        cores: usize,
    ) -> Outcome<Sample> {
        let layout = Layout { cores, directives: file.directives(), ..self.setup.layout.clone() };
        let mut server = Server::start(spec, &layout)?;
        let name = options::name_with_cores(spec, cores);
        let label = format!("round {} {} {name}", round + 1, file.name());
        let measured = self.measure(file, &mut server, (spec, &layout), &label);
        let (start_s, cpu_s) = measured.map_err(|failure| server.blame(failure))?;
        Ok(Sample { round, file, server: name, start_s, cpu_s })
    }

    /// Seconds until the data was back, and CPU seconds by then.
    fn measure(
        &self,
        file: FileKind,
        server: &mut Server,
        (spec, layout): (&ServerSpec, &Layout),
        label: &str,
    ) -> Outcome<(f64, f64)> {
        let keys = self.setup.key_count;
        options::fill_strings(&self.setup, server, (keys, self.value_len), label)?;
        file.settle(&mut server.client()?)?;
        let seconds = server.restart(spec, layout)?.as_secs_f64();
        let cpu_ns = procfs::total_cpu_ns(server.pid());
        let cpu_ns = cpu_ns.map_err(BenchError::io("read the server's CPU time"))?;
        let found = server.client()?.call(&["DBSIZE"])?.integer();
        if found.and_then(|count| u64::try_from(count).ok()) != Some(keys) {
            let text = format!("{keys} keys were written, {found:?} came back");
            return Err(BenchError::WrongReplies { workload: label.to_owned(), text });
        }
        Ok((seconds, cpu_ns as f64 / 1e9))
    }

    fn to_markdown(&self, samples: &[Sample]) -> String {
        let mut text = format!(
            "# Restart\n\n{} strings, keys of {} B, values of {} B; seconds from the start of the \
             process to the first answer, medians of {} rounds. The ratio is that server's seconds \
             by those of the first, so above 1 the first is faster.\n\n\
             | file | server | seconds | CPU s | keys/s | ratio |\n|---|---|--:|--:|--:|--:|\n",
            self.setup.key_count,
            options::KEY_LEN,
            self.value_len,
            self.setup.rounds
        );
        for file in &self.files {
            let names = options::with_cores(&self.setup.servers, &self.cores);
            let names: Vec<String> =
                names.map(|(spec, cores)| options::name_with_cores(spec, cores)).collect();
            let readings = |name: &str, figure: fn(&Sample) -> f64| -> Vec<f64> {
                let is_own = |it: &&Sample| it.file == *file && it.server == name;
                samples.iter().filter(is_own).map(figure).collect()
            };
            for name in &names {
                let seconds = readings(name, |it| it.start_s);
                let ratio = Spread::of_ratios(&seconds, &readings(&names[0], |it| it.start_s));
                let median_s = Spread::of(seconds.iter().copied()).median;
                text.push_str(&format!(
                    "| {} | {name} | {median_s:.2} | {:.2} | {:.0} | {} |\n",
                    file.name(),
                    Spread::of(readings(name, |it| it.cpu_s)).median,
                    self.setup.key_count as f64 / median_s,
                    Spread::or_dash(ratio),
                ));
            }
        }
        text
    }
}

/// Has the append-only file written anew, and waits until it is.
fn rewrite(client: &mut Client) -> Outcome<()> {
    let failed =
        |text: &str| BenchError::Reply { command: "BGREWRITEAOF".into(), text: text.into() };
    client.call(&["BGREWRITEAOF"])?;
    let begun = Instant::now();
    loop {
        let mut figure = |name: &str| client.info_field("persistence", name);
        let is_under_way = [figure("aof_rewrite_in_progress")?, figure("aof_rewrite_scheduled")?]
            .iter()
            .any(|text| text.as_deref().is_some_and(|text| text.trim() == "1"));
        if !is_under_way {
            let status = figure("aof_last_bgrewrite_status")?;
            return match status.as_deref().map(str::trim) {
                Some("ok") => Ok(()),
                other => Err(failed(other.unwrap_or("no status"))),
            };
        }
        if begun.elapsed() > REWRITE_TIMEOUT {
            return Err(failed("it is stuck"));
        }
        thread::sleep(POLL_INTERVAL);
    }
}
