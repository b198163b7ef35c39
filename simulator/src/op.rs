//! What clients of a simulation do, as requests, and what its replies tell.
//!
//! Values only grow: each write appends a token that no other write has, and every reply says where
//! (the new length) or what was there (the whole value). So the order of all writes of a key is
//! known in the end, and every read and write has its place in it, without any search; see
//! [`crate::history`] for what follows from that. Strings grow by APPEND, lists by RPUSH.
//!
//! Queues are lists that tokens are pushed to, moved between and popped from, mostly by clients
//! that wait; a token comes out once.
//!
//! What a user may do grows as well: each grant adds a pattern of keys, which is a token.

use crate::Request;
use crate::reform::{self, Look};
use crate::resp::split_line;
use crate::value::Value;

/// What one write appends. No two are the same in a simulation.
pub type Token = u32;

/// Digits of a token.
const TOKEN_DIGITS: usize = 5;

/// Keys of values that grow: those at even places are strings, the others lists. Some share a slot.
pub const KEYS: [&str; 8] = ["a", "b", "c", "d", "{c}e", "{d}f", "g", "h"];

/// The rights of a user, as one more value that grows.
pub const RIGHTS: usize = KEYS.len();

/// What is set by CONFIG SET, as another; see [`crate::reform`].
pub const SETTINGS: usize = RIGHTS + 1;

/// Lists that tokens go through. They move to higher ones only.
pub const QUEUES: [&str; 3] = ["q", "r", "s"];

/// Channels of messages.
pub const CHANNELS: [&str; 2] = ["news", "talk"];

/// What a command wants of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// All of it.
    Read,
    /// To append this.
    Write(Token),
}

/// One command of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Which of [`KEYS`].
    pub key: usize,
    /// What for.
    pub want: Want,
}

/// How several accesses are made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A single command: one access, or an MGET of strings.
    Plain,
    /// MULTI and EXEC.
    Transaction,
    /// The same, behind a WATCH and a read of the first key.
    Watched,
    /// EVAL with all keys named.
    Script,
    /// EVAL that names no key.
    BlindScript,
}

/// What a client does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Accesses that happen at one moment.
    Unit(Form, Vec<Access>),
    /// Feeds one of [`QUEUES`].
    Push(usize, Token),
    /// Takes from the first of these that has something; waits so many milliseconds.
    Pop(Vec<usize>, u32),
    /// Takes from one and feeds another; waits so many milliseconds, if at all.
    Move(usize, usize, Option<u32>),
    /// Tells a channel.
    Publish(usize, Token),
    /// Begins a snapshot.
    Save,
    /// Gives a user one more right.
    Grant(Token),
    /// Looks at the rights of that user.
    Rights,
    /// Sets what is configured to a number, in some form.
    Reform(Form, u32),
    /// Looks at that number.
    Settings(Look),
    /// Does nothing for so many milliseconds.
    Pause(u32),
    /// Goes away, whatever is under way, and comes back as another client.
    Quit,
    /// Any commands, made one in some form.
    Any(Form, Vec<Request>),
    /// Does something that nobody of the others may notice.
    Aside(String),
}

/// Something a unit has done or seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It appended a token, which made the value so many tokens long; unknown while its reply is.
    Wrote(usize, Token, Option<usize>),
    /// The value was this.
    Read(usize, Vec<Token>),
    /// It put a token into a queue.
    Fed(usize, Token),
    /// It took one out.
    Took(usize, Token),
    /// It has taken one out of the first of these, and nobody was told, or nothing.
    MayHaveTaken(Vec<usize>),
    /// It has moved one from here to there, and nobody was told, or nothing.
    MayHaveMoved(usize, usize),
    /// It told a channel, and so many heard of it.
    Told(usize, Token, Option<i64>),
    /// It had received so many messages of a channel when its reply came.
    Heard(usize, usize),
    /// A snapshot was begun.
    Saved,
    /// It set what is configured to a number ...
    Set(u32),
    /// ... and saw that it was this one.
    Setting(u32),
}

/// What became of an operation: what each of its moments did and saw, in order.
pub type Moments = Vec<Vec<Seen>>;

/// A token as it is written.
pub fn token_text(token: Token) -> String {
    format!("{token:0TOKEN_DIGITS$x}")
}

/// A token as it was read.
///
/// # Errors
/// If it is none.
pub fn token_of(bytes: &[u8]) -> Result<Token, String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() == TOKEN_DIGITS);
    let token = text.and_then(|text| Token::from_str_radix(text, 16).ok());
    token.ok_or_else(|| format!("{} is no token", bytes.escape_ascii()))
}

/// What a value that grows is called.
pub fn name_of(key: usize) -> &'static str {
    let other = if key == RIGHTS { "the user" } else { "the configuration" };
    KEYS.get(key).copied().unwrap_or(other)
}

