//! The language of command templates.
//!
//! ```text
//! HSET hash:__key__ (field:__i__ __value__)*10
//! ```
//!
//! Words are separated by blanks; quotes hold a word together. Inside a word,
//!
//! | placeholder | becomes |
//! |---|---|
//! | `__key__` | a key, drawn anew at each place |
//! | `__value__` | the payload; alone in its word when its size varies |
//! | `__rand_int__` | 12 digits, uniform below the number of keys |
//! | `__rand:LOW-HIGH__` | a uniform number in this range, padded with zeros to HIGH's width |
//! | `__i__` | within a group, the number of the repetition from 0, padded alike |
//!
//! and `( words )*N` repeats words. A group is no loop: it is written out when the template is
//! read. A `;` between two words ends a command: what follows is another one of the same request.

use crate::args::usage;
use crate::error::Outcome;
use crate::keys::shape::digits_of;

/// Repetitions of one group; more would be a request no server takes.
const REPEAT_MAX: u64 = 100_000;

/// Part of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes as they are.
    Literal(Vec<u8>),
    /// `__key__`
    Key,
    /// `__value__`
    Value,
    /// `__rand_int__`
    KeyNumber,
    /// `__rand:LOW-HIGH__`, both included.
    Number {
        /// Smallest.
        low: u64,
        /// Largest.
        high: u64,
    },
}

/// One argument of a command.
pub(crate) type Argument = Vec<Piece>;

/// Reads a template: its commands, one or more. The first argument of each is its name.
pub(crate) fn parse(text: &str) -> Outcome<Vec<Vec<Argument>>> {
    split_words(text)?.split(|word| word == ";").map(parse_command).collect()
}

fn parse_command(words: &[String]) -> Outcome<Vec<Argument>> {
    let mut arguments = Vec::new();
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        match group(rest)? {
            Some((body, count, consumed)) => {
                for index in 0..count {
                    for word in &body {
                        arguments.push(parse_word(word, Some((index, count)))?);
                    }
                }
                rest = &rest[consumed..];
            }
            None => {
                arguments.push(parse_word(first, None)?);
                rest = after;
            }
        }
    }
    if arguments.is_empty() {
        return Err(usage("a command template must not be empty"));
    }
    Ok(arguments)
}

fn split_words(text: &str) -> Outcome<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(usage(format!("template '{text}' has an open quote")));
    }
    words.extend(word);
    Ok(words)
}

/// If a group starts here: its words, how often, and how many words it takes up. A bracket that
/// nothing closes is an ordinary letter, as in `ZRANGEBYSCORE z (1 2`.
fn group(words: &[String]) -> Outcome<Option<(Vec<String>, u64, usize)>> {
    if !words[0].starts_with('(') {
        return Ok(None);
    }
    let closing = words.iter().position(|word| {
        let count = word.rsplit_once(")*").map(|(_, count)| count);
        count.is_some_and(|count| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
    });
    let Some(last) = closing else { return Ok(None) };
    let mut body = words[..=last].to_vec();
    let (word, count) = words[last].rsplit_once(")*").expect("the closing word was found by it");
    let count = count.parse().ok().filter(|count| (1..=REPEAT_MAX).contains(count));
    let count = count.ok_or_else(|| usage(format!("repeat count in '{}'", words[last])))?;
    body[last] = word.to_owned();
    body[0] = body[0].split_off(1);
    body.retain(|word| !word.is_empty());
    Ok(Some((body, count, last + 1)))
}

fn parse_word(word: &str, repetition: Option<(u64, u64)>) -> Outcome<Argument> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(start) = rest.find("__") {
        let Some(len) = rest[start + 2..].find("__") else { break };
        let name = &rest[start + 2..start + 2 + len];
        let Some(piece) = placeholder(name, repetition)? else {
            // Not ours: keep the two underscores and look behind them.
            push_literal(&mut pieces, &rest[..start + 2]);
            rest = &rest[start + 2..];
            continue;
        };
        push_literal(&mut pieces, &rest[..start]);
        match piece {
            Piece::Literal(bytes) => push_bytes(&mut pieces, &bytes),
            piece => pieces.push(piece),
        }
        rest = &rest[start + len + 4..];
    }
    push_literal(&mut pieces, rest);
    Ok(pieces)
}

fn placeholder(name: &str, repetition: Option<(u64, u64)>) -> Outcome<Option<Piece>> {
    let piece = match (name, repetition) {
        ("key", _) => Piece::Key,
        ("value", _) => Piece::Value,
        ("rand_int", _) => Piece::KeyNumber,
        ("i", Some((index, count))) => {
            let width = digits_of(count - 1);
            Piece::Literal(format!("{index:0width$}").into_bytes())
        }
        _ => match name.strip_prefix("rand:") {
            Some(range) => number_range(range)?,
            None => return Ok(None),
        },
    };
    Ok(Some(piece))
}

fn number_range(range: &str) -> Outcome<Piece> {
    let ends = range.split_once('-');
    let ends = ends.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match ends {
        Some((low, high)) if low <= high && high < u64::MAX => Ok(Piece::Number { low, high }),
        _ => Err(usage(format!("'__rand:{range}__' is not __rand:LOW-HIGH__"))),
    }
}

fn push_literal(pieces: &mut Argument, text: &str) {
    push_bytes(pieces, text.as_bytes());
}

fn push_bytes(pieces: &mut Argument, bytes: &[u8]) {
    match pieces.last_mut() {
        _ if bytes.is_empty() => {}
        Some(Piece::Literal(literal)) => literal.extend_from_slice(bytes),
        _ => pieces.push(Piece::Literal(bytes.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.as_bytes().to_vec())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&[Piece]]) {
        assert_eq!(parse(text).expect("a template"), [expected], "{text}");
    }

    #[test]
    fn words_quotes_and_placeholders() {
        check("PING", &[&[literal("PING")]]);
        check("GET __key__", &[&[literal("GET")], &[Piece::Key]]);
        check(
            "SET a:__key__:b \"x y\" '' __value__",
            &[
                &[literal("SET")],
                &[literal("a:"), Piece::Key, literal(":b")],
                &[literal("x y")],
                &[],
                &[Piece::Value],
            ],
        );
        check(
            "X __rand:10-99__.__rand_int__",
            &[
                &[literal("X")],
                &[Piece::Number { low: 10, high: 99 }, literal("."), Piece::KeyNumber],
            ],
        );
        check("X __other__ a__b", &[&[literal("X")], &[literal("__other__")], &[literal("a__b")]]);
    }

    #[test]
    fn groups_are_written_out() {
        check(
            "H (f:__i__ __value__)*2 z",
            &[
                &[literal("H")],
                &[literal("f:0")],
                &[Piece::Value],
                &[literal("f:1")],
                &[Piece::Value],
                &[literal("z")],
            ],
        );
        let eleven = parse("H (__i__)*11").expect("a template").remove(0);
        assert_eq!(eleven[1], [literal("00")]);
        assert_eq!(eleven[11], [literal("10")]);
        check("Z (1 (2", &[&[literal("Z")], &[literal("(1")], &[literal("(2")]]);
    }

    #[test]
    fn one_request_may_be_several_commands() {
        let commands = parse("MULTI ; SET __key__ a;b ; EXEC").expect("a template");
        let lengths: Vec<usize> = commands.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 3, 1]);
        assert_eq!(commands[1][2], [literal("a;b")]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "  ",
            "; GET a",
            "GET a ;",
            "GET 'a",
            "X (a)*0",
            "X (a)*999999999",
            "X __rand:9-1__",
            "X __rand:__",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
