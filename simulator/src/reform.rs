//! CONFIG SET, and looking at what it did: one more value of the history.
//!
//! One client sets three directives to the digits of a number, each time of a higher one. What it
//! is is seen in two ways, at any core: by CONFIG GET, and by what the directives do. Elements are
//! added to a set, a hash and a sorted set of one slot, and when each takes its larger form tells
//! the digit that is in force where the slot is.
//!
//! ```text
//! CONFIG SET set-max-intset-entries 2 hash-max-listpack-entries 1 zset-max-listpack-entries 3
//! CONFIG GET ..                                                           -> 2 1 3
//! SADD s 1 2; OBJECT ENCODING s; SADD s 3; OBJECT ENCODING s              -> intset, listpack: 2
//! HSET h 1 1 2 2; OBJECT ENCODING h; HSET h 3 3; OBJECT ENCODING h        -> hashtable twice: 1
//! ZADD z 1 1 2 2; OBJECT ENCODING z; ZADD z 3 3; OBJECT ENCODING z        -> listpack twice: 3
//! ```
//!
//! So a look tells which changes were made by then, and the history has them in one order with
//! everything else: a client that knows of a change by either way cannot be followed by one that
//! does not.

use crate::Request;
use crate::history::Event;
use crate::op::{Form, SETTINGS, Seen, Token};
use crate::resp::split_line;
use crate::value::Value;

/// What is set: to the digits of a number, the lowest first, each plus one.
const DIRECTIVES: [&str; 3] =
    ["set-max-intset-entries", "hash-max-listpack-entries", "zset-max-listpack-entries"];

/// What a digit is below.
const BASE: u32 = 3;

/// The number at the start of a life.
pub const INITIAL: u32 = 0;

/// The highest number.
pub const NUMBER_MAX: u32 = BASE.pow(DIRECTIVES.len() as u32) - 1;

/// What keys that are looked at have in common, spread over cores. Nobody else uses them.
pub const PROBES: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];

/// Tokens of changes, which are told by their numbers, begin here: far behind all others.
const TOKENS_FROM: Token = 0x0100_0000;

/// How the number is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// By CONFIG GET.
    Shown,
    /// By what it does to keys of one of [`PROBES`], in a transaction or in a script.
    Probed(usize, Form),
    /// Both at once, in a transaction.
    Together(usize),
}

/// What sets the number.
pub fn set(number: u32) -> Request {
    let (mut line, mut rest) = ("CONFIG SET".to_owned(), number);
    for name in DIRECTIVES {
        line += &format!(" {name} {}", 1 + rest % BASE);
        rest /= BASE;
    }
    split_line(&line)
}

fn get() -> Request {
    split_line(&format!("CONFIG GET {}", DIRECTIVES.join(" ")))
}

/// Commands that show the number by what it does, of which the first removes what was there.
fn probe(key: usize) -> Vec<Request> {
    let name = PROBES[key];
    let [set, hash, sorted] = ["s", "h", "z"].map(|kind| format!("{{{name}}}{kind}"));
    let steps = [
        (&set, [format!("SADD {set} 1 2"), format!("SADD {set} 3")]),
        (&hash, [format!("HSET {hash} 1 1 2 2"), format!("HSET {hash} 3 3")]),
        (&sorted, [format!("ZADD {sorted} 1 1 2 2"), format!("ZADD {sorted} 3 3")]),
    ];
    let mut lines = vec![format!("DEL {set} {hash} {sorted}")];
    for (name, adds) in steps {
        lines.extend(adds.into_iter().flat_map(|add| [add, format!("OBJECT ENCODING {name}")]));
    }
    lines.iter().map(|line| split_line(line)).collect()
}

/// Replies to the commands of a probe.
const PROBE_REPLIES: usize = 13;

/// Where in them the encodings are: of two and of three elements.
const ENCODINGS: [[usize; 2]; DIRECTIVES.len()] = [[2, 4], [6, 8], [10, 12]];

/// The same commands as a script that names no keys.
fn script(commands: &[Request]) -> Request {
    let call = |request: &Request| {
        let words = request.iter().map(|word| format!("'{}'", word.escape_ascii()));
        format!("redis.call({})", words.collect::<Vec<_>>().join(","))
    };
    let calls: Vec<String> = commands.iter().map(call).collect();
    let text = format!("return {{{}}}", calls.join(","));
    ["EVAL", &text, "0"].map(|word| word.as_bytes().to_vec()).to_vec()
}

fn transaction(commands: impl IntoIterator<Item = Request>) -> Vec<Request> {
    let begun = std::iter::once(split_line("MULTI")).chain(commands);
    begun.chain([split_line("EXEC")]).collect()
}

impl Look {
    /// What is sent.
    pub fn requests(self) -> Vec<Request> {
        match self {
            Self::Shown => vec![get()],
            Self::Probed(key, Form::BlindScript | Form::Script) => vec![script(&probe(key))],
            Self::Probed(key, _) => transaction(probe(key)),
            Self::Together(key) => transaction(std::iter::once(get()).chain(probe(key))),
        }
    }

