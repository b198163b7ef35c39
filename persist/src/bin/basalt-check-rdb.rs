//! `basalt-check-rdb file`: whether a snapshot is whole, and if not, where and why.
//!
//! Ends with 0 if it is, with 1 if it is not or cannot be read.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use basalt_persist::check::check;

const USAGE: &str = "Usage: basalt-check-rdb <rdb-file-name>";
const VERSION: &str = concat!("basalt-check-rdb ", env!("CARGO_PKG_VERSION"));

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [path] = &arguments[..] else {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::FAILURE;
    };
    let outcome = match path.to_str() {
        Some("-h" | "--help") => say(USAGE),
        Some("-v" | "--version") => say(VERSION),
        _ => run(Path::new(path)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "Cannot check {}: {error}", Path::new(path).display());
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> io::Result<bool> {
    writeln!(io::stdout(), "{text}")?;
    Ok(true)
}

/// Whether the file is whole.
fn run(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let length = metadata.is_file().then_some(metadata.len());
    let mut report = io::stdout().lock();
    writeln!(report, "[offset 0] Checking RDB file {}", path.display())?;
    let verdict = check(file, length, &mut report)?;
    verdict.write(&mut report)?;
    Ok(verdict.fault.is_none())
}
