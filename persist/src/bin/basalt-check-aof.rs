//! `basalt-check-aof [--fix | --truncate-to-timestamp <seconds> | --export <file>] <file>`: whether
//! an append-only file is whole, and ways to mend it. `<file>` is a manifest, or one file.
//!
//! Ends with 0 if all is well, or was mended, with 1 if not.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use basalt_persist::aof::check::{CheckOptions, Verdict, check, export};

const USAGE: &str = "Usage: basalt-check-aof [--fix|--truncate-to-timestamp $timestamp|--export \
                     <new-file>] <file.manifest|file.aof>";

/// What is asked for.
struct Request {
    options: CheckOptions,
    export: Option<OsString>,
    file: OsString,
}

fn parse(arguments: &[OsString]) -> Option<Request> {
    let (options, export, file) = match arguments {
        [file] => (CheckOptions::default(), None, file),
        [word, file] if word == "--fix" => {
            (CheckOptions { fixes: true, ..CheckOptions::default() }, None, file)
        }
        [word, seconds, file] if word == "--truncate-to-timestamp" => {
            let seconds: i64 = seconds.to_str()?.parse().ok().filter(|seconds| *seconds > 0)?;
            let options =
                CheckOptions { until_unix_seconds: Some(seconds), ..CheckOptions::default() };
            (options, None, file)
        }
        [word, target, file] if word == "--export" => {
            (CheckOptions::default(), Some(target.clone()), file)
        }
        _ => return None,
    };
    Some(Request { options, export, file: file.clone() })
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let Some(request) = parse(&arguments) else {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::FAILURE;
    };
    match run(&request) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let path = Path::new(&request.file).display();
            let _ = writeln!(io::stderr(), "Cannot check {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn run(request: &Request) -> io::Result<bool> {
    let (path, mut report) = (Path::new(&request.file), io::stdout().lock());
    if let Some(target) = &request.export {
        let mut to = BufWriter::new(File::create_new(target)?);
        let is_whole = export(path, &mut to, &mut report)?;
        to.into_inner()?.sync_all()?;
        return Ok(is_whole);
    }
    match check(path, request.options, &mut report)? {
        Verdict::Good => {
            writeln!(report, "All AOF files and manifest are valid")?;
            Ok(true)
        }
        Verdict::Damaged => Ok(false),
        Verdict::Hopeless => {
            writeln!(report, "AOF is not valid, and cutting its end would not mend it.")?;
            Ok(false)
        }
    }
}
