//! What CONFIG commands answer when they can't do what they were asked.

use std::fmt;
use std::io;

use super::value::{ValueError, system_error_text};

/// Why CONFIG SET or CONFIG REWRITE failed.
///
/// Displayed as the error reply without the leading `-`, in the words of Redis. Line breaks in
/// names given by clients become blanks, so that the text is always one line.
#[derive(Debug)]
pub enum ConfigError {
    /// No directive has this name, or it has no value.
    UnknownOption(Vec<u8>),
    /// The directive is fixed at start.
    Immutable(Vec<u8>),
    /// The directive needs `enable-protected-configs`.
    Protected(Vec<u8>),
    /// The directive was named twice.
    Duplicate(Vec<u8>),
    /// The directive can't change while the data set is being loaded.
    Loading,
    /// The value is none for this directive.
    Value(&'static str, ValueError),
    /// The value is fine, but acting on it failed.
    Apply(&'static str, String),
    /// There is no file to rewrite.
    NoConfigFile,
    /// The file can't be rewritten.
    Rewrite(io::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::UnknownOption(name) => write!(
                out,
                "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                one_line(name)
            ),
            ConfigError::Immutable(name) => set_failed(out, name, "can't set immutable config"),
            ConfigError::Protected(name) => set_failed(out, name, "can't set protected config"),
            ConfigError::Duplicate(name) => set_failed(out, name, "duplicate parameter"),
            ConfigError::Loading => out.write_str("LOADING Redis is loading the dataset in memory"),
            ConfigError::Value(name, error) => set_failed(out, name.as_bytes(), &error.to_string()),
            ConfigError::Apply(name, reason) => set_failed(out, name.as_bytes(), reason),
            ConfigError::NoConfigFile => {
                out.write_str("ERR The server is running without a config file")
            }
            ConfigError::Rewrite(error) => {
                write!(out, "ERR Rewriting config file: {}", system_error_text(error))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

fn set_failed(out: &mut fmt::Formatter<'_>, name: &[u8], reason: &str) -> fmt::Result {
    let name = one_line(name);
    write!(out, "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

fn one_line(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(['\r', '\n'], " ")
}
