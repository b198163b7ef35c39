//! The argument tree of COMMAND DOCS, read from the syntax line of a row.
//!
//! Clients and redis-cli use the tree for hints and completion. A row holds only the line a reader
//! would like to see; the tree follows from it:
//!
//! ```text
//! key value [NX|XX] [EX seconds|KEEPTTL] [GET pattern [GET pattern ...]]
//!
//! key         key, spec 0
//! value       string
//! condition   oneof, optional:  NX pure-token, XX pure-token
//! expiration  oneof, optional:  EX seconds integer, KEEPTTL pure-token
//! pattern     pattern with token GET, optional, multiple, multiple_token
//! ```
//!
//! Notation:
//!
//! * `name` is a value, `NAME` a token; `* $ = ~ ""` are tokens too;
//! * `[...]` is optional, `<...>` required, `|` separates choices;
//! * `x [x ...]` repeats `x`, which may be several items or, filling a whole group, its choices;
//! * a token takes the values behind it: one directly, several as a block.
//!
//! What a line cannot say (types, names of groups) comes from the tables in
//! [`syntax_names`](super::syntax_names). Lines are ours, so a malformed one is a broken invariant
//! and panics; a test parses them all. Cost: O(length * depth), with allocation; only COMMAND DOCS
//! pays it.

use std::borrow::Cow;

use super::row::Command;
use super::syntax_names::{group_name, key_spec_of, token_name, value_type};

/// What kind of thing an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// Any bytes.
    String,
    /// A whole number.
    Integer,
    /// A decimal number.
    Double,
    /// A key name.
    Key,
    /// A glob pattern.
    Pattern,
    /// A Unix time.
    UnixTime,
    /// A word that stands for itself.
    PureToken,
    /// One of the arguments below it.
    OneOf,
    /// All of the arguments below it.
    Block,
}

impl ArgumentType {
    /// The name COMMAND DOCS shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

/// An argument or a group of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it is.
    pub kind: ArgumentType,
    /// The word in front of it, or the word that it is.
    pub token: Option<&'static str>,
    /// The key specification it belongs to.
    pub key_spec_index: Option<usize>,
    /// May be left out.
    pub optional: bool,
    /// May be given several times.
    pub multiple: bool,
    /// The token is repeated with it.
    pub multiple_token: bool,
    /// The members of a group.
    pub members: Vec<Self>,
}

impl Argument {
    fn new(name: impl Into<Cow<'static, str>>, kind: ArgumentType) -> Self {
        Self {
            name: name.into(),
            kind,
            token: None,
            key_spec_index: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            members: Vec::new(),
        }
    }

    fn pure_token(token: &'static str) -> Self {
        let mut argument = Self::new(token_name(token), ArgumentType::PureToken);
        argument.token = Some(if token == "\"\"" { "" } else { token });
        argument
    }

    fn group(kind: ArgumentType, token: Option<&'static str>, members: Vec<Self>) -> Self {
        let mut argument = Self::new(group_name(kind, token, &members), kind);
        argument.token = token;
        argument.members = members;
        argument
    }

    /// One argument for a sequence: itself, or a block.
    fn block(mut sequence: Vec<Self>) -> Self {
        assert!(!sequence.is_empty(), "a group has members");
        if sequence.len() == 1 {
            return sequence.remove(0);
        }
        Self::group(ArgumentType::Block, None, sequence)
    }
}

impl Command {
    /// The arguments of the command as a tree.
    ///
    /// O(length * depth) of the syntax line, with allocation.
    pub fn arguments(&self) -> Vec<Argument> {
        if self.syntax.is_empty() {
            return Vec::new();
        }
        Parser { command: self, key_count: 0 }.sequence(self.syntax, Reach::Values)
    }
}

/// How far a token at the head of a sequence reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Over the values that follow it: a token in the middle of a line.
    Values,
    /// To the end: a token that opens a group.
    Everything,
}

/// A piece of a sequence: one item, or the items that are repeated together.
struct Piece {
    text: &'static str,
    repeated: bool,
}

impl Piece {
    fn is_token(&self) -> bool {
        !self.repeated && is_token(self.text)
    }

    /// A value, or several repeated ones; not a bracketed group.
    fn is_value(&self) -> bool {
        self.repeated || !(is_token(self.text) || self.text.starts_with(['[', '<']))
    }
}

struct Parser<'a> {
    command: &'a Command,
    /// The key arguments met so far.
    key_count: usize,
}

