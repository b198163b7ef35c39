//! A segment of the append-only file, read item by item.
//!
//! The text is that of [`basalt_shard::journal`], or what a stock Redis writes, which has no
//! annotations but perhaps times. Nothing is trusted: every length has a bound, and what does not
//! fit is told with the place where the last good item ended, so that the rest can be cut off.
//!
//! ```text
//! item := record | barrier | needs | open | time
//! record := [#S lines] [SELECT] (command | MULTI command* EXEC)
//! ```

use std::io::{self, BufRead, Read};

use basalt_shard::arguments::{ArgRange, Arguments};

/// Longest line: the head of a command, or an annotation.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most lines are much shorter than this.
const LINE_BYTES_NEAR: usize = 64;
/// Most arguments of one command.
const ARGUMENTS_MAX: i64 = 1 << 24;
/// Longest argument, in bytes.
const ARGUMENT_BYTES_MAX: i64 = 1 << 30;
/// Most bytes of one record, so that a position fits 32 bits.
const RECORD_BYTES_MAX: usize = u32::MAX as usize;

/// One or several commands that take effect together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The slots it depends on, each with the number this record is for it. Empty in a plain file.
    pub slots: Vec<(u16, u64)>,
    bytes: Vec<u8>,
    ranges: Vec<ArgRange>,
    /// Where each command's arguments end in `ranges`.
    ends: Vec<usize>,
}

impl Record {
    /// The commands, MULTI and EXEC among them.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = Arguments<'_>> + Clone {
        (0..self.ends.len()).map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            Arguments::new(&self.bytes, &self.ranges[start..self.ends[index]])
        })
    }

    /// Bytes there is room for.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.ranges.capacity() * size_of::<ArgRange>()
    }

    /// Bytes of its commands.
    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a copy of the commands of another behind its own. Both together must not have more
    /// bytes than one record may.
    pub(super) fn append(&mut self, other: &Self) {
        let (start, ranges) = (self.bytes.len() as u32, self.ranges.len());
        self.bytes.extend_from_slice(&other.bytes);
        let moved = |range: &ArgRange| ArgRange { start: start + range.start, len: range.len };
        self.ranges.extend(other.ranges.iter().map(moved));
        self.ends.extend(other.ends.iter().map(|end| ranges + end));
    }

    /// Forgets what is in it and keeps the room.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
        self.ranges.clear();
        self.ends.clear();
    }

    fn last_is(&self, word: &str) -> bool {
        self.commands().last().is_some_and(|command| command.is(0, word))
    }
}

/// What stands in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// [`Reader::record`] holds it.
    Record,
    /// All cores did something at once.
    Barrier {
        /// For the n-th time.
        number: u64,
        /// Whether what it was follows in this segment.
        tells: bool,
    },
    /// What follows may depend on so many items of other cores: `(core, items)`.
    Needs(Vec<(u16, u64)>),
    /// What follows counts only with the barrier of this number, in all segments.
    Open(u64),
    /// Seconds since 1970 of what follows.
    Time(i64),
}

/// What is wrong with a segment.
#[derive(Debug)]
pub enum Damage {
    /// It ends in the midst of an item.
    Truncated,
    /// It holds something that is no item; in words.
    Malformed(&'static str),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Damage {
    /// The same, to be told once more.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Truncated => Self::Truncated,
            Self::Malformed(what) => Self::Malformed(what),
            Self::Io(error) => Self::Io(error.kind().into()),
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("unexpected end of file"),
            Self::Malformed(what) => write!(formatter, "{what}"),
            Self::Io(error) => write!(formatter, "read error: {error}"),
        }
    }
}

/// Reads a segment.
pub struct Reader<R> {
    input: R,
    /// Bytes read so far.
    position: u64,
    /// Where the last complete item ended.
    good_bytes: u64,
    line: Vec<u8>,
    record: Record,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `input`, which stands at offset `position` of its file.
    pub fn new(input: R, position: u64) -> Self {
        Self { input, position, good_bytes: position, line: Vec::new(), record: Record::default() }
    }

    /// The record that was read last.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Takes the record that was read last, and leaves room for the next one.
    pub(super) fn swap_record(&mut self, with: &mut Record) {
        std::mem::swap(&mut self.record, with);
    }

