//! What a row of the directive table says.
//!
//! Every configuration directive is described once, by one [`Directive`]: its names, the kind of
//! value it takes, its default, who may change it and when, and whether Basalt keeps the promise
//! it makes. The file parser, the command line, CONFIG GET / SET / REWRITE and the typed
//! [`Settings`](super::Settings) all read that row; nothing repeats it. Rows are written with the
//! constructors below so that each fits on a line:
//!
//! ```text
//! integer("tcp-backlog", 0, INT_MAX, "511").immutable().built(),
//!    |        |                |         |        |        |
//!   kind     name            bounds   default   flags   support
//! ```
//!
//! The default is text in the words of a configuration file, so that a row reads like a line of
//! one; a test parses every default and prints it back.

use super::value::ValueError;

/// One configuration directive.
#[derive(Debug)]
pub struct Directive {
    /// The canonical name, in lower case.
    pub name: &'static str,
    /// Other names that mean the same directive, mostly older ones.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// The value it has when nothing is said, as a configuration file would say it.
    pub default: &'static str,
    /// Who may see and change it.
    pub flags: Flags,
    /// Whether Basalt does what it says.
    pub support: Support,
}

/// The kind of value a directive takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Boolean,
    /// A decimal number between two bounds, both allowed.
    Integer {
        /// The least value allowed.
        minimum: i128,
        /// The greatest value allowed.
        maximum: i128,
    },
    /// A number of bytes with an optional unit: `b`, `k`, `kb`, `m`, `mb`, `g`, `gb`.
    Memory {
        /// The fewest bytes allowed.
        minimum: i128,
        /// The most bytes allowed.
        maximum: i128,
    },
    /// A number of bytes, or a percentage such as `5%`.
    MemoryOrPercent,
    /// File permission bits, written in octal.
    Octal {
        /// The greatest value allowed.
        maximum: i128,
    },
    /// One of a list of words.
    Choice(&'static [&'static str]),
    /// Any number of a list of words, the first of which means none of them.
    Choices(&'static [&'static str]),
    /// Any bytes that pass a check.
    Text(Empty, TextCheck),
    /// An existing directory; held as an absolute path.
    Directory,
    /// Up to sixteen addresses to listen on.
    Addresses,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Groups of client class, hard limit, soft limit and seconds.
    OutputLimits,
    /// Three numbers for the kernel's out-of-memory killer.
    OomScores,
    /// Letters that stand for classes of keyspace events.
    KeyspaceEvents,
    /// Percentages with decimals.
    Percentiles,
    /// Host and port of a primary, or `no one`.
    Primary,
    /// Whole lines that may come again and again, with this many words after the name.
    Lines {
        /// The fewest words.
        minimum: usize,
        /// The most words.
        maximum: usize,
    },
    /// One word that is read and forgotten: what servers took long ago.
    Ignored,
}

impl Kind {
    /// Whether the value is made of several words.
    pub fn is_multiple(self) -> bool {
        matches!(
            self,
            Kind::Choices(_)
                | Kind::Addresses
                | Kind::SavePoints
                | Kind::OutputLimits
                | Kind::OomScores
                | Kind::Percentiles
                | Kind::Primary
                | Kind::Lines { .. }
        )
    }
}

/// What the empty text means to a text directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// The directive is not set; CONFIG REWRITE writes no line for it.
    IsUnset,
    /// A value like any other.
    IsValue,
}

/// Says whether a text may be the value of a directive, or which rule it breaks.
pub type TextCheck = fn(&[u8]) -> Result<(), ValueError>;

/// Who may see and change a directive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// CONFIG SET refuses it: fixed at start.
    pub const IMMUTABLE: Flags = Flags(1);
    /// CONFIG GET shows it only when asked by its full name.
    pub const HIDDEN: Flags = Flags(1 << 1);
    /// CONFIG SET needs `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(1 << 2);
    /// Never to be shown in logs, the slow log or MONITOR.
    pub const SENSITIVE: Flags = Flags(1 << 3);
    /// CONFIG SET refuses it while the data set is being loaded.
    pub const DENY_LOADING: Flags = Flags(1 << 4);
    /// Known to the configuration file only, not to CONFIG GET and SET.
    pub const FILE_ONLY: Flags = Flags(1 << 5);

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Whether Basalt does what a directive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does; [`Settings`](super::Settings) carries the value.
    Built,
    /// It takes the value, shows it and writes it back, but nothing depends on it: it tunes
    /// something that Basalt does otherwise or not at all, and ignoring it breaks no promise.
    Accepted,
    /// A value other than the default promises something that is not there. Saying so at once is
    /// kinder than starting without it.
    Refused {
        /// Values besides the default that promise nothing, as CONFIG GET would print them.
        unless: &'static [&'static str],
        /// What the operator is told.
        message: &'static str,
    },
}