impl Parser<'_> {
    fn sequence(&mut self, text: &'static str, reach: Reach) -> Vec<Argument> {
        let pieces = pieces(text);
        let mut arguments = Vec::new();
        let mut rest = pieces.as_slice();
        while let Some((piece, behind)) = rest.split_first() {
            if !piece.is_token() {
                arguments.push(self.piece(piece));
                rest = behind;
                continue;
            }
            let count = match reach {
                Reach::Values => behind.iter().take_while(|piece| piece.is_value()).count(),
                Reach::Everything if behind.iter().any(Piece::is_token) => 0,
                Reach::Everything => behind.len(),
            };
            let (operands, behind) = behind.split_at(count);
            arguments.push(self.token(piece.text, operands));
            rest = behind;
        }
        arguments
    }

    /// A token with what it takes.
    fn token(&mut self, token: &'static str, operands: &[Piece]) -> Argument {
        if operands.is_empty() {
            return Argument::pure_token(token);
        }
        let value_count = operands.iter().take_while(|piece| piece.is_value()).count();
        let has_choice = operands.iter().any(|piece| piece.text.starts_with('<'));
        let opens_group = operands[0].text.starts_with('[');
        let mut members: Vec<_> = operands.iter().map(|piece| self.piece(piece)).collect();
        // `FULL [COUNT count]` and `TO host port [FORCE]`: the token stands for the whole block.
        // `COUNT count [ANY]` and `BYRADIUS radius <M|KM>`: it belongs to the first value.
        let belongs_to_first =
            !opens_group && (members.len() == 1 || value_count == 1 || has_choice);
        if !belongs_to_first {
            return Argument::group(ArgumentType::Block, Some(token), members);
        }
        let first = &mut members[0];
        first.token = Some(token);
        if matches!(first.kind, ArgumentType::OneOf | ArgumentType::Block) {
            first.name = group_name(first.kind, first.token, &first.members);
        }
        Argument::block(members)
    }

    fn piece(&mut self, piece: &Piece) -> Argument {
        let text = piece.text;
        let mut argument = if piece.repeated {
            Argument::block(self.sequence(text, Reach::Values))
        } else if let Some(body) = enclosed(text, '[', ']') {
            let mut argument = self.choices(body);
            argument.optional = true;
            argument
        } else if let Some(body) = enclosed(text, '<', '>') {
            self.choices(body)
        } else if is_token(text) {
            Argument::pure_token(text)
        } else {
            self.value(text)
        };
        argument.multiple |= piece.repeated;
        argument
    }

    /// The inside of a group.
    fn choices(&mut self, body: &'static str) -> Argument {
        if let Some(repeated) = repeated_body(body) {
            let mut argument = self.choices(repeated);
            argument.multiple = true;
            argument.multiple_token = argument.token.is_some();
            return argument;
        }
        let texts = split(body, '|');
        if let [text] = texts[..] {
            return Argument::block(self.sequence(text, Reach::Everything));
        }
        // A choice among nothing but plain words is one among tokens in small letters.
        let plain =
            texts.iter().all(|text| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        let choices = texts.iter().map(|text| {
            if plain {
                Argument::pure_token(text)
            } else {
                Argument::block(self.sequence(text, Reach::Everything))
            }
        });
        let choices = choices.collect();
        Argument::group(ArgumentType::OneOf, None, choices)
    }

    fn value(&mut self, name: &'static str) -> Argument {
        assert!(!name.contains(['[', ']', '<', '>', '|']), "unbalanced syntax at {name}");
        let mut kind = value_type(self.command, name);
        let mut key_spec_index = key_spec_of(self.command, name);
        if kind == ArgumentType::Key {
            match self.command.key_specs.len() {
                0 => kind = ArgumentType::String,
                count => {
                    key_spec_index = key_spec_index.or(Some(self.key_count.min(count - 1)));
                    self.key_count += 1;
                }
            }
        }
        let mut argument = Argument::new(name, kind);
        argument.key_spec_index = key_spec_index;
        argument
    }
}

/// Cuts a sequence at its spaces and joins what is repeated with its repetition.
fn pieces(text: &'static str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for item in split(text, ' ') {
        let repetition = enclosed(item, '[', ']').and_then(|body| body.strip_suffix(" ..."));
        let Some(repeated) = repetition else {
            pieces.push(Piece { text: item, repeated: false });
            continue;
        };
        let count = split(repeated, ' ').len();
        let start = pieces.len().checked_sub(count).expect("a repetition follows its model");
        let model = pieces[start..].iter().map(|piece| piece.text).collect::<Vec<_>>().join(" ");
        assert_eq!(model, repeated, "a repetition equals its model");
        pieces.truncate(start);
        pieces.push(Piece { text: repeated, repeated: true });
    }
    pieces
}

/// The `x` of a group that reads `x [x ...]`.
fn repeated_body(body: &'static str) -> Option<&'static str> {
    const AROUND: usize = " [".len() + " ...]".len();
    let length = body.len().checked_sub(AROUND)? / 2;
    let (model, repetition) = body.split_at_checked(length)?;
    let repeated = repetition.strip_prefix(" [")?.strip_suffix(" ...]")?;
    (model == repeated).then_some(model)
}

/// The text between brackets that open at its first and close at its last character.
fn enclosed(text: &'static str, open: char, close: char) -> Option<&'static str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// Splits at a separator that stands outside of all brackets.
fn split(text: &'static str, separator: char) -> Vec<&'static str> {
    let mut depth = 0_usize;
    text.split(|character| {
        match character {
            '[' | '<' => depth += 1,
            ']' | '>' => depth = depth.checked_sub(1).expect("brackets are balanced"),
            _ => {}
        }
        depth == 0 && character == separator
    })
    .collect()
}

fn is_token(text: &str) -> bool {
    let symbol = matches!(text, "*" | "$" | "=" | "~" | "\"\"");
    let capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
    symbol
        || capitals
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
}
