//! A command ready to be sent over and over.
//!
//! A template is the finished RESP bytes of one request with zeros where keys and numbers go, and
//! a list of places to patch. Appending a request is one copy and a few digits. Only a payload of
//! varying size breaks the bytes into several stretches, with its length line in between.

use std::sync::Arc;

use crate::args::usage;
use crate::error::Outcome;
use crate::keys::shape::{Key, KeyShape, digits_of, write_digits};
use crate::keys::source::KeySource;
use crate::request::syntax::{self, Argument, Piece};

/// Width of `__rand_int__`, as redis-benchmark writes it.
const KEY_NUMBER_WIDTH: usize = 12;
/// Largest payload: Redis' own default limit of a bulk string.
const VALUE_LEN_MAX: usize = 512 << 20;

/// Size of the payload: fixed, or uniform in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueSize {
    /// Smallest, in bytes.
    pub(crate) min: usize,
    /// Largest, in bytes.
    pub(crate) max: usize,
}

impl ValueSize {
    /// Always this many bytes.
    pub(crate) fn fixed(len: usize) -> Self {
        Self { min: len, max: len }
    }

    /// Reads `16` or `16-1024`.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        match (min.parse(), max.parse()) {
            (Ok(min), Ok(max)) if min <= max && max <= VALUE_LEN_MAX => Ok(Self { min, max }),
            _ => Err(usage(format!("value size '{text}' is not BYTES or MIN-MAX up to 512 MB"))),
        }
    }

    fn is_fixed(self) -> bool {
        self.min == self.max
    }
}

/// What templates of one run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Layout of keys.
    pub(crate) shape: KeyShape,
    /// Size of payloads.
    pub(crate) value: ValueSize,
    /// Bound of `__rand_int__`.
    pub(crate) key_count: u64,
}

/// A place in the prepared bytes that differs from request to request.
#[derive(Clone, Debug)]
struct Patch {
    start: usize,
    end: usize,
    what: Filling,
}

#[derive(Clone, Copy, Debug)]
enum Filling {
    Key,
    Number { low: u64, span: u64 },
}

#[derive(Clone, Debug, Default)]
struct Stretch {
    bytes: Vec<u8>,
    patches: Vec<Patch>,
    /// A payload with its length line follows these bytes.
    then_value: bool,
}

/// A prepared command. Cloning is cheap enough for once per thread.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    name: String,
    command_count: u64,
    stretches: Vec<Stretch>,
    shape: KeyShape,
    value: ValueSize,
    payload: Arc<[u8]>,
}

impl Template {
    /// Prepares the template `text`.
    pub(crate) fn compile(text: &str, frame: &Frame) -> Outcome<Self> {
        let commands = syntax::parse(text)?;
        let payload: Arc<[u8]> = payload(frame.value.max);
        let mut stretches = vec![Stretch::default()];
        for arguments in &commands {
            let stretch = stretches.last_mut().expect("there is always a stretch to write to");
            stretch.bytes.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
            for argument in arguments {
                append_argument(argument, frame, &payload, &mut stretches)?;
            }
        }
        Ok(Self {
            name: text.to_owned(),
            command_count: commands.len() as u64,
            stretches,
            shape: frame.shape.clone(),
            value: frame.value,
            payload,
        })
    }

    /// How many commands a request is, each with a reply of its own.
    pub(crate) fn command_count(&self) -> u64 {
        self.command_count
    }

    /// The text it was prepared from.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Appends one request, with keys from `keys`. O(bytes of the request).
    #[inline]
    pub(crate) fn append(&self, keys: &KeySource, random: &mut fastrand::Rng, out: &mut Vec<u8>) {
        let mut request_keys = keys.request();
        self.append_for(|random| request_keys.draw(random), random, out);
    }

    /// Appends one request, with the keys `next_key` names. O(bytes of the request).
    #[inline]
    pub(crate) fn append_for(
        &self,
        mut next_key: impl FnMut(&mut fastrand::Rng) -> Key,
        random: &mut fastrand::Rng,
        out: &mut Vec<u8>,
    ) {
        for stretch in &self.stretches {
            let base = out.len();
            out.extend_from_slice(&stretch.bytes);
            for patch in &stretch.patches {
                let blank = &mut out[base + patch.start..base + patch.end];
                match patch.what {
                    Filling::Key => self.shape.patch(blank, next_key(random)),
                    Filling::Number { low, span } => write_digits(blank, low + random.u64(0..span)),
                }
            }
            if stretch.then_value {
                self.append_value(random, out);
            }
        }
    }

    fn append_value(&self, random: &mut fastrand::Rng, out: &mut Vec<u8>) {
        let len = random.usize(self.value.min..=self.value.max);
        let mut line = *b"$00000000000000000000";
        let digit_count = digits_of(len as u64);
        write_digits(&mut line[1..=digit_count], len as u64);
        out.extend_from_slice(&line[..=digit_count]);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.payload[..len]);
        out.extend_from_slice(b"\r\n");
    }
}

fn append_argument(
    argument: &Argument,
    frame: &Frame,
    payload: &[u8],
    stretches: &mut Vec<Stretch>,
) -> Outcome<()> {
    let stretch = stretches.last_mut().expect("there is always a stretch to write to");
    if argument.contains(&Piece::Value) && !frame.value.is_fixed() {
        if argument.len() > 1 {
            return Err(usage("__value__ of varying size must be an argument of its own"));
        }
        stretch.then_value = true;
        stretches.push(Stretch::default());
        return Ok(());
    }
    let len: usize = argument.iter().map(|piece| piece_len(piece, frame)).sum();
    stretch.bytes.extend_from_slice(format!("${len}\r\n").as_bytes());
    for piece in argument {
        append_piece(piece, frame, payload, stretch);
    }
    stretch.bytes.extend_from_slice(b"\r\n");
    Ok(())
}