/// The tokens among the rights of the user, as ACL GETUSER shows them.
///
/// # Errors
/// If there are none of the kind.
pub fn rights_of(reply: &Value) -> Result<Vec<Token>, String> {
    let fields = reply.elements().unwrap_or_default();
    let at = fields.iter().position(|field| field.bytes() == Some(b"keys"));
    let patterns = at.and_then(|at| fields.get(at + 1)?.bytes());
    let patterns = patterns.ok_or_else(|| format!("ACL GETUSER was answered {reply}"))?;
    let words = patterns.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.map(|word| token_of(word.strip_prefix(b"~").unwrap_or(word))).collect()
}

/// Whether the value of a key is a string.
pub fn is_string(key: usize) -> bool {
    key.is_multiple_of(2)
}

/// The tokens in a value as a reply shows it.
///
/// # Errors
/// If it is none.
pub fn tokens_of(key: usize, value: &Value) -> Result<Vec<Token>, String> {
    match value {
        Value::Bulk(None) if is_string(key) => Ok(Vec::new()),
        Value::Bulk(Some(bytes)) if is_string(key) => {
            bytes.chunks(TOKEN_DIGITS).map(token_of).collect()
        }
        Value::Array(Some(elements)) if !is_string(key) => {
            let token = |element: &Value| token_of(element.bytes().unwrap_or_default());
            elements.iter().map(token).collect()
        }
        other => Err(format!("{} has the value {other}", KEYS[key])),
    }
}

impl Access {
    /// The words of its command, with the key and the token as the caller wants to write them.
    fn words(self, key: String, token: impl FnOnce(String) -> String) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match (self.want, is_string(self.key)) {
            (Want::Read, true) => words(&["GET", &key]),
            (Want::Read, false) => words(&["LRANGE", &key, "0", "-1"]),
            (Want::Write(of), true) => words(&["APPEND", &key, &token(token_text(of))]),
            (Want::Write(of), false) => words(&["RPUSH", &key, &token(token_text(of))]),
        }
    }

    fn line(self) -> String {
        self.words(KEYS[self.key].to_owned(), |token| token).join(" ")
    }

    /// What its reply tells.
    fn seen(self, reply: &Value) -> Result<Seen, String> {
        match (self.want, reply) {
            (Want::Read, value) => Ok(Seen::Read(self.key, tokens_of(self.key, value)?)),
            (Want::Write(token), Value::Integer(length)) => {
                let unit = if is_string(self.key) { TOKEN_DIGITS } else { 1 };
                Ok(Seen::Wrote(self.key, token, Some(*length as usize / unit)))
            }
            (Want::Write(_), other) => Err(format!("{} was answered {other}", self.line())),
        }
    }
}

