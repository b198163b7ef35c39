//! Values made of several words.

use basalt_shard::number::parse_memory;

use super::{Value, ValueError, find_listed};

/// Most addresses to listen on.
const ADDRESSES_MAX: usize = 16;
/// Most percentiles to report, and most save points: more is no use to anyone.
const LIST_MAX: usize = 1024;

/// Save when so many seconds have passed and so many changes were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save; at least one.
    pub seconds: u64,
    /// Changes since the last save.
    pub changes: u64,
}

/// How much reply data may wait for a client before it is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Disconnect at once above so many bytes; zero for no limit.
    pub hard_bytes: u64,
    /// Disconnect after `soft_seconds` above so many bytes; zero for no limit.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u64,
}

/// Where a primary listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    /// Name or address.
    pub host: Vec<u8>,
    /// TCP port.
    pub port: u16,
}

impl PrimaryAddress {
    pub(super) fn print(&self) -> Vec<u8> {
        [&self.host, format!(" {}", self.port).as_bytes()].concat()
    }
}

/// Reads a number as C's `strtoll` would where all of the text is used.
fn lenient_integer(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

pub(super) fn choices(words: &[&[u8]], list: &'static [&'static str]) -> Result<Value, ValueError> {
    if words.is_empty() {
        return Err(ValueError::NotListed(list));
    }
    let mut given = Vec::with_capacity(list.len());
    for word in words {
        let word = find_listed(word, list)?;
        if !given.contains(&word) {
            given.push(word);
        }
    }
    if given.contains(&"save") && given.contains(&"nosave") {
        return Err(ValueError::Rule(
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ));
    }
    Ok(Value::Choices(list[1..].iter().copied().filter(|word| given.contains(word)).collect()))
}

pub(super) fn addresses(words: &[&[u8]]) -> Result<Value, ValueError> {
    match words {
        [[]] => Ok(Value::Addresses(Vec::new())),
        _ if words.len() > ADDRESSES_MAX => {
            Err(ValueError::Rule("Too many bind addresses specified."))
        }
        _ => Ok(Value::Addresses(words.iter().map(|word| word.to_vec()).collect())),
    }
}

pub(super) fn save_points(words: &[&[u8]]) -> Result<Value, ValueError> {
    const BROKEN: ValueError = ValueError::Rule("Invalid save parameters");
    if let [[]] = words {
        return Ok(Value::SavePoints(Vec::new()));
    }
    if !words.len().is_multiple_of(2) || words.len() > LIST_MAX {
        return Err(BROKEN);
    }
    let number = |word: &[u8], minimum: i64| match lenient_integer(word) {
        Some(number) if number >= minimum => Ok(number.unsigned_abs()),
        _ => Err(BROKEN),
    };
    let points = words
        .chunks_exact(2)
        .map(|pair| Ok(SavePoint { seconds: number(pair[0], 1)?, changes: number(pair[1], 0)? }));
    points.collect::<Result<_, _>>().map(Value::SavePoints)
}

pub(super) fn print_save_points(points: &[SavePoint]) -> String {
    let points = points.iter().map(|point| format!("{} {}", point.seconds, point.changes));
    points.collect::<Vec<_>>().join(" ")
}

/// Names of the client classes with limits, as CONFIG GET prints them.
const OUTPUT_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

pub(super) fn output_limits(words: &[&[u8]], current: &Value) -> Result<Value, ValueError> {
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err(ValueError::Rule("Wrong number of arguments in buffer limit configuration."));
    }
    let unlimited = OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 };
    let mut limits = match current {
        Value::OutputLimits(limits) => *limits,
        _ => [unlimited; 3],
    };
    for group in words.chunks_exact(4) {
        let class = output_class(group[0]).ok_or(ValueError::Rule(
            "Invalid client class specified in buffer limit configuration.",
        ))?;
        let limit = output_limit(group).ok_or(ValueError::Rule(
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ))?;
        limits[class] = limit;
    }
    Ok(Value::OutputLimits(limits))
}

