//! The arguments of one command: slices of a buffer that somebody else owns.
//!
//! A request is parsed in place. What travels through the server is the buffer it arrived in and a
//! list of `(start, length)` pairs, eight bytes an argument, so that no argument is copied or
//! allocated on the way from the socket to the command. The same two pieces are what a message to
//! another core carries, there with a buffer of its own.

mod request;

use crate::command::ArgList;

/// Where one argument lies in its buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgRange {
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl ArgRange {
    /// The argument itself, out of the buffer it lies in.
    ///
    /// # Panics
    /// If the range does not lie in `buffer`.
    #[inline]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..][..self.len as usize]
    }
}

/// The arguments of one command, its name included, as slices of one buffer.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    buffer: &'a [u8],
    ranges: &'a [ArgRange],
}

impl<'a> Arguments<'a> {
    /// Arguments at `ranges` of `buffer`. Ranges outside the buffer panic when they are read.
    #[inline]
    pub fn new(buffer: &'a [u8], ranges: &'a [ArgRange]) -> Self {
        Self { buffer, ranges }
    }

    /// Number of arguments, the command's name included.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a command has at least its name")]
    pub fn len(self) -> usize {
        self.ranges.len()
    }

    /// Argument `index`; 0 is the command's name.
    #[inline]
    pub fn at(self, index: usize) -> &'a [u8] {
        self.ranges[index].of(self.buffer)
    }

    /// Argument `index`, or `None` past the end.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        (index < self.len()).then(|| self.at(index))
    }

    /// All arguments from `first` on.
    pub fn from(self, first: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        (first..self.len().max(first)).map(move |index| self.at(index))
    }

    /// Whether argument `index` is the word `word`, in any case.
    pub fn is(self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Bytes of all arguments together.
    pub fn total_bytes(self) -> usize {
        self.ranges.iter().map(|range| range.len as usize).sum()
    }

    /// The arguments from `first` on, as arguments of their own.
    pub fn skip(self, first: usize) -> Arguments<'a> {
        Arguments { buffer: self.buffer, ranges: &self.ranges[first..] }
    }

    /// The command as a client would send it, if that is what the buffer begins with: an array of
    /// bulk strings, every length in its shortest form. Every byte between the arguments is looked
    /// at. O(arguments).
    pub fn as_request(self) -> Option<&'a [u8]> {
        let end = request::end(self.buffer, self.ranges)?;
        Some(&self.buffer[..end])
    }

    /// Appends a copy of the arguments to `bytes` and their places there to `ranges`.
    pub fn copy_to(self, bytes: &mut Vec<u8>, ranges: &mut Vec<ArgRange>) {
        for index in 0..self.len() {
            let argument = self.at(index);
            let start = u32::try_from(bytes.len()).expect("a message stays below 4 GiB");
            ranges.push(ArgRange { start, len: argument.len() as u32 });
            bytes.extend_from_slice(argument);
        }
    }
}

impl ArgList for Arguments<'_> {
    fn len(&self) -> usize {
        self.ranges.len()
    }

    fn get(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Arguments that own their bytes: a command that has to outlive the buffer it came in.
#[derive(Clone, Debug, Default)]
pub struct OwnedArguments {
    bytes: Vec<u8>,
    ranges: Vec<ArgRange>,
}

impl OwnedArguments {
    /// Copies `arguments`.
    pub fn copy_of(arguments: Arguments<'_>) -> Self {
        let mut owned = Self {
            bytes: Vec::with_capacity(arguments.total_bytes()),
            ranges: Vec::with_capacity(arguments.len()),
        };
        arguments.copy_to(&mut owned.bytes, &mut owned.ranges);
        owned
    }

    /// Copies `arguments` with other texts at some indices.
    pub fn copy_with(arguments: Arguments<'_>, replaced: &[(usize, Vec<u8>)]) -> Self {
        let mut owned = Self::default();
        for index in 0..arguments.len() {
            let other = replaced.iter().find(|(at, _)| *at == index);
            let text = other.map_or(arguments.at(index), |(_, text)| text);
            owned.push(text);
        }
        owned
    }

    fn push(&mut self, argument: &[u8]) {
        let start = u32::try_from(self.bytes.len()).expect("a command stays below 4 GiB");
        self.ranges.push(ArgRange { start, len: argument.len() as u32 });
        self.bytes.extend_from_slice(argument);
    }

    /// The arguments, borrowed.
    pub fn borrow(&self) -> Arguments<'_> {
        Arguments::new(&self.bytes, &self.ranges)
    }
}
