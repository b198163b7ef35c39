//! Values of directives: read from words, printed for CONFIG GET, written for a file.
//!
//! A [`Value`] is what a row of the table holds after its words have been checked. It knows
//! nothing of the directive's name. Three printed forms exist because Redis has three:
//!
//! ```text
//! CONFIG GET         maxmemory 1073741824      bytes, words joined by blanks
//! CONFIG REWRITE     maxmemory 1gb             units where they divide, texts quoted
//! error messages     always about what was wrong, never the value (it may be a password)
//! ```
//!
//! Numbers are held as `i128` so that one comparison serves signed and unsigned directives.

use std::fmt;
use std::path::Path;

use basalt_shard::number::parse_memory;

use super::events::KeyspaceEvents;
use super::table::{Empty, Kind};

mod multiple;

pub use multiple::{OutputLimit, PrimaryAddress, SavePoint};

/// The value of a directive.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `yes` or `no`.
    Boolean(bool),
    /// A plain number, a number of bytes, or permission bits.
    Number(i128),
    /// A percentage, 0 to 100.
    Percent(u8),
    /// A word of the row's list.
    Choice(&'static str),
    /// Words of the row's list in its order, each once.
    Choices(Vec<&'static str>),
    /// Any bytes.
    Text(Vec<u8>),
    /// Addresses to listen on.
    Addresses(Vec<Vec<u8>>),
    /// When to save.
    SavePoints(Vec<SavePoint>),
    /// Limits of normal clients, replicas and subscribers.
    OutputLimits([OutputLimit; 3]),
    /// Scores of a primary, a replica and a child process.
    OomScores([i32; 3]),
    /// Classes of keyspace events.
    KeyspaceEvents(KeyspaceEvents),
    /// Percentages.
    Percentiles(Vec<f64>),
    /// Whom to replicate.
    Primary(Option<PrimaryAddress>),
    /// The words of each line, without the directive's name.
    Lines(Vec<Vec<Vec<u8>>>),
}

/// Why words are no value for a directive. Displayed in the words of Redis.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueError {
    /// Neither `yes` nor `no`.
    NotBoolean,
    /// No decimal number.
    NotInteger,
    /// No number of bytes.
    NotMemory,
    /// Neither a number of bytes nor a percentage.
    NotMemoryOrPercent,
    /// No octal number.
    NotOctal,
    /// Outside its bounds.
    OutOfBounds(i128, i128),
    /// Above the greatest value, which is shown in octal.
    OctalOutOfBounds(i128),
    /// More than a hundred percent.
    PercentOutOfBounds,
    /// None of the words of the list.
    NotListed(&'static [&'static str]),
    /// Too few or too many words.
    WordCount,
    /// The directory can't be entered.
    Directory(String),
    /// Another rule was broken; or the value promises what is not built.
    Rule(&'static str),
}

impl fmt::Display for ValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::NotBoolean => out.write_str("argument must be 'yes' or 'no'"),
            ValueError::NotInteger => out.write_str("argument couldn't be parsed into an integer"),
            ValueError::NotMemory => out.write_str("argument must be a memory value"),
            ValueError::NotMemoryOrPercent => {
                out.write_str("argument must be a memory or percent value")
            }
            ValueError::NotOctal => out.write_str("argument couldn't be parsed as an octal number"),
            ValueError::OutOfBounds(minimum, maximum) => {
                write!(out, "argument must be between {minimum} and {maximum} inclusive")
            }
            ValueError::OctalOutOfBounds(maximum) => {
                write!(out, "argument must be between 0 and {maximum:o} inclusive")
            }
            ValueError::PercentOutOfBounds => {
                out.write_str("percentage argument must be less or equal to 100")
            }
            ValueError::NotListed(words) => {
                out.write_str("argument(s) must be one of the following: ")?;
                out.write_str(&words.join(", "))
            }
            ValueError::WordCount => out.write_str("wrong number of arguments"),
            ValueError::Directory(reason) => out.write_str(reason),
            ValueError::Rule(rule) => out.write_str(rule),
        }
    }
}

impl Kind {
    /// Reads a value from its words, none of which is the directive's name.
    ///
    /// `current` is the value so far: directives about several things may change one of them.
    /// `directory` is what relative paths of [`Kind::Directory`] start from.
    ///
    /// # Errors
    ///
    /// Says which rule the words break.
    pub(super) fn parse(
        self,
        words: &[&[u8]],
        current: &Value,
        directory: &Path,
    ) -> Result<Value, ValueError> {
        match self {
            Kind::Choices(list) => multiple::choices(words, list),
            Kind::Addresses => multiple::addresses(words),
            Kind::SavePoints => multiple::save_points(words),
            Kind::OutputLimits => multiple::output_limits(words, current),
            Kind::OomScores => multiple::oom_scores(words),
            Kind::Percentiles => multiple::percentiles(words),
            Kind::Primary => multiple::primary(words),
            Kind::Lines { minimum, maximum } => multiple::lines(words, minimum, maximum),
            _ => match words {
                [word] => self.parse_word(word, directory),
                _ => Err(ValueError::WordCount),
            },
        }
    }

