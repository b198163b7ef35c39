//! Why bytes are refused.

use std::fmt;

/// What is wrong with a serialized value, or with the frame it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes end before the value does.
    Truncated,
    /// A length, a count or a string is in a form that does not exist.
    Form(u8),
    /// No value has this type byte, or nothing here can hold such a value.
    UnknownType(u8),
    /// It is known what it is, in words, but nothing here can hold it.
    Unsupported(&'static str),
    /// The value belongs to a module.
    ModuleValue,
    /// A compact encoding or a compressed string contradicts itself.
    Corrupt(&'static str),
    /// A member or field comes twice.
    Duplicate,
    /// Two consumers of a group of a stream have one name.
    DuplicateConsumer,
    /// A collection without elements: no key holds one.
    Empty,
    /// The version of the format is not known here.
    Version(u16),
    /// The checksum does not match.
    Checksum,
}

impl fmt::Display for FormatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("the data ends early"),
            Self::Form(byte) => write!(formatter, "byte {byte:#04x} starts no length or string"),
            Self::UnknownType(byte) => write!(formatter, "value type {byte} is not known"),
            Self::Unsupported(what) => write!(formatter, "{what} are not supported"),
            Self::ModuleValue => formatter.write_str("values of modules are not supported"),
            Self::Corrupt(what) => write!(formatter, "the {what} is damaged"),
            Self::Duplicate => formatter.write_str("an element comes twice"),
            Self::DuplicateConsumer => formatter.write_str("Duplicate stream consumer detected"),
            Self::Empty => formatter.write_str("the collection is empty"),
            Self::Version(version) => write!(formatter, "format version {version} is not known"),
            Self::Checksum => formatter.write_str("the checksum does not match"),
        }
    }
}

impl std::error::Error for FormatError {}