fn output_class(word: &[u8]) -> Option<usize> {
    if word.eq_ignore_ascii_case(b"replica") {
        return Some(1);
    }
    OUTPUT_CLASSES.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

fn output_limit(group: &[&[u8]]) -> Option<OutputLimit> {
    let hard_bytes = parse_memory(group[1])?;
    let soft_bytes = parse_memory(group[2])?;
    let soft_seconds = u64::try_from(lenient_integer(group[3])?).ok()?;
    Some(OutputLimit { hard_bytes, soft_bytes, soft_seconds })
}

pub(super) fn print_output_limits(limits: &[OutputLimit; 3]) -> String {
    let groups = limits.iter().zip(OUTPUT_CLASSES).map(|(limit, class)| {
        format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
    });
    groups.collect::<Vec<_>>().join(" ")
}

pub(super) fn oom_scores(words: &[&[u8]]) -> Result<Value, ValueError> {
    const BROKEN: ValueError =
        ValueError::Rule("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    if words.len() != 3 {
        return Err(ValueError::WordCount);
    }
    let mut scores = [0; 3];
    for (score, word) in scores.iter_mut().zip(words) {
        *score = match lenient_integer(word) {
            Some(number @ -2000..=2000) => number as i32,
            _ => return Err(BROKEN),
        };
    }
    Ok(Value::OomScores(scores))
}

pub(super) fn print_oom_scores(scores: &[i32; 3]) -> String {
    scores.map(|score| score.to_string()).join(" ")
}

pub(super) fn percentiles(words: &[&[u8]]) -> Result<Value, ValueError> {
    const BROKEN: ValueError =
        ValueError::Rule("Invalid latency-tracking-info-percentiles parameters");
    if let [] | [[]] = words {
        return Ok(Value::Percentiles(Vec::new()));
    }
    if words.len() > LIST_MAX {
        return Err(BROKEN);
    }
    let mut percentiles = Vec::with_capacity(words.len());
    for word in words {
        let text = std::str::from_utf8(word).map_err(|_| BROKEN)?;
        let percentile: f64 = text.parse().map_err(|_| BROKEN)?;
        if percentile.is_nan() {
            return Err(BROKEN);
        }
        if !(0.0..=100.0).contains(&percentile) {
            return Err(ValueError::Rule(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ));
        }
        percentiles.push(rounded(percentile));
    }
    Ok(Value::Percentiles(percentiles))
}

/// Keeps six decimals, which is all that is ever printed.
fn rounded(percentile: f64) -> f64 {
    (percentile.abs() * 1e6).round() / 1e6
}

pub(super) fn print_percentiles(percentiles: &[f64]) -> String {
    let texts = percentiles.iter().map(|percentile| {
        let text = format!("{percentile:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    });
    texts.collect::<Vec<_>>().join(" ")
}

pub(super) fn primary(words: &[&[u8]]) -> Result<Value, ValueError> {
    match words {
        [[]] => Ok(Value::Primary(None)),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => {
            Ok(Value::Primary(None))
        }
        [host, port] => {
            let port = lenient_integer(port).and_then(|port| u16::try_from(port).ok());
            let port = port.ok_or(ValueError::Rule("Invalid master port"))?;
            Ok(Value::Primary(Some(PrimaryAddress { host: host.to_vec(), port })))
        }
        _ => Err(ValueError::WordCount),
    }
}

pub(super) fn lines(words: &[&[u8]], minimum: usize, maximum: usize) -> Result<Value, ValueError> {
    if !(minimum..=maximum).contains(&words.len()) {
        return Err(ValueError::WordCount);
    }
    Ok(Value::Lines(vec![words.iter().map(|word| word.to_vec()).collect()]))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Value};
    use std::path::Path;

    const SHUTDOWN: Kind = Kind::Choices(&["default", "save", "nosave", "now", "force"]);

    fn read(kind: Kind, text: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let value = kind.parse(&words, &Value::Lines(Vec::new()), Path::new("/"));
        let printed = value.map_err(|error| error.to_string())?.print(kind);
        Ok(String::from_utf8(printed).expect("ASCII"))
    }

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: Result<&str, &str>) {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(read(kind, text), expected, "{text:?}");
    }

    #[test]
    fn save_points() {
        let kind = Kind::SavePoints;
        check(kind, "", Ok(""));
        check(kind, "900 1 300 10", Ok("900 1 300 10"));
        for bad in ["1", "a b", "0 1", "1 -1", "900 1  300 10"] {
            check(kind, bad, Err("Invalid save parameters"));
        }
    }

    #[test]
    fn output_limits() {
        let kind = Kind::OutputLimits;
        check(
            kind,
            "normal 1mb 2 3 replica 1gb 1 1",
            Ok("normal 1048576 2 3 slave 1073741824 1 1 pubsub 0 0 0"),
        );
        let broken = "Wrong number of arguments in buffer limit configuration.";
        check(kind, "foo", Err(broken));
        let broken = "Invalid client class specified in buffer limit configuration.";
        check(kind, "foo 1 2 3", Err(broken));
        check(kind, "master 1 2 3", Err(broken));
        let broken = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        check(kind, "normal 1 2 x", Err(broken));
        check(kind, "normal 1 2 -1", Err(broken));
    }

    #[test]
    fn shutdown_options() {
        check(SHUTDOWN, "now save", Ok("save now"));
        check(SHUTDOWN, "default", Ok("default"));
        let broken = "shutdown options SAVE and NOSAVE can't be used simultaneously";
        check(SHUTDOWN, "save nosave", Err(broken));
        let broken = "argument(s) must be one of the following: default, save, nosave, now, force";
        check(SHUTDOWN, "foo", Err(broken));
        check(SHUTDOWN, "", Err(broken));
    }

    #[test]
    fn scores_percentiles_primaries_addresses() {
        check(Kind::OomScores, "-1 0 2000", Ok("-1 0 2000"));
        check(Kind::OomScores, "1 2", Err("wrong number of arguments"));
        let broken = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        check(Kind::OomScores, "1 2 3000", Err(broken));
        check(Kind::Percentiles, "", Ok(""));
        check(Kind::Percentiles, "50 99.90 99.999999 -0", Ok("50 99.9 99.999999 0"));
        let broken = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        check(Kind::Percentiles, "50 101", Err(broken));
        let broken = "Invalid latency-tracking-info-percentiles parameters";
        check(Kind::Percentiles, "50 x", Err(broken));
        check(Kind::Primary, "no one", Ok(""));
        check(Kind::Primary, "db 6379", Ok("db 6379"));
        check(Kind::Primary, "db 65536", Err("Invalid master port"));
        check(Kind::Primary, "db", Err("wrong number of arguments"));
        check(Kind::Addresses, "", Ok(""));
        check(Kind::Addresses, "* -::*", Ok("* -::*"));
        let too_many = ["a"; 17].join(" ");
        check(Kind::Addresses, &too_many, Err("Too many bind addresses specified."));
    }
}
