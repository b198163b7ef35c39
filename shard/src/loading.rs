//! Keys that come from a file: the way of a record into the store.
//!
//! Records are not changes: nobody is told of them, and they do not count as such.

use crate::commands::dump::{limits_of, put};
use crate::object::Object;
use crate::rdb::FormatError;
use crate::rdb::commands::write_key;
use crate::rdb::reader::Reader;
use crate::rdb::value::{Decoded, decode};
use crate::rdb::value_type::{Project, ValueType};
use crate::store::{Key, Store};

/// What a file says of the use of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Nothing.
    #[default]
    Unsaid,
    /// Seconds since it was used.
    IdleSeconds(u64),
    /// The counter of its uses.
    Counter(u8),
}

/// A key as it stands in a file.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Database.
    pub db: u32,
    /// Name.
    pub name: &'a [u8],
    /// When it expires, milliseconds since 1970.
    pub expiry_ms: Option<i64>,
    /// How it was used.
    pub usage: Usage,
    /// Type and form of the value.
    pub value_type: ValueType,
    /// Whose numbering of types holds.
    pub project: Project,
    /// The value, without its type.
    pub value: &'a [u8],
}

/// How records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadRules {
    /// Whether keys whose time has come stay out. In front of an append only file they do not:
    /// what follows may refer to them.
    pub skips_expired: bool,
    /// Whether a key that is there already is overwritten, and no fault.
    pub replaces: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The key is there.
    Added,
    /// The key is there, without what nothing here can hold: idempotent ids of a stream.
    Reduced,
    /// Its time had come.
    Expired,
    /// It was a collection without elements, which older servers may have written.
    Empty,
}

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// Its value is damaged, or of a kind that is not known here.
    Format(FormatError),
    /// The key comes twice.
    DuplicateKey,
    /// There is no database of that number.
    Database(u32),
}

impl std::fmt::Display for LoadFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Format(fault) => fault.fmt(out),
            Self::DuplicateKey => out.write_str("the key comes twice"),
            Self::Database(db) => {
                write!(out, "there is no database {db}; the directive `databases` says how many")
            }
        }
    }
}

impl Store {
    /// Puts a record into its slot, which must be here. O(bytes), O(n log n) for some types.
    ///
    /// # Errors
    /// [`LoadFault`]; a key that came twice has its last value then.
    pub fn load(&mut self, record: &Record<'_>, rules: LoadRules) -> Result<Loaded, LoadFault> {
        self.load_at(self.key(record.db, record.name), record, rules)
    }

    /// The same for a record whose key was located before; see [`Store::prefetch_keys`].
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn load_at(
        &mut self,
        key: Key<'_>,
        record: &Record<'_>,
        rules: LoadRules,
    ) -> Result<Loaded, LoadFault> {
        if record.db >= self.settings().databases {
            return Err(LoadFault::Database(record.db));
        }
        let is_past = record.expiry_ms.is_some_and(|at_ms| at_ms < self.now_ms());
        if is_past && rules.skips_expired {
            return Ok(Loaded::Expired);
        }
        let Some((decoded, was_reduced)) = self.decoded(record)? else {
            return Ok(Loaded::Empty);
        };
        let is_readable = match &decoded {
            Decoded::Object(Object::Hash(hash)) => hash.len(self.now_ms()) > 0,
            _ => true,
        };
        let existed = put(self, key, decoded, record.expiry_ms);
        if existed && !rules.replaces {
            return Err(LoadFault::DuplicateKey);
        }
        match record.usage {
            Usage::Unsaid => {}
            Usage::IdleSeconds(seconds) => {
                self.set_idle_seconds(key, i64::try_from(seconds).unwrap_or(i64::MAX));
            }
            Usage::Counter(counter) => self.set_use_counter(key, counter),
        }
        Ok(match is_readable {
            false => Loaded::Expired,
            true if was_reduced => Loaded::Reduced,
            true => Loaded::Added,
        })
    }

    /// Decodes a record as [`Store::load`] does, and forgets it. O(bytes), O(n log n) for some
    /// types.
    ///
    /// # Errors
    /// [`LoadFault::Format`].
    pub fn verify(&mut self, record: &Record<'_>) -> Result<Loaded, LoadFault> {
        let is_past = record.expiry_ms.is_some_and(|at_ms| at_ms < self.now_ms());
        Ok(match self.decoded(record)? {
            None => Loaded::Empty,
            Some(_) if is_past => Loaded::Expired,
            Some((_, true)) => Loaded::Reduced,
            Some(_) => Loaded::Added,
        })
    }

    /// Appends the commands that make the key of a record; nothing if it has no elements. No slot
    /// has to be here. O(bytes), O(n log n) for some types.
    ///
    /// # Errors
    /// [`LoadFault::Format`].
    pub fn tell(&mut self, record: &Record<'_>, to: &mut Vec<u8>) -> Result<(), LoadFault> {
        if let Some((decoded, _)) = self.decoded(record)? {
            write_key(record, decoded, to);
        }
        Ok(())
    }

    /// The value of a record, and whether something of it has no place here; `None` if it has no
    /// elements.
    fn decoded<'a>(
        &mut self,
        record: &Record<'a>,
    ) -> Result<Option<(Decoded<'a>, bool)>, LoadFault> {
        let mut reader = Reader::new(record.value, record.project);
        let limits = limits_of(self);
        match decode(record.value_type, &mut reader, &limits) {
            Ok(decoded) => Ok(Some((decoded, reader.was_reduced()))),
            Err(FormatError::Empty) => Ok(None),
            Err(fault) => Err(LoadFault::Format(fault)),
        }
    }
}