pub(super) const INT_MIN: i128 = i32::MIN as i128;
pub(super) const INT_MAX: i128 = i32::MAX as i128;
pub(super) const UINT_MAX: i128 = u32::MAX as i128;
pub(super) const LONG_MAX: i128 = i64::MAX as i128;
pub(super) const ULONG_MAX: i128 = u64::MAX as i128;

/// Starts a row of any kind.
pub(super) const fn row(kind: Kind, name: &'static str, default: &'static str) -> Directive {
    let flags = Flags(0);
    Directive { name, aliases: &[], kind, default, flags, support: Support::Accepted }
}

/// Starts a row for `yes` or `no`.
pub(super) const fn boolean(name: &'static str, default: &'static str) -> Directive {
    row(Kind::Boolean, name, default)
}

/// Starts a row for a number.
pub(super) const fn integer(
    name: &'static str,
    minimum: i128,
    maximum: i128,
    default: &'static str,
) -> Directive {
    assert!(minimum <= maximum);
    row(Kind::Integer { minimum, maximum }, name, default)
}

/// Starts a row for a number of bytes.
pub(super) const fn memory(
    name: &'static str,
    minimum: i128,
    maximum: i128,
    default: &'static str,
) -> Directive {
    assert!(0 <= minimum && minimum <= maximum);
    row(Kind::Memory { minimum, maximum }, name, default)
}

/// Starts a row for one of several words.
pub(super) const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
) -> Directive {
    row(Kind::Choice(words), name, default)
}

/// Starts a row for a text that is not set by default; the empty text unsets it.
pub(super) const fn optional_text(name: &'static str) -> Directive {
    row(Kind::Text(Empty::IsUnset, |_| Ok(())), name, "")
}

/// Starts a row for a text that always has a value, be it the empty one.
pub(super) const fn text(name: &'static str, default: &'static str) -> Directive {
    row(Kind::Text(Empty::IsValue, |_| Ok(())), name, default)
}

/// Starts a row for a text that has to pass a check.
pub(super) const fn checked_text(
    name: &'static str,
    check: TextCheck,
    default: &'static str,
) -> Directive {
    row(Kind::Text(Empty::IsValue, check), name, default)
}

/// Starts a row for lines known to the configuration file only.
pub(super) const fn lines(name: &'static str, minimum: usize, maximum: usize) -> Directive {
    row(Kind::Lines { minimum, maximum }, name, "").flag(Flags::FILE_ONLY)
}

/// Starts a row for a line that is read and forgotten.
pub(super) const fn ignored(name: &'static str) -> Directive {
    row(Kind::Ignored, name, "").flag(Flags::FILE_ONLY)
}

impl Directive {
    const fn flag(mut self, flag: Flags) -> Directive {
        self.flags = self.flags.with(flag);
        self
    }

    /// Gives the row more names.
    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Directive {
        self.aliases = aliases;
        self
    }

    pub(super) const fn immutable(self) -> Directive {
        self.flag(Flags::IMMUTABLE)
    }

    pub(super) const fn hidden(self) -> Directive {
        self.flag(Flags::HIDDEN)
    }

    pub(super) const fn protected(self) -> Directive {
        self.flag(Flags::PROTECTED)
    }

    pub(super) const fn sensitive(self) -> Directive {
        self.flag(Flags::SENSITIVE)
    }

    pub(super) const fn deny_loading(self) -> Directive {
        self.flag(Flags::DENY_LOADING)
    }

    /// Ends a row whose promise Basalt keeps.
    pub(super) const fn built(mut self) -> Directive {
        self.support = Support::Built;
        self
    }

    /// Ends a row that is taken and has no effect.
    pub(super) const fn accepted(mut self) -> Directive {
        self.support = Support::Accepted;
        self
    }

    /// Ends a row that may keep its default only.
    pub(super) const fn refused(self, message: &'static str) -> Directive {
        self.refused_unless(&[], message)
    }

    /// Ends a row that may keep its default or take one of a few values that promise nothing.
    pub(super) const fn refused_unless(
        mut self,
        unless: &'static [&'static str],
        message: &'static str,
    ) -> Directive {
        self.support = Support::Refused { unless, message };
        self
    }

    /// All names of the directive, the canonical one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}
