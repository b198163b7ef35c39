//! Configuration in TOML: the same directives, with types.
//!
//! ```toml
//! port = 6379                               # numbers
//! protected-mode = true                     # yes and no
//! maxmemory-policy = "noeviction"           # words and texts
//! proto-max-bulk-len = "512mb"              # units need quotes
//! bind = ["127.0.0.1", "-::1"]              # several words
//! save = [[3600, 1], [300, 100]]            # several lines of several words
//! ```
//!
//! Keys are the names of directives, old names included; there are no tables. A string stands for
//! one word, which directives of several words split at blanks, as they do with a quoted word in
//! the other format. Types are checked before values: `port = "6379"` is a mistake that is named,
//! not mended. Messages have the form of the other format's, so that one reader serves both.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::file::{LineError, LoadError, Loader};
use super::rows;
use super::store::Config;
use super::table::Kind;
use super::value::ValueError;

/// Whether a file is to be read as TOML.
pub(super) fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Takes every directive of a document, in the order of the document.
///
/// # Errors
///
/// Fails on what is no TOML, and on the first key that is no directive or has no value for one.
pub(super) fn apply(config: &mut Config, source: &[u8]) -> Result<(), LoadError> {
    let text = std::str::from_utf8(source)
        .map_err(|error| LoadError::Whole(format!("TOML must be UTF-8: {error}")))?;
    let document = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        line_error(text, start, LineError::Type(error.message().to_owned()))
    })?;
    let mut entries: Vec<_> = document.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut loader = Loader::new(config);
    for (key, value) in entries {
        let applied = apply_entry(&mut loader, key.get_ref(), value);
        applied.map_err(|error| line_error(text, key.span().start, error))?;
    }
    Ok(())
}

/// Describes a mistake by the line it is in.
fn line_error(text: &str, offset: usize, error: LineError) -> LoadError {
    let before = text.get(..offset).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or("").trim().as_bytes().to_vec();
    LoadError::Line { number, line, error }
}

fn apply_entry(
    loader: &mut Loader<'_>,
    name: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), LineError> {
    let Some((_, row, _)) = rows::find(name.as_bytes()) else {
        return Err(LineError::BadDirective);
    };
    if row.name == "include" {
        return Err(LineError::Type("include is not for TOML files".to_owned()));
    }
    for words in lines_of(row.kind, value.get_ref())? {
        loader.set(row.name.as_bytes(), &words)?;
    }
    Ok(())
}

/// The words of each line that a value stands for.
fn lines_of(kind: Kind, value: &DeValue<'_>) -> Result<Vec<Vec<Vec<u8>>>, LineError> {
    match value {
        DeValue::Array(items) if !kind.is_multiple() => {
            Err(mismatch("one value", &DeValue::Array(items.clone())))
        }
        // Arrays of arrays, and arrays of strings for what comes in lines, are several lines.
        DeValue::Array(items) if is_lines(kind, items) => {
            items.iter().map(|item| line_of(kind, item.get_ref())).collect()
        }
        DeValue::Array(items) if items.is_empty() => Ok(vec![vec![Vec::new()]]),
        DeValue::Array(items) => {
            let words: Result<_, _> =
                items.iter().map(|item| word_of(kind, item.get_ref())).collect();
            Ok(vec![words?])
        }
        scalar => Ok(vec![line_of(kind, scalar)?]),
    }
}

fn is_lines(kind: Kind, items: &DeArray<'_>) -> bool {
    let has_arrays = items.iter().any(|item| item.get_ref().is_array());
    let has_groups = matches!(kind, Kind::SavePoints | Kind::OutputLimits | Kind::Lines { .. });
    let all_texts = items.iter().all(|item| item.get_ref().is_str());
    has_arrays || (has_groups && all_texts && !items.is_empty())
}

fn line_of(kind: Kind, value: &DeValue<'_>) -> Result<Vec<Vec<u8>>, LineError> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| word_of(kind, item.get_ref())).collect(),
        DeValue::String(text) if matches!(kind, Kind::Lines { .. }) => {
            super::words::split(text.as_bytes()).ok_or(LineError::UnbalancedQuotes)
        }
        scalar => Ok(vec![word_of(kind, scalar)?]),
    }
}

/// One word, of a type that suits the kind.
fn word_of(kind: Kind, value: &DeValue<'_>) -> Result<Vec<u8>, LineError> {
    match (kind, value) {
        (Kind::Boolean, DeValue::Boolean(is_set)) => {
            Ok(if *is_set { b"yes".to_vec() } else { b"no".to_vec() })
        }
        (Kind::Boolean, other) => Err(mismatch("true or false", other)),
        (Kind::Integer { .. }, DeValue::Integer(_)) => integer_word(value),
        (Kind::Integer { .. }, other) => Err(mismatch("a number", other)),
        (Kind::Memory { .. } | Kind::MemoryOrPercent, DeValue::Integer(_)) => integer_word(value),
        (Kind::Octal { .. }, DeValue::Integer(number)) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            let number = number.map_err(|_| LineError::Value(ValueError::NotOctal))?;
            Ok(format!("{number:o}").into_bytes())
        }
        (kind, DeValue::Integer(_)) if kind.is_multiple() => integer_word(value),
        (Kind::Percentiles, DeValue::Float(number)) => Ok(number.as_str().as_bytes().to_vec()),
        // Words that happen to be yes and no: io-backend has none, enable-debug-command does.
        (Kind::Choice(list), DeValue::Boolean(is_set)) if list.contains(&"yes") => {
            Ok(if *is_set { b"yes".to_vec() } else { b"no".to_vec() })
        }
        (_, DeValue::String(text)) => Ok(text.as_bytes().to_vec()),
        (_, other) => Err(mismatch("a string", other)),
    }
}

fn integer_word(value: &DeValue<'_>) -> Result<Vec<u8>, LineError> {
    let number = value
        .as_integer()
        .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
    match number {
        Some(number) => Ok(number.to_string().into_bytes()),
        None => Err(LineError::Value(ValueError::NotInteger)),
    }
}

fn mismatch(wanted: &str, found: &DeValue<'_>) -> LineError {
    LineError::Type(format!("argument must be {wanted}, not {}", type_name(found)))
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
