//! The command line, as redis-server takes it.
//!
//! ```text
//! basalt-server [FILE] [-] [--directive value ...] ...
//!               |      |    |
//!               |      |    +- each starts a line of configuration; words up to the next one
//!               |      |       are its values, the first of them even if it starts with --
//!               |      +- read standard input as well; first or last argument only
//!               +- where the first argument starts with no dash
//! ```
//!
//! Directives are only gathered here, as the text of a configuration file that is read after the
//! file and standard input. `--port 1` and `"--port 1"` are therefore the same, and errors show
//! the line that the arguments became. `--save` may stand without a value for `--save ""`,
//! because programs that build a command line from an empty list write that.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::words;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start the server.
    Start(StartOptions),
    /// Print the version and exit.
    Version,
    /// Print how to use the program and exit.
    Help,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// The configuration file, as it was written.
    pub config_file: Option<PathBuf>,
    /// Whether standard input holds configuration, too.
    pub reads_standard_input: bool,
    /// The directives of the command line as lines of configuration.
    pub directives: Vec<u8>,
    /// No arguments at all: worth a warning, since nobody configured anything.
    pub is_empty: bool,
}

/// Why a command line can't be followed. Displayed as it is printed before exit with status 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentError {
    /// `--test-memory` was asked for.
    TestMemory,
    /// `--check-system` was asked for.
    CheckSystem,
    /// `--sentinel` was asked for.
    Sentinel,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ArgumentError::TestMemory => {
                "The memory test is not built into Basalt. Use a tool made for it, such as \
                 memtester."
            }
            ArgumentError::CheckSystem => "The system check is not built into Basalt yet.",
            ArgumentError::Sentinel => "Sentinel mode is not built into Basalt yet.",
        })
    }
}

impl std::error::Error for ArgumentError {}

/// Reads a command line without the name of the program.
///
/// # Errors
///
/// Fails where a mode is asked for that Basalt does not have. Directives are not looked at.
pub fn parse(arguments: &[Vec<u8>]) -> Result<Request, ArgumentError> {
    match arguments.first().map(Vec::as_slice) {
        Some(b"-v" | b"--version") => return Ok(Request::Version),
        Some(b"-h" | b"--help") => return Ok(Request::Help),
        Some(b"--test-memory") => return Err(ArgumentError::TestMemory),
        Some(b"--check-system") => return Err(ArgumentError::CheckSystem),
        _ => {}
    }
    if arguments.iter().any(|argument| argument.eq_ignore_ascii_case(b"--sentinel")) {
        return Err(ArgumentError::Sentinel);
    }
    let mut options = StartOptions { is_empty: arguments.is_empty(), ..StartOptions::default() };
    let mut first = 0;
    if let Some(name) = arguments.first().filter(|name| !name.starts_with(b"-")) {
        options.config_file = Some(PathBuf::from(std::ffi::OsStr::from_bytes(name)));
        first = 1;
    }
    gather_directives(&mut options, arguments, first);
    Ok(Request::Start(options))
}

/// Turns arguments into lines of configuration.
fn gather_directives(options: &mut StartOptions, arguments: &[Vec<u8>], first: usize) {
    let last = arguments.len().saturating_sub(1);
    // Whether the directive before has a value, so that `--` starts another one.
    let mut has_value = true;
    for (index, argument) in arguments.iter().enumerate().skip(first) {
        if argument == b"-" && (index == 0 || index == last) {
            options.reads_standard_input = true;
        } else if has_value && argument.starts_with(b"--") {
            if !options.directives.is_empty() {
                options.directives.push(b'\n');
            }
            options.directives.extend(&argument[2..]);
            options.directives.push(b' ');
            has_value = words::split(argument).is_none_or(|words| words.len() != 1);
            let next = arguments.get(index + 1);
            let lacks_value = next.is_none_or(|next| next.starts_with(b"--"));
            if !has_value && lacks_value && argument.eq_ignore_ascii_case(b"--save") {
                options.directives.extend(b"\"\"");
                has_value = true;
            }
        } else {
            words::push_quoted(&mut options.directives, argument);
            options.directives.push(b' ');
            has_value = true;
        }
    }
}

/// What `--help` prints.
pub const USAGE: &str = "\
Usage: basalt-server [/path/to/basalt.conf] [options] [-]
       basalt-server - (read config from stdin)
       basalt-server -v or --version
       basalt-server -h or --help

Options are directives of the configuration file with two dashes in front.
A file that ends in .toml is read as TOML.

Examples:
       basalt-server (run the server with default conf)
       echo 'maxclients 128' | basalt-server -
       basalt-server /etc/basalt/6379.conf
       basalt-server --port 7777
       basalt-server --port 7777 --bind 127.0.0.1 ::1
       basalt-server /etc/basalt.conf --loglevel verbose -
       basalt-server --cores 0-3 --io-backend epoll
";

#[cfg(test)]
mod tests {
    use super::{ArgumentError, Request, StartOptions, parse};

    fn start(arguments: &[&str]) -> StartOptions {
        let arguments: Vec<_> = arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
        match parse(&arguments) {
            Ok(Request::Start(options)) => options,
            other => panic!("{arguments:?} asks for {other:?}"),
        }
    }

    #[track_caller]
    fn check(arguments: &[&str], directives: &str) {
        let found = String::from_utf8(start(arguments).directives).expect("ASCII");
        assert_eq!(found, directives, "{arguments:?}");
    }

    #[test]
    fn directives_become_lines() {
        check(&[], "");
        check(&["--port", "1"], "port \"1\" ");
        check(&["--port 1"], "port 1 ");
        check(&["--port", "1", "--bind", "a", "b"], "port \"1\" \nbind \"a\" \"b\" ");
        check(&["x.conf", "--port", "1"], "port \"1\" ");
        check(&["--requirepass", "--secret"], "requirepass \"--secret\" ");
        check(&["--port", "1", "-v"], "port \"1\" \"-v\" ");
        check(&["--port"], "port ");
    }

    #[test]
    fn save_may_lack_its_value() {
        check(&["--save"], "save \"\"");
        check(&["--save", ""], "save \"\" ");
        check(&["--save", "--port", "1"], "save \"\"\nport \"1\" ");
        check(&["--save", "900 1", "300", "10"], "save \"900 1\" \"300\" \"10\" ");
    }

    #[test]
    fn a_dash_reads_standard_input_at_either_end() {
        assert!(start(&["-"]).reads_standard_input);
        assert!(start(&["x.conf", "-"]).reads_standard_input);
        assert!(start(&["--port", "1", "-"]).reads_standard_input);
        assert!(!start(&["--logfile", "-", "--port", "1"]).reads_standard_input);
        assert_eq!(start(&["x.conf"]).config_file, Some("x.conf".into()));
        assert!(start(&[]).is_empty);
    }

    #[test]
    fn other_requests() {
        let parse = |word: &str| parse(&[word.as_bytes().to_vec()]);
        assert_eq!(parse("-v"), Ok(Request::Version));
        assert_eq!(parse("--version"), Ok(Request::Version));
        assert_eq!(parse("-h"), Ok(Request::Help));
        assert_eq!(parse("--help"), Ok(Request::Help));
        assert_eq!(parse("--test-memory"), Err(ArgumentError::TestMemory));
        assert_eq!(parse("--check-system"), Err(ArgumentError::CheckSystem));
        assert_eq!(parse("--sentinel"), Err(ArgumentError::Sentinel));
    }
}
