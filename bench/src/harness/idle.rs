//! `basalt-bench idle`: what a server burns while nobody asks anything.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::args::{Opt, Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};
use crate::load::command::{CONNECT_OPTIONS, endpoint_and_session};
use crate::load::target;
use crate::procfs::{self, ProcessCpu};
use crate::resp::client::Client;

/// The greetings of the connections must be over before the window starts.
const SETTLE: Duration = Duration::from_secs(1);

const OPTIONS: &[Opt] = &[
    Opt::new("connections", "N", "Idle connections to hold open.").short('c').default("1000"),
    Opt::new("duration", "SECONDS", "Length of the window.").default("10"),
    Opt::new("server-pid", "PID", "The server's process [asked of INFO]."),
    Opt::new("json", "FILE", "Write the report as JSON."),
];

/// The subcommand.
pub(crate) static SPEC: Spec = Spec {
    name: "idle",
    about: "measures a running server's CPU and memory under idle connections",
    groups: &[CONNECT_OPTIONS, OPTIONS],
    examples: "  \
  basalt-bench idle -c 0 --duration 30
  basalt-bench idle -c 10000

Many connections need a high 'ulimit -n' on both sides.
",
};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct IdleReport {
    connections: usize,
    window_s: f64,
    /// CPU time of the server in the window; 100 is one CPU.
    server_cpu_percent: f64,
    resident_bytes_without_connections: u64,
    resident_bytes: u64,
}

/// Runs the subcommand.
pub(crate) fn run(parsed: &Parsed, out: &mut dyn Write) -> Outcome<()> {
    let (endpoint, session) = endpoint_and_session(parsed)?;
    let pid = match parsed.optional("server-pid")? {
        Some(pid) => pid,
        None => target::server_pid(&endpoint, &session)?.ok_or_else(|| {
            usage("the server's process is not known: it must run here; give --server-pid")
        })?,
    };
    let (connections, window) = (parsed.value("connections")?, parsed.seconds("duration")?);
    let open = || {
        let mut client = Client::connect(&endpoint, &session)?;
        client.call(&["PING"])?;
        Ok(client)
    };
    let report = measure(open, pid, connections, window)?;
    writeln!(
        out,
        "{} idle connections, {:.1} s: server CPU {:.3} %, resident {:.1} MB ({:.1} MB without)",
        report.connections,
        report.window_s,
        report.server_cpu_percent,
        report.resident_bytes as f64 / 1e6,
        report.resident_bytes_without_connections as f64 / 1e6,
    )
    .map_err(BenchError::io("write to standard output"))?;
    if let Some(path) = parsed.text("json").map(PathBuf::from) {
        let json = serde_json::to_string_pretty(&report).expect("figures are plain data");
        let doing = format!("write {}", path.display());
        fs::write(path, json).map_err(BenchError::io(doing))?;
    }
    Ok(())
}

fn measure(
    open: impl Fn() -> Outcome<Client>,
    pid: u32,
    connections: usize,
    window: Duration,
) -> Outcome<IdleReport> {
    let doing = "read the server's CPU time and memory";
    let resident = || procfs::resident_bytes(pid).map_err(BenchError::io(doing));
    let resident_bytes_without_connections = resident()?;
    let held: Vec<Client> = (0..connections).map(|_| open()).collect::<Outcome<_>>()?;
    thread::sleep(SETTLE);
    let before = ProcessCpu::of(pid).map_err(BenchError::io(doing))?;
    let begin = Instant::now();
    thread::sleep(window);
    let after = ProcessCpu::of(pid).map_err(BenchError::io(doing))?;
    let window_s = begin.elapsed().as_secs_f64();
    let resident_bytes = resident()?;
    drop(held);
    Ok(IdleReport {
        connections,
        window_s,
        server_cpu_percent: after.since(&before).total_ns as f64 / window_s / 1e7,
        resident_bytes_without_connections,
        resident_bytes,
    })
}