fn piece_len(piece: &Piece, frame: &Frame) -> usize {
    match piece {
        Piece::Literal(bytes) => bytes.len(),
        Piece::Key => frame.shape.key_len(),
        Piece::Value => frame.value.max,
        Piece::KeyNumber => KEY_NUMBER_WIDTH,
        Piece::Number { high, .. } => digits_of(*high),
    }
}

fn append_piece(piece: &Piece, frame: &Frame, payload: &[u8], stretch: &mut Stretch) {
    let start = stretch.bytes.len();
    let end = start + piece_len(piece, frame);
    let what = match piece {
        Piece::Literal(bytes) => {
            stretch.bytes.extend_from_slice(bytes);
            return;
        }
        Piece::Value => {
            stretch.bytes.extend_from_slice(payload);
            return;
        }
        Piece::Key => {
            stretch.bytes.extend_from_slice(&frame.shape.blank());
            Filling::Key
        }
        Piece::KeyNumber => Filling::Number { low: 0, span: frame.key_count },
        Piece::Number { low, high } => Filling::Number { low: *low, span: high - low + 1 },
    };
    stretch.bytes.resize(end, b'0');
    stretch.patches.push(Patch { start, end, what });
}

/// Printable bytes without a period a compressor would like; the same in every run.
fn payload(len: usize) -> Arc<[u8]> {
    let mut random = fastrand::Rng::with_seed(0x0062_6173_616c_7421);
    (0..len).map(|_| random.u8(b'a'..=b'z')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::distribution::Distribution;
    use crate::keys::source::Population;
    use crate::resp::client::encode;
    use crate::resp::value::Value;

    fn frame(value: ValueSize) -> Frame {
        let shape = KeyShape::new("key:", 16, false, 1000).expect("it fits");
        Frame { shape, value, key_count: 1000 }
    }

    fn source(distribution: Distribution) -> KeySource {
        KeySource::new(Population::Plain { count: 1000 }, distribution)
    }

    fn words(bytes: &[u8]) -> Vec<String> {
        let mut rest = bytes;
        let value = Value::read(&mut rest).expect("valid RESP");
        assert!(rest.is_empty(), "bytes left over");
        let elements = value.elements().expect("an array");
        elements.iter().map(Value::text).collect()
    }

    #[test]
    fn requests_are_what_a_client_would_send() {
        let template = Template::compile("GET __key__", &frame(ValueSize::fixed(3)));
        let template = template.expect("a template");
        let (keys, mut random) = (source(Distribution::Sequential), fastrand::Rng::with_seed(1));
        for number in 0..5 {
            let (mut sent, mut expected) = (Vec::new(), Vec::new());
            template.append(&keys, &mut random, &mut sent);
            encode(&["GET", &format!("key:{number:012}")], &mut expected);
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn several_commands_follow_each_other() {
        for size in [ValueSize::fixed(3), ValueSize { min: 3, max: 4 }] {
            let template = Template::compile("MULTI ; SET k __value__ ; EXEC", &frame(size));
            let template = template.expect("a template");
            assert_eq!(template.command_count(), 3);
            let mut sent = Vec::new();
            let keys = source(Distribution::Sequential);
            template.append(&keys, &mut fastrand::Rng::with_seed(1), &mut sent);
            let mut rest = sent.as_slice();
            let lengths: Vec<usize> = std::iter::from_fn(|| Value::read(&mut rest).ok())
                .map(|value| value.elements().expect("an array").len())
                .collect();
            assert_eq!(lengths, [1, 3, 1]);
        }
    }

    #[test]
    fn fixed_values_and_groups_are_baked_in() {
        let text = "MSET (__key__ __value__)*3";
        let template = Template::compile(text, &frame(ValueSize::fixed(5)));
        let mut sent = Vec::new();
        let keys = source(Distribution::Sequential);
        template.expect("a template").append(&keys, &mut fastrand::Rng::with_seed(1), &mut sent);
        let words = words(&sent);
        assert_eq!(words.len(), 7);
        assert_eq!(
            (words[1].as_str(), words[5].as_str()),
            ("key:000000000000", "key:000000000002")
        );
        assert!(words[2].len() == 5 && words[2] == words[6]);
    }

    #[test]
    fn varying_values_and_numbers_stay_in_range() {
        let size = ValueSize { min: 0, max: 120 };
        let text = "SET __key__ __value__ n:__rand:7-130__ __rand_int__";
        let template = Template::compile(text, &frame(size)).expect("a template");
        let keys = source(Distribution::Uniform);
        let seed = 3;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut lengths = std::collections::HashSet::new();
        for _ in 0..3000 {
            let mut sent = Vec::new();
            template.append(&keys, &mut random, &mut sent);
            let words = words(&sent);
            lengths.insert(words[2].len());
            let number: u64 = words[3][2..].parse().expect("a number");
            assert!((7..=130).contains(&number) && words[3].len() == 5, "seed {seed}");
            assert!(words[4].len() == 12 && words[4].parse::<u64>().expect("a number") < 1000);
        }
        assert_eq!(lengths.len(), 121, "seed {seed}");
    }

    #[test]
    fn a_varying_value_inside_a_word_is_refused() {
        let size = ValueSize { min: 1, max: 2 };
        assert!(Template::compile("SET k x__value__", &frame(size)).is_err());
        assert!(ValueSize::parse("9-3").is_err());
        assert!(ValueSize::parse("x").is_err());
        assert_eq!(ValueSize::parse("3-9").expect("a range"), ValueSize { min: 3, max: 9 });
    }
}
