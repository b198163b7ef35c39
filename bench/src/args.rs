//! Command-line options, one row each.
//!
//! A subcommand declares its options as a table of [`Opt`] rows; parsing, defaults and `--help`
//! all read that table, so they cannot drift apart. A value is checked when it is asked for, by
//! the type the caller wants, and every refusal names the option.

use std::str::FromStr;
use std::time::Duration;

use crate::error::{BenchError, Outcome};

/// One option of a subcommand.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Name after the two dashes.
    pub(crate) name: &'static str,
    /// One-letter form, as redis-benchmark has it.
    pub(crate) short: Option<char>,
    /// Placeholder of the value in the help; `None` makes it a switch.
    pub(crate) value: Option<&'static str>,
    /// Value used when the option is absent.
    pub(crate) default: Option<&'static str>,
    /// One sentence for the help.
    pub(crate) help: &'static str,
}

impl Opt {
    /// An option that takes a value.
    pub(crate) const fn new(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, short: None, value: Some(value), default: None, help }
    }

    /// An option without a value.
    pub(crate) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, short: None, value: None, default: None, help }
    }

    /// Adds the one-letter form.
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Adds the value used when the option is absent.
    pub(crate) const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    fn signature(&self) -> String {
        let short = self.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = self.value.map_or_else(String::new, |value| format!(" {value}"));
        format!("  {short}--{}{value}", self.name)
    }
}

/// A subcommand: what it is for and which options it takes.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Name on the command line.
    pub(crate) name: &'static str,
    /// First lines of the help.
    pub(crate) about: &'static str,
    /// Groups of option rows; a group may be shared by several subcommands. A row hides those of
    /// the same name in later groups: so a subcommand has a default of its own.
    pub(crate) groups: &'static [&'static [Opt]],
    /// Last lines of the help: examples.
    pub(crate) examples: &'static str,
}

const HELP_COLUMN: usize = 36;

impl Spec {
    fn options(&self) -> impl Iterator<Item = &'static Opt> {
        self.groups.iter().enumerate().flat_map(move |(index, group)| {
            let earlier = move || self.groups[..index].iter().flat_map(|group| group.iter());
            group.iter().filter(move |row| earlier().all(|other| other.name != row.name))
        })
    }

    fn named(&self, name: &str) -> Option<&'static Opt> {
        self.options().find(|option| option.name == name)
    }

    /// The text of `--help`.
    pub(crate) fn help(&self) -> String {
        let mut text = format!(
            "basalt-bench {}: {}\n\nUsage: basalt-bench {} [OPTIONS]\n\nOptions:\n",
            self.name, self.about, self.name
        );
        for option in self.options() {
            let signature = option.signature();
            let default = option.default.map_or_else(String::new, |it| format!(" [{it}]"));
            if signature.len() < HELP_COLUMN {
                text.push_str(&format!("{signature:HELP_COLUMN$}{}{default}\n", option.help));
            } else {
                let indent = " ".repeat(HELP_COLUMN);
                text.push_str(&format!("{signature}\n{indent}{}{default}\n", option.help));
            }
        }
        let signature = "      --help";
        text.push_str(&format!("{signature:HELP_COLUMN$}Show this text.\n"));
        text.push_str(&format!("\nExamples:\n{}", self.examples));
        text
    }

    /// Reads the arguments after the subcommand. `None` means that help was asked for.
    pub(crate) fn parse(&'static self, arguments: &[String]) -> Outcome<Option<Parsed>> {
        let mut given = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--help" {
                return Ok(None);
            }
            let (option, attached) = self.recognise(argument)?;
            let value = match (option.value, attached) {
                (None, None) => String::new(),
                (None, Some(_)) => {
                    return Err(usage(format!("--{} takes no value", option.name)));
                }
                (Some(_), Some(text)) => text,
                (Some(placeholder), None) => rest.next().cloned().ok_or_else(|| {
                    usage(format!("--{} needs a value: {placeholder}", option.name))
                })?,
            };
            given.push((option.name, value));
        }
        Ok(Some(Parsed { spec: self, given }))
    }

    fn recognise(&self, argument: &str) -> Outcome<(&'static Opt, Option<String>)> {
        let unknown = || {
            usage(format!(
                "unknown option '{argument}'; 'basalt-bench {} --help' lists them",
                self.name
            ))
        };
        if let Some(long) = argument.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let option = self.named(name).ok_or_else(unknown)?;
            return Ok((option, attached));
        }
        let mut letters = argument.strip_prefix('-').ok_or_else(unknown)?.chars();
        let letter = letters.next().ok_or_else(unknown)?;
        let found = self.options().find(|option| option.short == Some(letter));
        let option = found.ok_or_else(unknown)?;
        let attached = letters.as_str();
        Ok((option, (!attached.is_empty()).then(|| attached.to_owned())))
    }
}

/// The options a user gave, backed by the table's defaults.
#[derive(Debug)]
pub(crate) struct Parsed {
    spec: &'static Spec,
    given: Vec<(&'static str, String)>,
}

impl Parsed {
    /// Whether a switch, or an option with a value, was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.row(name);
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The last value given, else the default, else nothing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let row = self.row(name);
        let given = self.given.iter().rev().find(|(given, _)| *given == name);
        given.map(|(_, value)| value.as_str()).or(row.default)
    }