    fn parse_word(self, word: &[u8], directory: &Path) -> Result<Value, ValueError> {
        match self {
            Kind::Boolean if word.eq_ignore_ascii_case(b"yes") => Ok(Value::Boolean(true)),
            Kind::Boolean if word.eq_ignore_ascii_case(b"no") => Ok(Value::Boolean(false)),
            Kind::Boolean => Err(ValueError::NotBoolean),
            Kind::Integer { minimum, maximum } => {
                let number = parse_integer(word).ok_or(ValueError::NotInteger)?;
                bounded(i128::from(number), minimum, maximum)
            }
            Kind::Memory { minimum, maximum } => {
                let bytes = parse_memory(word).ok_or(ValueError::NotMemory)?;
                bounded(i128::from(bytes), minimum, maximum)
            }
            Kind::MemoryOrPercent => parse_memory_or_percent(word),
            Kind::Octal { maximum } => parse_octal(word, maximum),
            Kind::Choice(list) => find_listed(word, list).map(Value::Choice),
            Kind::Text(_, check) => check(word).map(|()| Value::Text(word.to_vec())),
            Kind::Directory => parse_directory(word, directory),
            Kind::KeyspaceEvents => KeyspaceEvents::parse(word)
                .map(Value::KeyspaceEvents)
                .ok_or(ValueError::Rule("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")),
            Kind::Ignored => Ok(Value::Lines(Vec::new())),
            _ => unreachable!("kinds of several words are read elsewhere"),
        }
    }
}

fn bounded(number: i128, minimum: i128, maximum: i128) -> Result<Value, ValueError> {
    if number < minimum || number > maximum {
        return Err(ValueError::OutOfBounds(minimum, maximum));
    }
    Ok(Value::Number(number))
}

/// Reads a decimal number in its one canonical form: no plus sign, no leading zeros or blanks.
fn parse_integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let is_canonical = match digits {
        b"0" => digits.len() == word.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_canonical {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn parse_memory_or_percent(word: &[u8]) -> Result<Value, ValueError> {
    if let Some(bytes) = parse_memory(word) {
        return bounded(i128::from(bytes), 0, i128::from(i64::MAX));
    }
    let number = word.strip_suffix(b"%").and_then(parse_integer).filter(|number| *number >= 0);
    match number.ok_or(ValueError::NotMemoryOrPercent)? {
        percent @ 0..=100 => Ok(Value::Percent(percent as u8)),
        _ => Err(ValueError::PercentOutOfBounds),
    }
}

fn parse_octal(word: &[u8], maximum: i128) -> Result<Value, ValueError> {
    let text = std::str::from_utf8(word).map_err(|_| ValueError::NotOctal)?;
    let number = i64::from_str_radix(text, 8).map_err(|_| ValueError::NotOctal)?;
    match i128::from(number) {
        number if (0..=maximum).contains(&number) => Ok(Value::Number(number)),
        _ => Err(ValueError::OctalOutOfBounds(maximum)),
    }
}

/// Finds a word in a list, whatever its case.
fn find_listed(word: &[u8], list: &'static [&'static str]) -> Result<&'static str, ValueError> {
    let found = list.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(word));
    found.copied().ok_or(ValueError::NotListed(list))
}

/// Makes a path absolute and free of links, as the kernel would show it after entering it.
fn parse_directory(word: &[u8], directory: &Path) -> Result<Value, ValueError> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    if word.is_empty() {
        return Err(ValueError::Rule("dir can't be empty"));
    }
    let path = directory.join(std::ffi::OsStr::from_bytes(word));
    let refused = |error: std::io::Error| ValueError::Directory(system_error_text(&error));
    let path = path.canonicalize().map_err(refused)?;
    if !path.metadata().map_err(refused)?.is_dir() {
        return Err(refused(std::io::Error::from_raw_os_error(libc::ENOTDIR)));
    }
    Ok(Value::Text(path.into_os_string().into_vec()))
}

