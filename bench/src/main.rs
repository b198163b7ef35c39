//! Load generator and side-by-side harness of Basalt.
//!
//! ```text
//! basalt-bench load      load on a running server: throughput, latency, CPU time per request
//! basalt-bench compare   several servers side by side: ratios with their spread; memory per key
//! basalt-bench scale     1..N server cores; what crossing cores costs
//! basalt-bench memory-types   what an element of each type costs
//! basalt-bench snapshot  seconds of a snapshot, what clients wait meanwhile, extra memory
//! basalt-bench restart   seconds until the data is back, by the kind of file it is in
//! basalt-bench eviction  hit rates under maxmemory, and how well the limit is kept
//! basalt-bench idle      CPU and memory of a server that nobody asks anything
//! ```
//!
//! Layers, each importing only those below it:
//!
//! | module | what it is |
//! |---|---|
//! | `harness` | starts servers, repeats, compares |
//! | `load` | the engine: threads, connections, phases, measuring window, report |
//! | `request` | command templates, mixes, the table of workloads |
//! | `keys`, `resp` | keys and slots; replies, skimmed or read |
//! | `sys`, `procfs`, `args`, `error` | epoll, CPU times, options, failures |

mod args;
mod error;
mod harness;
mod keys;
mod load;
mod procfs;
mod request;
mod resp;
mod sys;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::{Parsed, Spec, usage};
use crate::error::{BenchError, Outcome};

/// A subcommand: its options and what runs it.
type Subcommand = (&'static Spec, fn(&Parsed, &mut dyn Write) -> Outcome<()>);

const SUBCOMMANDS: &[Subcommand] = &[
    (&load::command::SPEC, load::command::run),
    (&harness::compare::SPEC, harness::compare::run),
    (&harness::scale::SPEC, harness::scale::run),
    (&harness::memory_types::SPEC, harness::memory_types::run),
    (&harness::snapshot::SPEC, harness::snapshot::run),
    (&harness::restart::SPEC, harness::restart::run),
    (&harness::eviction::SPEC, harness::eviction::run),
    (&harness::idle::SPEC, harness::idle::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _nobody_reads_it = writeln!(io::stderr().lock(), "basalt-bench: {failure}");
            let is_usage = matches!(failure, BenchError::Usage(_));
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
    }
}

fn run(arguments: &[String], out: &mut dyn Write) -> Outcome<()> {
    let failed = "write to standard output";
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) if name != "--help" && name != "help" => (name, rest),
        _ => return write!(out, "{}", overview()).map_err(BenchError::io(failed)),
    };
    let found = SUBCOMMANDS.iter().find(|(spec, _)| spec.name == name);
    let (spec, body) = found.ok_or_else(|| usage(format!("no subcommand '{name}'; try --help")))?;
    match spec.parse(rest)? {
        Some(parsed) => body(&parsed, out),
        None => write!(out, "{}", spec.help()).map_err(BenchError::io(failed)),
    }
}

fn overview() -> String {
    let mut text = "basalt-bench: load generator and side-by-side harness of Basalt\n\n\
                    Usage: basalt-bench SUBCOMMAND [OPTIONS]\n\nSubcommands:\n"
        .to_owned();
    for (spec, _) in SUBCOMMANDS {
        text.push_str(&format!("  {:<14}{}\n", spec.name, spec.about));
    }
    text.push_str("\n'basalt-bench SUBCOMMAND --help' lists the options.\n");
    text
}
