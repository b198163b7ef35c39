//! Where results go: to standard output, and to files for those who compare them later.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::error::{BenchError, Outcome};
use crate::harness::options::Setup;

/// Says something.
pub(crate) fn say(out: &mut dyn Write, text: &str) -> Outcome<()> {
    writeln!(out, "{text}").map_err(BenchError::io("write to standard output"))
}

/// Says what came of a run; with `--out` also writes it and the figures behind it to files that are
/// named after the run.
pub(crate) fn publish(
    out: &mut dyn Write,
    setup: &Setup,
    name: &str,
    figures: &impl Serialize,
    markdown: &str,
) -> Outcome<()> {
    say(out, markdown)?;
    let Some(directory) = &setup.out else { return Ok(()) };
    let json = serde_json::to_string_pretty(figures).expect("figures are plain data");
    save(directory, &format!("{name}.json"), &json)?;
    save(directory, &format!("{name}.md"), markdown)
}

/// Writes one result file.
fn save(directory: &Path, name: &str, text: &str) -> Outcome<()> {
    let path = directory.join(name);
    let doing = format!("write {}", path.display());
    fs::write(path, text).map_err(BenchError::io(doing))
}