/// A script that does what `accesses` say, with keys named or not.
fn script(accesses: &[Access], names_keys: bool) -> Request {
    let (mut calls, mut keys, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
    for access in accesses {
        let name = KEYS[access.key].to_owned();
        let key = if names_keys {
            keys.push(name);
            format!("KEYS[{}]", keys.len())
        } else {
            arguments.push(name);
            format!("ARGV[{}]", arguments.len())
        };
        let words = access.words(key, |token| {
            arguments.push(token);
            format!("ARGV[{}]", arguments.len())
        });
        let quoted = words.iter().map(|word| match word.contains('[') {
            true => word.clone(),
            false => format!("'{word}'"),
        });
        calls.push(format!("redis.call({})", quoted.collect::<Vec<_>>().join(",")));
    }
    let text = format!("return {{{}}}", calls.join(","));
    let head = ["EVAL".to_owned(), text, keys.len().to_string()];
    head.into_iter().chain(keys).chain(arguments).map(String::into_bytes).collect()
}

fn seconds(ms: u32) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

impl Op {
    /// The same, but that it waits for keys for so many milliseconds at most.
    pub fn hastened(&self, ms_max: u32) -> Self {
        match self.clone() {
            Self::Pop(queues, ms) => Self::Pop(queues, ms.min(ms_max)),
            Self::Move(from, to, Some(ms)) => Self::Move(from, to, Some(ms.min(ms_max))),
            other => other,
        }
    }

    /// What the client sends for it, at once.
    pub fn requests(&self) -> Vec<Request> {
        let line = |text: String| split_line(&text);
        match self {
            Self::Unit(Form::Plain, accesses) if accesses.len() > 1 => {
                let names: Vec<&str> = accesses.iter().map(|access| KEYS[access.key]).collect();
                vec![line(format!("MGET {}", names.join(" ")))]
            }
            Self::Unit(Form::Plain, accesses) => vec![line(accesses[0].line())],
            Self::Unit(form @ (Form::Transaction | Form::Watched), accesses) => {
                let mut requests = Vec::new();
                if *form == Form::Watched {
                    requests.push(line(format!("WATCH {}", KEYS[accesses[0].key])));
                    let read = Access { want: Want::Read, ..accesses[0] };
                    requests.push(line(read.line()));
                }
                requests.push(line("MULTI".to_owned()));
                requests.extend(accesses.iter().map(|access| line(access.line())));
                requests.push(line("EXEC".to_owned()));
                requests
            }
            Self::Unit(Form::Script, accesses) => vec![script(accesses, true)],
            Self::Unit(Form::BlindScript, accesses) => vec![script(accesses, false)],
            Self::Push(queue, token) => {
                vec![line(format!("RPUSH {} {}", QUEUES[*queue], token_text(*token)))]
            }
            Self::Pop(queues, ms) => {
                let names: Vec<&str> = queues.iter().map(|queue| QUEUES[*queue]).collect();
                vec![line(format!("BLPOP {} {}", names.join(" "), seconds(*ms)))]
            }
            Self::Move(from, to, None) => {
                vec![line(format!("LMOVE {} {} LEFT RIGHT", QUEUES[*from], QUEUES[*to]))]
            }
            Self::Move(from, to, Some(ms)) => {
                let (from, to) = (QUEUES[*from], QUEUES[*to]);
                vec![line(format!("BLMOVE {from} {to} LEFT RIGHT {}", seconds(*ms)))]
            }
            Self::Publish(channel, token) => {
                vec![line(format!("PUBLISH {} {}", CHANNELS[*channel], token_text(*token)))]
            }
            Self::Save => vec![line("BGSAVE".to_owned())],
            Self::Grant(token) => vec![line(format!("ACL SETUSER guest ~{}", token_text(*token)))],
            Self::Rights => vec![line("ACL GETUSER guest".to_owned())],
            Self::Reform(form, number) => reform::change_requests(*form, *number),
            Self::Settings(look) => look.requests(),
            Self::Pause(_) | Self::Quit => Vec::new(),
            Self::Any(form, requests) => together(*form, requests),
            Self::Aside(text) => vec![line(text.clone())],
        }
    }

    /// The queues it waits for, if it waits.
    pub fn queues_waited_for(&self) -> &[usize] {
        match self {
            Self::Pop(queues, _) => queues,
            Self::Move(from, _, Some(_)) => std::slice::from_ref(from),
            _ => &[],
        }
    }

    /// What it would do if it was done, for one whose replies nobody has seen.
    pub fn unanswered(&self) -> Moments {
        match self {
            Self::Unit(form, accesses) => {
                let wrote = accesses.iter().filter_map(|access| match access.want {
                    Want::Write(token) => Some(Seen::Wrote(access.key, token, None)),
                    Want::Read => None,
                });
                let exec = wrote.collect();
                if *form == Form::Watched { vec![Vec::new(), exec] } else { vec![exec] }
            }
            Self::Push(queue, token) => vec![vec![Seen::Fed(*queue, *token)]],
            Self::Publish(channel, token) => vec![vec![Seen::Told(*channel, *token, None)]],
            Self::Pop(queues, _) => vec![vec![Seen::MayHaveTaken(queues.clone())]],
            Self::Move(from, to, _) => vec![vec![Seen::MayHaveMoved(*from, *to)]],
            Self::Grant(token) => vec![vec![Seen::Wrote(RIGHTS, *token, None)]],
            Self::Save | Self::Rights | Self::Pause(_) | Self::Quit => vec![Vec::new()],
            Self::Reform(_, number) => vec![vec![Seen::Set(*number)]],
            Self::Settings(_) | Self::Any(..) | Self::Aside(_) => vec![Vec::new()],
        }
    }

    /// What the replies to its requests tell.
    ///
    /// # Errors
    /// If they are not what may be answered.
    pub fn moments(&self, replies: &[Value]) -> Result<Moments, String> {
        let last = replies.last().expect("an operation has requests");
        if replies.iter().any(is_refusal) {
            // Refused as a whole: nothing was done.
            return Ok(vec![Vec::new()]);
        }
        match self {
            Self::Unit(form, accesses) => unit_moments(*form, accesses, replies),
            Self::Push(queue, token) => match last {
                Value::Integer(_) => Ok(vec![vec![Seen::Fed(*queue, *token)]]),
                other => Err(format!("RPUSH was answered {other}")),
            },
            Self::Pop(..) => match last.elements() {
                None if *last == Value::Array(None) => Ok(vec![Vec::new()]),
                Some([queue, token]) => {
                    let token = token_of(token.bytes().unwrap_or_default())?;
                    let name = queue.bytes().unwrap_or_default();
                    let queue = QUEUES.iter().position(|other| other.as_bytes() == name);
                    let queue = queue.ok_or_else(|| format!("BLPOP was answered {last}"))?;
                    Ok(vec![vec![Seen::Took(queue, token)]])
                }
                _ => Err(format!("BLPOP was answered {last}")),
            },
            Self::Move(from, to, _) => match last {
                Value::Bulk(None) | Value::Array(None) => Ok(vec![Vec::new()]),
                Value::Bulk(Some(token)) => {
                    let token = token_of(token)?;
                    Ok(vec![vec![Seen::Took(*from, token), Seen::Fed(*to, token)]])
                }
                other => Err(format!("LMOVE was answered {other}")),
            },
            Self::Publish(channel, token) => match last {
                Value::Integer(count) => Ok(vec![vec![Seen::Told(*channel, *token, Some(*count))]]),
                other => Err(format!("PUBLISH was answered {other}")),
            },
            Self::Save => match last {
                Value::Simple(_) => Ok(vec![vec![Seen::Saved]]),
                _ => Ok(vec![Vec::new()]),
            },
            Self::Grant(token) => match last {
                Value::Simple(_) => Ok(vec![vec![Seen::Wrote(RIGHTS, *token, None)]]),
                other => Err(format!("ACL SETUSER was answered {other}")),
            },
            Self::Rights => Ok(vec![vec![Seen::Read(RIGHTS, rights_of(last)?)]]),
            Self::Reform(form, number) => Ok(vec![reform::change_seen(*form, *number, last)?]),
            Self::Settings(look) => Ok(vec![look.seen(last)?]),
            Self::Pause(_) | Self::Quit | Self::Any(..) | Self::Aside(_) => Ok(vec![Vec::new()]),
        }
    }
}

/// Any commands as one.
fn together(form: Form, requests: &[Request]) -> Vec<Request> {
    match form {
        Form::Plain => requests.to_vec(),
        Form::Transaction | Form::Watched => {
            let (multi, exec) = (split_line("MULTI"), split_line("EXEC"));
            [vec![multi], requests.to_vec(), vec![exec]].concat()
        }
        Form::Script | Form::BlindScript => {
            let mut text = String::new();
            let mut end = 0;
            for request in requests {
                let start = end + 1;
                end += request.len();
                text += &format!("redis.pcall(unpack(ARGV,{start},{end})) ");
            }
            let head = ["EVAL", &text, "0"].map(|word| word.as_bytes().to_vec());
            vec![head.into_iter().chain(requests.concat()).collect()]
        }
    }
}

/// Whether a reply says that the server takes no writes at present.
pub fn is_refusal(reply: &Value) -> bool {
    let words = ["MISCONF", "EXECABORT", "OOM"];
    matches!(reply, Value::Error(text) if words.iter().any(|word| text.starts_with(word)))
}

fn unit_moments(form: Form, accesses: &[Access], replies: &[Value]) -> Result<Moments, String> {
    let last = replies.last().expect("an operation has requests");
    let answers = match form {
        Form::Plain if accesses.len() == 1 => std::slice::from_ref(last),
        Form::Watched if *last == Value::Array(None) => {
            let read = Access { want: Want::Read, ..accesses[0] };
            return Ok(vec![vec![read.seen(&replies[1])?], Vec::new()]);
        }
        _ => last.elements().ok_or_else(|| format!("{form:?} was answered {last}"))?,
    };
    if answers.len() != accesses.len() {
        return Err(format!("{form:?} of {} commands was answered {last}", accesses.len()));
    }
    let seen = accesses.iter().zip(answers).map(|(access, reply)| access.seen(reply));
    let seen: Vec<Seen> = seen.collect::<Result<_, _>>()?;
    if form != Form::Watched {
        return Ok(vec![seen]);
    }
    let read = Access { want: Want::Read, ..accesses[0] }.seen(&replies[1])?;
    let (Seen::Read(_, before), Seen::Wrote(_, _, Some(length))) = (&read, &seen[0]) else {
        return Err("a watched transaction writes its first key".to_owned());
    };
    if before.len() + 1 != *length {
        let key = KEYS[accesses[0].key];
        let grown = length - 1;
        return Err(format!(
            "{key} had {} tokens when it was watched, and {grown} when EXEC ran",
            before.len()
        ));
    }
    Ok(vec![vec![read], seen])
}

impl std::fmt::Display for Op {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pause(ms) => return write!(formatter, "(waits {ms} ms)"),
            Self::Quit => return formatter.write_str("(goes away)"),
            _ => {}
        }
        let requests = self.requests();
        let shown: Vec<String> =
            requests.iter().map(|request| crate::resp::show_request(request)).collect();
        formatter.write_str(&shown.join("; "))
    }
}
