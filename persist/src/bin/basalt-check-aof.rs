//! `basalt-check-aof [--fix | --truncate-to-timestamp <seconds> | --export <file>] <file>`: whether
//! an append-only file is whole, and ways to mend it. `<file>` is a manifest, or one file.
//!
//! Ends with 0 if all is well, or was mended, with 1 if not. `--fix` says what it would cut off and
//! asks first.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use basalt_persist::aof::check::{CheckOptions, Verdict, check, export};

const USAGE: &str = "Usage: basalt-check-aof [--fix|--truncate-to-timestamp $timestamp|--export \
                     <new-file>] <file.manifest|file.aof>";
const VERSION: &str = concat!("basalt-check-aof ", env!("CARGO_PKG_VERSION"));

/// What is asked for.
enum Request {
    Say(&'static str),
    Check(CheckOptions, PathBuf),
    Export { to: PathBuf, from: PathBuf },
}

/// What the arguments ask for; `None` if they make no sense.
fn parse(arguments: &[OsString]) -> Option<Request> {
    let words: Vec<Option<&str>> = arguments.iter().map(|word| OsStr::to_str(word)).collect();
    let last = PathBuf::from(arguments.last()?);
    Some(match words[..] {
        [Some("-h" | "--help")] => Request::Say(USAGE),
        [Some("-v" | "--version")] => Request::Say(VERSION),
        [_] => Request::Check(CheckOptions::default(), last),
        [Some("--fix"), _] => {
            Request::Check(CheckOptions { fixes: true, until_unix_seconds: None }, last)
        }
        [Some("--truncate-to-timestamp"), seconds, _] => {
            let until_unix_seconds = seconds?.parse().ok().filter(|seconds| *seconds > 0);
            let options =
                CheckOptions { fixes: false, until_unix_seconds: Some(until_unix_seconds?) };
            Request::Check(options, last)
        }
        [Some("--export"), _, _] => {
            Request::Export { to: PathBuf::from(&arguments[1]), from: last }
        }
        _ => return None,
    })
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
            let _ = writeln!(io::stderr(), "{error}, aborting...");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn run(request: &Request) -> io::Result<bool> {
    let mut report = io::stdout().lock();
    match request {
        Request::Say(text) => {
            writeln!(report, "{text}")?;
            Ok(true)
        }
        Request::Check(options, path) => check_and_tell(path, *options, &mut report),
        Request::Export { to, from } => {
            let file = File::create_new(to).map_err(|error| {
                io::Error::new(error.kind(), format!("Cannot make {}: {error}", to.display()))
            })?;
            let mut to = BufWriter::new(file);
            let is_whole = export(from, &mut to, &mut report)?;
            to.into_inner()?.sync_all()?;
            Ok(is_whole)
        }
    }
}

fn check_and_tell(path: &Path, options: CheckOptions, report: &mut dyn Write) -> io::Result<bool> {
    match check(path, options, &mut io::stdin().lock(), report)? {
        Verdict::Good => {
            writeln!(report, "All AOF files and manifest are valid")?;
            Ok(true)
        }
        Verdict::Damaged | Verdict::Refused => Ok(false),
        Verdict::Hopeless => {
            writeln!(report, "AOF is not valid, and cutting its end would not mend it.")?;
            Ok(false)
        }
    }
}