    /// Every value given for a repeatable option, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.row(name);
        let same = self.given.iter().filter(|(given, _)| *given == name);
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// A value that may be absent, read as `T`.
    pub(crate) fn optional<T: FromStr>(&self, name: &str) -> Outcome<Option<T>> {
        self.text(name).map(|text| read(name, text)).transpose()
    }

    /// A value whose row has a default, or which the user must give.
    pub(crate) fn value<T: FromStr>(&self, name: &str) -> Outcome<T> {
        self.optional(name)?.ok_or_else(|| usage(format!("--{name} is required")))
    }

    /// A value that must be at least one: counts of threads, connections, keys.
    pub(crate) fn positive<T: FromStr + PartialOrd + From<u8>>(&self, name: &str) -> Outcome<T> {
        let value: T = self.value(name)?;
        if value < T::from(1) {
            return Err(usage(format!("--{name} must be at least 1")));
        }
        Ok(value)
    }

    /// A number of seconds, fractions allowed, zero included.
    pub(crate) fn seconds(&self, name: &str) -> Outcome<Duration> {
        let seconds: f64 = self.value(name)?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| usage(format!("--{name}: '{seconds}' is not a number of seconds")))
    }

    /// Numbers and ranges separated by commas, like `0,4-7`. Absent means empty.
    pub(crate) fn number_list(&self, name: &str) -> Outcome<Vec<usize>> {
        self.text(name).map_or_else(|| Ok(Vec::new()), |text| parse_number_list(name, text))
    }

    fn row(&self, name: &str) -> &'static Opt {
        let row = self.spec.named(name);
        row.unwrap_or_else(|| panic!("--{name} is not declared by '{}'", self.spec.name))
    }
}

/// No list of CPUs, slots or pipeline depths is longer; a typing slip must not fill the memory.
const LIST_LEN_MAX: usize = 65_536;

fn parse_number_list(name: &str, text: &str) -> Outcome<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (usize, usize) = (read(name, low)?, read(name, high)?);
        if low > high || high - low >= LIST_LEN_MAX - numbers.len() {
            return Err(usage(format!("--{name}: '{part}' is not a usable range")));
        }
        numbers.extend(low..=high);
    }
    Ok(numbers)
}

fn read<T: FromStr>(name: &str, text: &str) -> Outcome<T> {
    let parsed = text.trim().parse();
    parsed.map_err(|_| usage(format!("--{name}: '{text}' is not a value it can take")))
}

/// A command line that cannot be carried out.
pub(crate) fn usage(text: impl Into<String>) -> BenchError {
    BenchError::Usage(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    static SPEC: Spec = Spec {
        name: "try",
        about: "for tests",
        groups: &[
            &[
                Opt::new("connections", "N", "How many.").short('c').default("50"),
                Opt::new("cpus", "LIST", "Where."),
                Opt::switch("quiet", "Say nothing."),
            ],
            &[Opt::new("connections", "N", "As everywhere.").short('c').default("99")],
        ],
        examples: "  none\n",
    };

    fn parse(line: &str) -> Outcome<Option<Parsed>> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        SPEC.parse(&words)
    }

    fn parsed(line: &str) -> Parsed {
        parse(line).expect("line parses").expect("line is not a call for help")
    }

    #[test]
    fn defaults_and_every_spelling_of_a_value() {
        for (line, expected) in [
            ("", 50),
            ("--connections 7", 7),
            ("--connections=8", 8),
            ("-c 9", 9),
            ("-c10", 10),
            ("-c 1 -c 2", 2),
        ] {
            let count: u32 = parsed(line).positive("connections").expect("a count");
            assert_eq!(count, expected, "{line}");
        }
    }

    #[test]
    fn lists_take_numbers_and_ranges() {
        let list = |line| parsed(line).number_list("cpus");
        assert_eq!(list("--cpus 0,4-7,2").expect("a list"), [0, 4, 5, 6, 7, 2]);
        assert_eq!(list("").expect("an empty list"), [] as [usize; 0]);
        assert!(list("--cpus 7-4").is_err());
        assert!(list("--cpus 0-99999999").is_err());
        assert!(list("--cpus a").is_err());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (line, word) in [
            ("--speed 9", "--speed"),
            ("--connections", "--connections"),
            ("--quiet=yes", "--quiet"),
            ("stray", "stray"),
            ("-x", "-x"),
        ] {
            let refusal = parse(line).expect_err(line).to_string();
            assert!(refusal.contains(word), "{refusal}");
        }
        assert!(parsed("-c 0").positive::<u32>("connections").is_err());
        assert!(parsed("-c x").positive::<u32>("connections").is_err());
    }

    #[test]
    fn help_lists_every_option() {
        assert!(parse("-c 3 --help").expect("parses").is_none());
        let help = SPEC.help();
        for word in ["--connections N", "[50]", "--cpus LIST", "--quiet", "--help"] {
            assert!(help.contains(word), "{help}");
        }
        assert!(!help.contains("As everywhere."), "a row of an earlier group hides it: {help}");
    }
}