    /// Where the last complete item ended, in bytes from the start of the file.
    pub fn good_bytes(&self) -> u64 {
        self.good_bytes
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// If the rest is damaged: [`Reader::good_bytes`] says from where on.
    pub fn next_item(&mut self) -> Result<Option<Item>, Damage> {
        self.record.clear();
        loop {
            if !self.read_line()? {
                return if self.is_between_items() { Ok(None) } else { Err(Damage::Truncated) };
            }
            let item = match self.line.first() {
                Some(b'#') => self.take_annotation()?,
                _ => self.take_command()?.then_some(Item::Record),
            };
            if let Some(item) = item {
                self.good_bytes = self.position;
                return Ok(Some(item));
            }
        }
    }

    fn is_between_items(&self) -> bool {
        // A SELECT at the very end selects for nobody.
        let is_idle = self.record.ends.is_empty() || self.record.last_is("select");
        is_idle && self.record.slots.is_empty()
    }

    /// Reads a line without its end; whether there was one.
    fn read_line(&mut self) -> Result<bool, Damage> {
        self.line.clear();
        let near = near(&mut self.input)?;
        let near = &near[..near.len().min(LINE_BYTES_NEAR)];
        if let Some(end) = near.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(near[..end].strip_suffix(b"\r").unwrap_or(&near[..end]));
            self.skip(end + 1);
            return Ok(true);
        }
        self.read_far_line()
    }

    /// The same for one that is long, or not in memory as a whole.
    #[cold]
    fn read_far_line(&mut self) -> Result<bool, Damage> {
        let limit = LINE_BYTES_MAX as u64;
        let count = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        self.position += count as u64;
        match self.line.last() {
            None => Ok(false),
            Some(b'\n') => {
                self.line.pop();
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                Ok(true)
            }
            Some(_) if self.line.len() == LINE_BYTES_MAX => Err(Damage::Malformed("a long line")),
            // So do zeros: a file system may have made the file longer before the power failed, and
            // never written what belongs there. What was not written was not safe, and as with any
            // other torn end nothing that counts can follow it.
            Some(_) => Err(Damage::Truncated),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.position += bytes as u64;
    }

    fn take_annotation(&mut self) -> Result<Option<Item>, Damage> {
        const BAD: Damage = Damage::Malformed("an annotation");
        if !self.record.ends.is_empty() && !self.record.last_is("select") {
            return Err(Damage::Malformed("an annotation inside a transaction"));
        }
        if let Some(pairs) = self.line.strip_prefix(b"#S:") {
            read_pairs(pairs, &mut self.record.slots).ok_or(BAD)?;
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| BAD)?;
        let item = if let Some(pairs) = text.strip_prefix("#D:") {
            let mut needs = Vec::new();
            read_pairs(pairs.as_bytes(), &mut needs).ok_or(BAD)?;
            Item::Needs(needs)
        } else if let Some(number) = text.strip_prefix("#G:") {
            Item::Barrier { number: number.parse().map_err(|_| BAD)?, tells: false }
        } else if let Some(number) = text.strip_prefix("#T:") {
            Item::Barrier { number: number.parse().map_err(|_| BAD)?, tells: true }
        } else if let Some(number) = text.strip_prefix("#O:") {
            Item::Open(number.parse().map_err(|_| BAD)?)
        } else if let Some(seconds) = text.strip_prefix("#TS:") {
            Item::Time(seconds.parse().map_err(|_| BAD)?)
        } else {
            // Somebody else's note, which says nothing to us.
            return Ok(None);
        };
        if self.record.slots.is_empty() { Ok(Some(item)) } else { Err(BAD) }
    }

    /// Takes in the command whose head is the present line; whether it completes a record.
    fn take_command(&mut self) -> Result<bool, Damage> {
        let count = head(&self.line, b'*').ok_or(Damage::Malformed("the head of a command"))?;
        if !(1..=ARGUMENTS_MAX).contains(&count) {
            return Err(Damage::Malformed("the number of arguments"));
        }
        for _ in 0..count {
            self.take_argument()?;
        }
        self.record.ends.push(self.record.ranges.len());
        let in_group = self.record.commands().any(|command| command.is(0, "multi"));
        Ok(match in_group {
            true => self.record.last_is("exec"),
            false => !self.record.last_is("select"),
        })
    }

    fn take_argument(&mut self) -> Result<(), Damage> {
        if !self.read_line()? {
            return Err(Damage::Truncated);
        }
        let len = head(&self.line, b'$').ok_or(Damage::Malformed("the head of an argument"))?;
        if !(0..=ARGUMENT_BYTES_MAX).contains(&len) {
            return Err(Damage::Malformed("the length of an argument"));
        }
        let (start, len) = (self.record.bytes.len(), len as usize);
        if start + len + 2 > RECORD_BYTES_MAX {
            return Err(Damage::Malformed("a record of more than 4 GiB"));
        }
        match near(&mut self.input)?.get(..len + 2) {
            Some(argument) => {
                let content = argument.strip_suffix(b"\r\n").ok_or(UNENDED)?;
                self.record.bytes.extend_from_slice(content);
                self.skip(len + 2);
            }
            None => self.take_far_argument(len)?,
        }
        self.record.ranges.push(ArgRange { start: start as u32, len: len as u32 });
        Ok(())
    }

    /// Takes the rest of an argument that is not in memory as a whole.
    #[cold]
    fn take_far_argument(&mut self, len: usize) -> Result<(), Damage> {
        let start = self.record.bytes.len();
        // Memory grows with what is really there, not with what a length claims.
        let count = self.input.by_ref().take(len as u64 + 2).read_to_end(&mut self.record.bytes)?;
        self.position += count as u64;
        if count < len + 2 {
            return Err(Damage::Truncated);
        }
        if !self.record.bytes.ends_with(b"\r\n") {
            return Err(UNENDED);
        }
        self.record.bytes.truncate(start + len);
        Ok(())
    }
}

const UNENDED: Damage = Damage::Malformed("the end of an argument");

/// What of the file is in memory.
fn near<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    // Whoever finds too little there reads on, and tries again himself.
    match input.fill_buf() {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(&[]),
        other => other,
    }
}