/// The kernel's words for an error, without the number that Rust adds.
pub(crate) fn system_error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl Value {
    /// Prints the value as CONFIG GET does. `kind` is the kind of its row.
    pub(super) fn print(&self, kind: Kind) -> Vec<u8> {
        match self {
            Value::Number(number) if matches!(kind, Kind::Octal { .. }) => {
                format!("{number:o}").into_bytes()
            }
            Value::Boolean(is_set) => (if *is_set { "yes" } else { "no" }).into(),
            Value::Number(number) => number.to_string().into_bytes(),
            Value::Percent(percent) => format!("{percent}%").into_bytes(),
            Value::Choice(word) => (*word).into(),
            Value::Choices(words) => match kind {
                Kind::Choices(list) if words.is_empty() => list[0].into(),
                _ => words.join(" ").into_bytes(),
            },
            Value::Text(text) => text.clone(),
            Value::Addresses(addresses) => addresses.join(&b' '),
            Value::SavePoints(points) => multiple::print_save_points(points).into_bytes(),
            Value::OutputLimits(limits) => multiple::print_output_limits(limits).into_bytes(),
            Value::OomScores(scores) => multiple::print_oom_scores(scores).into_bytes(),
            Value::KeyspaceEvents(events) => events.letters().into_bytes(),
            Value::Percentiles(percentiles) => {
                multiple::print_percentiles(percentiles).into_bytes()
            }
            Value::Primary(primary) => {
                primary.as_ref().map(PrimaryAddress::print).unwrap_or_default()
            }
            Value::Lines(lines) => {
                lines.iter().map(|words| words.join(&b' ')).collect::<Vec<_>>().join(&b'\n')
            }
        }
    }

    /// Whether CONFIG REWRITE takes the value for one that was never set.
    pub(super) fn is_unset(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Text(Empty::IsUnset, _)) && *self == Value::Text(Vec::new())
    }
}

/// Prints a number of bytes with the greatest unit that divides it.
pub(super) fn print_memory(bytes: i128) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Kind, Value, ValueError, parse_integer, parse_memory, print_memory};
    use std::path::Path;

    fn parse(kind: Kind, word: &str) -> Result<Value, ValueError> {
        kind.parse(&[word.as_bytes()], &Value::Lines(Vec::new()), Path::new("/"))
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(parse_integer(b"0"), Some(0));
        assert_eq!(parse_integer(b"-10"), Some(-10));
        assert_eq!(parse_integer(b"9223372036854775807"), Some(i64::MAX));
        for bad in ["", "-", "-0", "01", "+1", " 1", "1 ", "9223372036854775808", "1x"] {
            assert_eq!(parse_integer(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_takes_units_of_both_kinds() {
        for (text, bytes) in [
            ("0", 0),
            ("10b", 10),
            ("1k", 1000),
            ("1Kb", 1024),
            ("2m", 2_000_000),
            ("1GB", 1 << 30),
        ] {
            assert_eq!(parse_memory(text.as_bytes()), Some(bytes), "{text}");
        }
        for bad in ["", "b", "-1", "1tb", "1 kb", "18446744073709551616", "99999999999gb"] {
            assert_eq!(parse_memory(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(print_memory(1 << 30), "1gb");
        assert_eq!(print_memory(1536), "1536");
        assert_eq!(print_memory(1 << 11), "2kb");
        assert_eq!(print_memory(0), "0");
    }

    #[test]
    fn errors_speak_as_redis_does() {
        let said = |kind, word| parse(kind, word).expect_err(word).to_string();
        assert_eq!(said(Kind::Boolean, "maybe"), "argument must be 'yes' or 'no'");
        let kind = Kind::Integer { minimum: 1, maximum: 10 };
        assert_eq!(said(kind, "x"), "argument couldn't be parsed into an integer");
        assert_eq!(said(kind, "11"), "argument must be between 1 and 10 inclusive");
        let kind = Kind::Memory { minimum: 1, maximum: 10 };
        assert_eq!(said(kind, "-1"), "argument must be a memory value");
        assert_eq!(said(kind, "0"), "argument must be between 1 and 10 inclusive");
        let kind = Kind::MemoryOrPercent;
        assert_eq!(said(kind, "x"), "argument must be a memory or percent value");
        assert_eq!(said(kind, "101%"), "percentage argument must be less or equal to 100");
        let kind = Kind::Octal { maximum: 0o777 };
        assert_eq!(said(kind, "8"), "argument couldn't be parsed as an octal number");
        assert_eq!(said(kind, "1000"), "argument must be between 0 and 777 inclusive");
        let kind = Kind::Choice(&["a", "b"]);
        assert_eq!(said(kind, "c"), "argument(s) must be one of the following: a, b");
        assert_eq!(said(Kind::Directory, ""), "dir can't be empty");
        assert_eq!(said(Kind::Directory, "/no/where"), "No such file or directory");
        assert_eq!(said(Kind::Directory, "/dev/null"), "Not a directory");
    }

    #[test]
    fn values_print_as_redis_prints_them() {
        let print = |kind, word| {
            let value = parse(kind, word).expect(word);
            String::from_utf8(value.print(kind)).expect("ASCII")
        };
        assert_eq!(print(Kind::Memory { minimum: 0, maximum: 1 << 40 }, "1gb"), "1073741824");
        assert_eq!(print(Kind::MemoryOrPercent, "5%"), "5%");
        assert_eq!(print(Kind::Octal { maximum: 0o777 }, "700"), "700");
        assert_eq!(print(Kind::Boolean, "YES"), "yes");
        assert_eq!(print(Kind::Directory, "tmp/../tmp"), "/tmp");
        assert_eq!(print(Kind::Percentiles, "99.90"), "99.9");
    }
}