    /// What the last reply tells.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn seen(self, reply: &Value) -> Result<Vec<Seen>, String> {
        let elements = reply.elements().unwrap_or_default();
        match (self, elements) {
            (Self::Shown, _) => Ok(vec![shown(reply)?]),
            (Self::Probed(..), replies) => Ok(vec![probed(replies)?]),
            (Self::Together(_), [get, probe @ ..]) => Ok(vec![shown(get)?, probed(probe)?]),
            (Self::Together(_), []) => Err(format!("a look was answered {reply}")),
        }
    }
}

/// What a client sends that sets the number, alone or in a transaction that looks at it, too.
pub fn change_requests(form: Form, number: u32) -> Vec<Request> {
    match form {
        Form::Transaction => {
            let probe = probe(number as usize % PROBES.len());
            transaction([set(number), get()].into_iter().chain(probe))
        }
        _ => vec![set(number)],
    }
}

/// What its last reply tells.
///
/// # Errors
/// If it was not done.
pub fn change_seen(form: Form, number: u32, reply: &Value) -> Result<Vec<Seen>, String> {
    let ok = Value::Simple("OK".to_owned());
    match (form, reply.elements()) {
        (Form::Transaction, Some([set, get, probe @ ..])) if *set == ok => {
            Ok(vec![Seen::Set(number), shown(get)?, probed(probe)?])
        }
        (Form::Transaction, _) => Err(format!("CONFIG SET in a transaction: {reply}")),
        _ if *reply == ok => Ok(vec![Seen::Set(number)]),
        _ => Err(format!("CONFIG SET was answered {reply}")),
    }
}

/// The number of some digits, each plus one, the lowest first.
fn number_of(digits: [u32; DIRECTIVES.len()]) -> u32 {
    digits.iter().rev().fold(0, |number, digit| number * BASE + (digit - 1))
}

/// The number CONFIG GET shows.
fn shown(reply: &Value) -> Result<Seen, String> {
    let told = || format!("CONFIG GET was answered {reply}");
    let fields = reply.elements().ok_or_else(told)?;
    let digit = |name: &str| {
        let at = fields.iter().position(|field| field.bytes() == Some(name.as_bytes()))?;
        let digit = std::str::from_utf8(fields.get(at + 1)?.bytes()?).ok()?.parse().ok()?;
        (1..=BASE).contains(&digit).then_some(digit)
    };
    match DIRECTIVES.map(digit) {
        [Some(one), Some(two), Some(three)] => Ok(Seen::Setting(number_of([one, two, three]))),
        _ => Err(told()),
    }
}

/// The number a probe has found.
fn probed(replies: &[Value]) -> Result<Seen, String> {
    if replies.len() != PROBE_REPLIES {
        return Err(format!("a probe was answered {} times", replies.len()));
    }
    let is_small = |at: usize| matches!(replies[at].bytes(), Some(b"intset" | b"listpack"));
    let set_is_small = |at: usize| replies[at].bytes() == Some(b"intset");
    let digit = |[two, three]: [usize; 2], is_small: &dyn Fn(usize) -> bool| {
        1 + u32::from(is_small(two)) + u32::from(is_small(three))
    };
    let [set, hash, sorted] = ENCODINGS;
    let digits = [digit(set, &set_is_small), digit(hash, &is_small), digit(sorted, &is_small)];
    Ok(Seen::Setting(number_of(digits)))
}

/// The number that is set when everything has come to rest.
///
/// # Errors
/// If the directives are not the same.
pub fn number_at_last(ask: impl FnOnce(Request) -> Result<Value, String>) -> Result<u32, String> {
    match shown(&ask(get())?)? {
        Seen::Setting(number) => Ok(number),
        other => unreachable!("CONFIG GET shows a number, not {other:?}"),
    }
}

/// Changes as tokens of a value that grows, and looks as reads of it. Returns that value in the
/// end, when `last` is the number that is set.
///
/// # Errors
/// If a number was seen that never was.
pub fn place(events: &mut [Event], last: u32) -> Result<Vec<Token>, String> {
    let mut numbers: Vec<u32> = Vec::new();
    for seen in events.iter().flat_map(|event| &event.seen) {
        if let Seen::Set(number) = seen {
            assert!(numbers.last().is_none_or(|last| last < number), "numbers ascend");
            numbers.push(*number);
        }
    }
    let known = |number: u32| number == INITIAL || numbers.contains(&number);
    let token = |number: u32| TOKENS_FROM + number;
    if last != numbers.last().copied().unwrap_or(INITIAL) {
        return Err(format!("the settings are {last} in the end; they were set to {numbers:?}"));
    }
    for event in events {
        for seen in &mut event.seen {
            match *seen {
                Seen::Set(number) => {
                    let length = numbers.iter().filter(|other| **other <= number).count();
                    *seen = Seen::Wrote(SETTINGS, token(number), Some(length));
                }
                Seen::Setting(number) if known(number) => {
                    let before = numbers.iter().filter(|other| **other <= number);
                    let tokens = before.map(|number| token(*number)).collect();
                    *seen = Seen::Read(SETTINGS, tokens);
                }
                Seen::Setting(number) => {
                    let (client, text) = (event.client, &event.text);
                    return Err(format!(
                        "client {client} saw settings of {number}, which never were: {text}"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(numbers.into_iter().map(token).collect())
}
