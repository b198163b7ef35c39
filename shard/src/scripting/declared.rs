//! Whether it can be seen from the text of a script that it touches no key but those it is given.
//!
//! Such a script never has to be given more slots, so with several cores it runs where its keys
//! are, like any command; of all others that is not known until they have run. Most short scripts
//! are of this kind: `redis.call('INCR', KEYS[1])`.
//!
//! The rule is on purpose narrow, and right whatever the script does at run time:
//!
//! * `redis` and `server` occur only as `redis.call(` and `redis.pcall(` (and as a few functions
//!   that run no command); nothing that could reach them or the globals otherwise occurs at all;
//! * each call begins with the name of a command as a plain text, of a command whose keys stand at
//!   fixed places, each of which the call fills with `KEYS[<number>]` or with a name that is bound
//!   once in the whole text, by `local name = KEYS[<number>]`;
//! * `KEYS` occurs only as `KEYS[<number>]` that is not assigned to, and as `#KEYS`.

use std::collections::HashMap;

use crate::command::{self, Command, Handler, KeyShape, flag};

/// A word of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a [u8]),
    /// A plain text without escapes.
    Text(&'a [u8]),
    /// A text with escapes, or a long one.
    OtherText,
    Number(&'a [u8]),
    /// A sign; two dots and comparisons are one.
    Sign(&'a [u8]),
}

/// Names that may lead anywhere.
const SUSPICIOUS: [&[u8]; 15] = [
    b"_G",
    b"getfenv",
    b"setfenv",
    b"load",
    b"loadstring",
    b"rawget",
    b"rawset",
    b"next",
    b"coroutine",
    b"setmetatable",
    b"getmetatable",
    b"xpcall",
    b"unpack",
    b"select",
    b"debug",
];

/// Functions of `redis` that run no command.
const HARMLESS: [&[u8]; 12] = [
    b"sha1hex",
    b"error_reply",
    b"status_reply",
    b"log",
    b"setresp",
    b"replicate_commands",
    b"set_repl",
    b"LOG_DEBUG",
    b"LOG_VERBOSE",
    b"LOG_NOTICE",
    b"LOG_WARNING",
    b"acl_check_cmd",
];

/// Whether a script touches no key but `KEYS[n]`, for all that it could do.
pub(super) fn names_only_declared_keys(code: &[u8]) -> bool {
    let Some(tokens) = tokens_of(code) else { return false };
    let Some(bound) = names_of_keys(&tokens) else { return false };
    let mut position = 0;
    while position < tokens.len() {
        match tokens[position] {
            Token::Name(name) if SUSPICIOUS.contains(&name) => return false,
            Token::Name(b"redis" | b"server") => match check_use(&tokens[position + 1..], &bound) {
                Some(len) => position += len,
                None => return false,
            },
            _ => {}
        }
        position += 1;
    }
    true
}

/// Checks what follows `redis`; how many words of it are done with.
fn check_use(rest: &[Token<'_>], bound: &HashMap<&[u8], usize>) -> Option<usize> {
    match rest {
        [Token::Sign(b"."), Token::Name(name), ..] if HARMLESS.contains(name) => Some(2),
        [Token::Sign(b"."), Token::Name(b"call" | b"pcall"), Token::Sign(b"("), rest @ ..] => {
            check_call(rest, bound).then_some(3)
        }
        _ => None,
    }
}

/// Checks the arguments of a call, which begin here.
fn check_call(rest: &[Token<'_>], bound: &HashMap<&[u8], usize>) -> bool {
    let [Token::Text(name), rest @ ..] = rest else { return false };
    let Some(row) = command::lookup(name) else { return false };
    let Some((first, step_end)) = key_places(row) else { return false };
    let arguments = split(rest);
    match (first, step_end) {
        (0, _) => true,
        (first, KeyEnd::One) => {
            arguments.get(first - 1).is_some_and(|argument| is_key(argument, bound))
        }
        (first, KeyEnd::All(step)) => {
            let keys = arguments.iter().skip(first - 1).step_by(step);
            keys.clone().count() > 0 && keys.clone().all(|argument| is_key(argument, bound))
        }
    }
}

enum KeyEnd {
    One,
    All(usize),
}

/// Where the keys of a command stand, if that is always the same: the first (0 for none), and what
/// follows.
fn key_places(row: &Command) -> Option<(usize, KeyEnd)> {
    let is_plain = matches!(row.handler, Some(Handler::Keys(_)))
        && !row.reaches_unnamed_keys()
        && !row.flags.contains(flag::NOSCRIPT)
        && !row.flags.contains(flag::MOVABLEKEYS);
    match (row.key_shape, row.handler) {
        (KeyShape::None, Some(Handler::Session(_))) if row.flags.contains(flag::AT_HOME) => {
            Some((0, KeyEnd::One))
        }
        (KeyShape::FirstKey(first), _) if is_plain => Some((usize::from(first), KeyEnd::One)),
        (KeyShape::AllFrom(first), _) if is_plain => Some((usize::from(first), KeyEnd::All(1))),
        (KeyShape::Step { first, step }, _) if is_plain => {
            Some((usize::from(first), KeyEnd::All(usize::from(step))))
        }
        _ => None,
    }
}

/// The arguments up to the end of the call, the first of which has been read.
fn split<'t, 'a>(rest: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut arguments = Vec::new();
    let (mut depth, mut start) = (0, None);
    for (index, token) in rest.iter().enumerate() {
        let is_end = match token {
            Token::Sign(b"(" | b"[" | b"{") => {
                depth += 1;
                false
            }
            Token::Sign(b")" | b"]" | b"}") if depth > 0 => {
                depth -= 1;
                false
            }
            Token::Sign(b")") => true,
            Token::Sign(b",") if depth == 0 => {
                arguments.extend(start.map(|start| &rest[start..index]));
                start = Some(index + 1);
                continue;
            }
            _ => false,
        };
        if is_end {
            arguments.extend(start.map(|start| &rest[start..index]));
            break;
        }
    }
    arguments
}

fn is_key(argument: &[Token<'_>], bound: &HashMap<&[u8], usize>) -> bool {
    match argument {
        [Token::Name(b"KEYS"), Token::Sign(b"["), Token::Number(_), Token::Sign(b"]")] => true,
        [Token::Name(name)] => bound.contains_key(name),
        _ => false,
    }
}

/// Names that stand for a key wherever they occur, with how often they occur. None if `KEYS` is
/// used otherwise than it may be.
fn names_of_keys<'a>(tokens: &[Token<'a>]) -> Option<HashMap<&'a [u8], usize>> {
    let mut bound: HashMap<&[u8], usize> = HashMap::new();
    for (index, token) in tokens.iter().enumerate() {
        if *token != Token::Name(b"KEYS") {
            continue;
        }
        let is_counted = index > 0 && tokens[index - 1] == Token::Sign(b"#");
        let after = match tokens.get(index + 1..) {
            Some([Token::Sign(b"["), Token::Number(_), Token::Sign(b"]"), after @ ..]) => after,
            _ if is_counted => continue,
            _ => return None,
        };
        if after.first() == Some(&Token::Sign(b"=")) {
            return None;
        }
        let goes_on = matches!(after.first(), Some(Token::Sign(sign)) if *sign != b";");
        if let [.., Token::Name(b"local"), Token::Name(name), Token::Sign(b"=")] = tokens[..index]
            && !goes_on
        {
            bound.insert(name, 0);
        }
    }
    bound.retain(|name, _| is_bound_once(tokens, name));
    Some(bound)
}

/// Whether a name is given a value by one `local name =` and nowhere else.
fn is_bound_once(tokens: &[Token<'_>], name: &[u8]) -> bool {
    let mut locals = 0;
    for (index, token) in tokens.iter().enumerate() {
        if *token != Token::Name(name) {
            continue;
        }
        let before = index.checked_sub(1).map(|before| tokens[before]);
        let after = tokens.get(index + 1);
        match (before, after) {
            (Some(Token::Name(b"local")), Some(Token::Sign(b"="))) => locals += 1,
            // Assigned to, in a list of names, a parameter, the variable of a loop, a field.
            (_, Some(Token::Sign(b"="))) => return false,
            (Some(Token::Name(b"local" | b"for" | b"function")), _) => return false,
            (_, Some(Token::Name(b"in"))) => return false,
            (Some(Token::Sign(b".")), _) => {}
            _ => {}
        }
    }
    locals == 1 && !is_in_name_list(tokens, name)
}

/// Whether a name stands in a list that binds several: `local a, name`, `a, name = ...`,
/// `function (a, name)`, `for a, name in`.
fn is_in_name_list(tokens: &[Token<'_>], name: &[u8]) -> bool {
    let mut index = 0;
    while index < tokens.len() {
        let opens = match tokens[index] {
            Token::Name(b"local" | b"for") => true,
            Token::Name(b"function") => {
                while index < tokens.len() && tokens[index] != Token::Sign(b"(") {
                    index += 1;
                }
                true
            }
            _ => false,
        };
        index += 1;
        if opens {
            let mut names = 0;
            let mut holds = false;
            while let Some(Token::Name(one)) = tokens.get(index) {
                names += 1;
                holds |= *one == name;
                index += 1;
                if tokens.get(index) != Some(&Token::Sign(b",")) {
                    break;
                }
                index += 1;
            }
            let is_plain_local = names == 1 && tokens.get(index) == Some(&Token::Sign(b"="));
            if holds && !is_plain_local {
                return true;
            }
        }
    }
    // `a, name = ...`
    tokens.windows(3).any(|three| {
        matches!(three, [Token::Name(one), Token::Sign(b","), Token::Name(other)]
            if *one == name || *other == name)
            && is_assignment_list(tokens, three.as_ptr())
    })
}

/// Whether the names that begin at `start` are the left side of an assignment.
fn is_assignment_list<'a>(tokens: &[Token<'a>], start: *const Token<'a>) -> bool {
    let Some(mut index) = tokens.iter().position(|token| std::ptr::eq(token, start)) else {
        return true;
    };
    while let (Some(Token::Name(_)), Some(Token::Sign(b","))) =
        (tokens.get(index), tokens.get(index + 1))
    {
        index += 2;
    }
    tokens.get(index + 1) == Some(&Token::Sign(b"="))
}

/// The words of a script, comments left out. None if it is not read with certainty.
fn tokens_of(code: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let count = |test: fn(&u8) -> bool| rest.iter().take_while(|byte| test(byte)).count();
        let len = match rest[0] {
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'-' if rest.starts_with(b"--[") => return None,
            b'-' if rest.starts_with(b"--") => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            b'[' if matches!(rest.get(1), Some(b'[' | b'=')) => return None,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len = count(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
                tokens.push(Token::Name(&rest[..len]));
                len
            }
            b'0'..=b'9' => {
                let len = count(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
                tokens.push(Token::Number(&rest[..len]));
                len
            }
            quote @ (b'"' | b'\'') => {
                let len = text_len(rest, quote)?;
                let text = &rest[1..len - 1];
                let is_plain = !text.contains(&b'\\');
                tokens.push(if is_plain { Token::Text(text) } else { Token::OtherText });
                len
            }
            b'.' | b'=' | b'~' | b'<' | b'>' => {
                let len = count(|byte| matches!(byte, b'.' | b'=' | b'~' | b'<' | b'>'));
                tokens.push(Token::Sign(&rest[..len]));
                len
            }
            byte if byte.is_ascii_punctuation() => {
                tokens.push(Token::Sign(&rest[..1]));
                1
            }
            _ => return None,
        };
        at += len;
    }
    Some(tokens)
}

/// Length of a text in quotes, both included.
fn text_len(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'\\' => at += 2,
            b'\n' => return None,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::names_only_declared_keys;

    #[test]
    fn scripts_that_keep_to_their_keys_are_seen() {
        for code in [
            "return redis.call('GET', KEYS[1])",
            "local n = redis.call('INCR', KEYS[1]) if n == 1 then \
             redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n",
            "local key = KEYS[1]; return redis.pcall(\"set\", key, ARGV[1] .. 'x')",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end",
            "return redis.call('mset', KEYS[1], ARGV[1], KEYS[2], 'b')",
            "local t = redis.call('TIME') return t[1]",
            "-- a comment\nreturn redis.call('del', KEYS[1], KEYS[2])",
            "return 1",
        ] {
            assert!(names_only_declared_keys(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn scripts_that_may_reach_others_are_seen_as_such() {
        for code in [
            "return redis.call('GET', ARGV[1])",
            "return redis.call('GET', KEYS[1] .. ':x')",
            "return redis.call(ARGV[1], KEYS[1])",
            "local call = redis.call return call('GET', 'x')",
            "local r = redis return r.call('GET', 'x')",
            "return redis['call']('GET', 'x')",
            "KEYS[1] = 'other' return redis.call('GET', KEYS[1])",
            "local K = KEYS K[1] = 'x' return redis.call('GET', KEYS[1])",
            "table.insert(KEYS, 1, 'x') return redis.call('GET', KEYS[1])",
            "local key = KEYS[1] key = 'x' return redis.call('GET', key)",
            "local key = KEYS[1] for key in pairs({x=1}) do redis.call('GET', key) end",
            "local key = KEYS[1] local function f(key) return redis.call('GET', key) end",
            "local key = KEYS[1] local a, key = 1, 'x' return redis.call('GET', key)",
            "local key = KEYS[1] local a a, key = 1, 'x' return redis.call('GET', key)",
            "local key = KEYS[1] .. 'x' return redis.call('GET', key)",
            "local key = KEYS[1] local key = 'x' return redis.call('GET', key)",
            "return redis.call('sort', KEYS[1], 'by', 'w_*')",
            "return redis.call('eval', 'return 1', 0)",
            "return redis.call('keys', '*')",
            "return redis.call('dbsize')",
            "return _G.redis.call('GET', 'x')",
            "return redis.call('mset', KEYS[1], ARGV[1], ARGV[2], 'b')",
            "return redis.call('zunionstore', KEYS[1], 1, KEYS[2])",
            "return redis.call 'GET'",
            "return loadstring('return 1')()",
            "--[[ x ]] return redis.call('GET', KEYS[1])",
            "return redis.call('mget', KEYS[1], unpack(ARGV))",
        ] {
            assert!(!names_only_declared_keys(code.as_bytes()), "{code}");
        }
    }
}