fn head(line: &[u8], mark: u8) -> Option<i64> {
    let mut digits = line.strip_prefix(&[mark])?;
    let number = read_number(&mut digits)?;
    digits.is_empty().then_some(i64::try_from(number).ok()?)
}

/// Reads `number:value,number:value`.
fn read_pairs(mut text: &[u8], to: &mut Vec<(u16, u64)>) -> Option<()> {
    loop {
        let number = u16::try_from(read_number(&mut text)?).ok()?;
        text = text.strip_prefix(b":")?;
        to.push((number, read_number(&mut text)?));
        if text.is_empty() {
            return Some(());
        }
        text = text.strip_prefix(b",")?;
    }
}

/// Takes digits from the front, of which there must be some.
fn read_number(text: &mut &[u8]) -> Option<u64> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    *text = rest;
    let add =
        |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    (count > 0).then_some(())?;
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its items with what is in them, how it ends, and where the last whole one does.
    type Contents = (Vec<(Item, Record)>, Result<(), Damage>, u64);

    fn read_from(input: impl BufRead) -> Contents {
        let mut reader = Reader::new(input, 0);
        let mut items = Vec::new();
        loop {
            match reader.next_item() {
                Ok(Some(item)) => items.push((item, reader.record().clone())),
                Ok(None) => return (items, Ok(()), reader.good_bytes()),
                Err(damage) => return (items, Err(damage), reader.good_bytes()),
            }
        }
    }

    /// The same from memory, and from a file of which little is in memory at a time.
    fn read_all(text: &[u8]) -> (Vec<Item>, Result<(), Damage>, u64) {
        let (items, outcome, good_bytes) = read_from(text);
        for capacity in [1, 2, 7, 64] {
            let from_file = read_from(io::BufReader::with_capacity(capacity, text));
            assert_eq!((&from_file.0, from_file.2), (&items, good_bytes), "by {capacity} bytes");
            assert_eq!(format!("{:?}", from_file.1), format!("{outcome:?}"), "by {capacity} bytes");
        }
        (items.into_iter().map(|(item, _)| item).collect(), outcome, good_bytes)
    }

    const RECORD: &[u8] = b"#S:3:1,9:4\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n\
        *2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n";

    #[test]
    fn a_record_has_slots_and_commands() {
        let mut reader = Reader::new(RECORD, 0);
        assert_eq!(reader.next_item().expect("it is whole"), Some(Item::Record));
        assert_eq!(reader.record().slots, [(3, 1), (9, 4)]);
        let names: Vec<&[u8]> = reader.record().commands().map(|command| command.at(0)).collect();
        assert_eq!(names, [b"SELECT".as_slice(), b"MULTI", b"DEL", b"EXEC"]);
        assert_eq!(reader.next_item().expect("nothing follows"), None);
        assert_eq!(reader.good_bytes(), RECORD.len() as u64);
    }

    #[test]
    fn a_record_that_is_cut_anywhere_is_truncated_where_it_began() {
        let first = b"*1\r\n$4\r\nPING\r\n";
        for length in 1..RECORD.len() {
            let text = [first, &RECORD[..length]].concat();
            let (items, outcome, good_bytes) = read_all(&text);
            assert_eq!(items, [Item::Record], "cut at {length}");
            assert!(matches!(outcome, Err(Damage::Truncated)), "cut at {length}");
            assert_eq!(good_bytes, first.len() as u64, "cut at {length}");
        }
    }

    #[test]
    fn annotations_are_items() {
        let (items, outcome, _) = read_all(b"#TS:5\r\n#T:1\r\n#D:1:7\r\n#O:2\r\n# a note\r\n");
        assert!(outcome.is_ok());
        let needs = Item::Needs(vec![(1, 7)]);
        let barrier = Item::Barrier { number: 1, tells: true };
        assert_eq!(items, [Item::Time(5), barrier, needs, Item::Open(2)]);
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in
            ["*x\r\n", "hello\r\n", "*1\r\n$-1\r\n", "*0\r\n", "#D:x\r\n", "*1\r\n$1\r\nabc"]
        {
            let (_, outcome, _) = read_all(text.as_bytes());
            assert!(matches!(outcome, Err(Damage::Malformed(_))), "{text}");
        }
    }
}
