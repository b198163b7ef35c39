//! Reading an RDB file record by record, from bytes nobody vouches for.
//!
//! ```text
//!          taken                  window                       still in the source
//! |-----------------------|===record===|=rec...........|- - - - - - - - - - - - - -|
//!                         ^ offset     ^ next
//! ```
//!
//! The window holds what was read and not taken, a megabyte or the largest record. A record is
//! looked at only as far as finding its end takes ([`Skimmer`]); who wants its value decodes it.
//! Where an end lies behind what the source has left, that is said before anything is read, so a
//! length that lies costs nothing.

use std::io::Read;
use std::ops::Range;

use basalt_shard::loading::{Record, Usage};
use basalt_shard::rdb::FormatError;
use basalt_shard::rdb::crc64::Checksum;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::reader::Reader;
use basalt_shard::rdb::skim::{Skimmer, Unended};
use basalt_shard::rdb::value_type::{Project, ValueType};

use crate::fault::{RdbFault, Reason};

/// What is asked of the source at once.
const READ_BYTES: usize = 1 << 20;

/// Magic and version.
const HEADER_BYTES: usize = 9;

const CHECKSUM_BYTES: usize = 8;

/// From this version on a checksum follows the end.
const CHECKSUM_VERSION_MIN: u16 = 5;

/// Whether the checksum at the end is compared (`rdbchecksum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumUse {
    /// It is.
    Verify,
    /// It is read and means nothing.
    Ignore,
}

/// Whether files of versions that are not known yet are read (`rdb-version-check`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionCheck {
    /// They are refused.
    #[default]
    Strict,
    /// They are read up to whatever is not known.
    Relaxed,
}

/// Something that stands in a file.
#[derive(Debug)]
pub enum Item<'a> {
    /// A name and a value about the file.
    Aux {
        /// The name.
        name: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// How many keys the database at hand has, and how many of them expire. A hint.
    Resize {
        /// Keys.
        keys: u64,
        /// Those of them that expire.
        expiring: u64,
    },
    /// The code of a library of functions.
    Function(Vec<u8>),
    /// Data of a module that belongs to no key; its id.
    ModuleAux(u64),
    /// A key.
    Key(Record<'a>),
    /// The end.
    End,
}

/// An item as ranges of the window.
enum Found {
    /// It says nothing anybody asks for.
    Nothing,
    SelectDb(u64),
    Aux(Range<usize>, Range<usize>),
    Resize(u64, u64),
    Function(Range<usize>),
    ModuleAux(u64),
    Key(FoundKey),
    End,
}

struct FoundKey {
    expiry_ms: Option<i64>,
    usage: Usage,
    value_type: ValueType,
    name: Range<usize>,
    value: Range<usize>,
}

/// Reads a file.
pub struct RdbReader<R> {
    source: R,
    /// Bytes the source has left, if that is known.
    source_left: Option<u64>,
    window: Vec<u8>,
    /// Where in the window the next item begins.
    start: usize,
    /// The same in the file.
    offset: u64,
    checksum: Checksum,
    checksum_use: ChecksumUse,
    version: u16,
    project: Project,
    db: u32,
    /// Name of the key at hand, which may stand in another form in the file.
    name: Vec<u8>,
}

impl<R: Read> RdbReader<R> {
    /// Reads the header. `length` is that of the file, if it is known.
    ///
    /// # Errors
    /// When the source fails, or is no RDB file of a known version.
    pub fn new(
        source: R,
        length: Option<u64>,
        checksum_use: ChecksumUse,
    ) -> Result<Self, RdbFault> {
        Self::of_versions(VersionCheck::Strict, source, length, checksum_use)
    }

    /// The same for files of the versions that `version_check` allows.
    ///
    /// # Errors
    /// As those of [`RdbReader::new`].
    pub fn of_versions(
        version_check: VersionCheck,
        source: R,
        length: Option<u64>,
        checksum_use: ChecksumUse,
    ) -> Result<Self, RdbFault> {
        let mut reader = Self {
            source,
            source_left: length,
            window: Vec::new(),
            start: 0,
            offset: 0,
            checksum: Checksum::default(),
            checksum_use,
            version: 0,
            project: Project::Redis,
            db: 0,
            name: Vec::new(),
        };
        reader.require(HEADER_BYTES as u64, None)?;
        let header = version_of(&reader.window[..HEADER_BYTES]);
        let (signature, version) = header.ok_or_else(|| reader.fault(None, Reason::NotRdb))?;
        let known = match version_check {
            VersionCheck::Strict => Project::of_version(version).ok(),
            VersionCheck::Relaxed => Project::of_any_version(version, signature),
        };
        let known = known.filter(|_| version > 0);
        let refusal = Reason::Version(version);
        reader.project = known.ok_or_else(|| reader.fault(None, refusal))?;
        reader.version = version;
        reader.take(HEADER_BYTES);
        Ok(reader)
    }

    /// The version of the format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Whether the version is newer than any that is known.
    pub fn is_newer(&self) -> bool {
        Project::of_version(self.version).is_err()
    }

    /// Bytes that were taken.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The source, and what was read of it and not taken: what follows the end.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        (self.window[self.start..].to_vec(), self.source)
    }

    /// The next item.
    ///
    /// # Errors
    /// When the source fails or the file is damaged.
    pub fn read_item(&mut self) -> Result<Item<'_>, RdbFault> {
        loop {
            let (found, length) = self.find()?;
            let base = self.start;
            let at = |range: Range<usize>| base + range.start..base + range.end;
            match found {
                Found::Nothing => {}
                Found::SelectDb(db) => {
                    let refusal = Reason::Key(basalt_shard::loading::LoadFault::Database(u32::MAX));
                    let code = Some(opcode::SELECT_DB);
                    self.db = u32::try_from(db).map_err(|_| self.fault(code, refusal))?;
                }
                Found::Aux(name, value) => {
                    let name = self.text(at(name), opcode::AUX)?;
                    let value = self.text(at(value), opcode::AUX)?;
                    self.take(length);
                    return Ok(Item::Aux { name, value });
                }
                Found::Resize(keys, expiring) => {
                    self.take(length);
                    return Ok(Item::Resize { keys, expiring });
                }
                Found::Function(code) => {
                    let code = self.text(at(code), opcode::FUNCTION)?;
                    self.take(length);
                    return Ok(Item::Function(code));
                }
                Found::ModuleAux(id) => {
                    self.take(length);
                    return Ok(Item::ModuleAux(id));
                }
                Found::Key(key) => {
                    self.name = self.text(at(key.name.clone()), key.value_type.code())?;
                    self.take(length);
                    return Ok(Item::Key(Record {
                        db: self.db,
                        name: &self.name,
                        expiry_ms: key.expiry_ms,
                        usage: key.usage,
                        value_type: key.value_type,
                        project: self.project,
                        value: &self.window[at(key.value)],
                    }));
                }
                Found::End => {
                    self.take(length);
                    self.check_end()?;
                    return Ok(Item::End);
                }
            }
            self.take(length);
        }
    }

    /// Finds the next item and its length, reading as much as that takes.
    fn find(&mut self) -> Result<(Found, usize), RdbFault> {
        loop {
            let bytes = &self.window[self.start..];
            let mut skimmer = Skimmer::new(bytes);
            let first = bytes.first().copied();
            match find(&mut skimmer, bytes, self.project) {
                Ok(found) => return Ok((found, skimmer.position())),
                Err(Stop::Unended(Unended::Needs(count))) => self.require(count, first)?,
                Err(Stop::Unended(Unended::Refused(fault))) => {
                    return Err(self.fault(first, Reason::Format(fault)));
                }
                Err(Stop::Value(code, name, fault)) => {
                    let mut fault = self.fault(Some(code), fault);
                    let range = self.start + name.start..self.start + name.end;
                    fault.key = self.text(range, code).ok();
                    return Err(fault);
                }
                Err(Stop::Other(code, reason)) => return Err(self.fault(Some(code), reason)),
            }
        }
    }

    /// Reads until so many bytes are in the window from the start of the item on.
    fn require(&mut self, count: u64, opcode: Option<u8>) -> Result<(), RdbFault> {
        let present = (self.window.len() - self.start) as u64;
        let missing = count.saturating_sub(present);
        if self.source_left.is_some_and(|left| missing > left) {
            return Err(self.fault(opcode, Reason::Truncated));
        }
        self.window.drain(..self.start);
        self.start = 0;
        // As much again as there is: large records are looked at from their start each time.
        let wanted = missing.max(READ_BYTES as u64).max(present);
        let mut source = self.source.by_ref().take(wanted);
        let read = source.read_to_end(&mut self.window);
        let read = read.map_err(|error| self.fault(opcode, Reason::Io(error)))? as u64;
        if let Some(left) = &mut self.source_left {
            *left = left.saturating_sub(read);
        }
        if read < missing {
            return Err(self.fault(opcode, Reason::Truncated));
        }
        Ok(())
    }

    fn take(&mut self, length: usize) {
        if self.checksum_use == ChecksumUse::Verify {
            self.checksum.update(&self.window[self.start..self.start + length]);
        }
        self.start += length;
        self.offset += length as u64;
    }

    fn check_end(&mut self) -> Result<(), RdbFault> {
        if self.version < CHECKSUM_VERSION_MIN {
            return Ok(());
        }
        self.require(CHECKSUM_BYTES as u64, Some(opcode::EOF))?;
        let bytes = self.window[self.start..].first_chunk::<CHECKSUM_BYTES>();
        let expected = u64::from_le_bytes(*bytes.expect("they were required"));
        let found = self.checksum.value();
        // Zero stands for a file that was written without.
        let is_wrong = expected != 0 && expected != found;
        if is_wrong && self.checksum_use == ChecksumUse::Verify {
            let reason = Reason::Checksum { expected, found };
            return Err(self.fault(Some(opcode::EOF), reason));
        }
        self.start += CHECKSUM_BYTES;
        self.offset += CHECKSUM_BYTES as u64;
        Ok(())
    }

    /// The bytes of a string.
    fn text(&self, range: Range<usize>, code: u8) -> Result<Vec<u8>, RdbFault> {
        let text = Reader::new(&self.window[range], self.project).string();
        let text = text.map_err(|fault| self.fault(Some(code), Reason::Format(fault)))?;
        Ok(text.into_bytes().into_owned())
    }

    fn fault(&self, opcode: Option<u8>, reason: Reason) -> RdbFault {
        RdbFault { offset: self.offset, opcode, key: None, reason }
    }
}

/// Whose signature a header has, and the version it names.
fn version_of(header: &[u8]) -> Option<(Project, u16)> {
    let of_redis = header.strip_prefix(b"REDIS").map(|digits| (Project::Redis, digits));
    let of_valkey = || header.strip_prefix(b"VALKEY").map(|digits| (Project::Valkey, digits));
    let (signature, digits) = of_redis.or_else(of_valkey)?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let number = || digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    is_number.then(|| (signature, number()))
}

/// Why there is no item.
enum Stop {
    Unended(Unended),
    /// A value is refused: its type, the name of its key, the reason.
    Value(u8, Range<usize>, Reason),
    Other(u8, Reason),
}

impl From<Unended> for Stop {
    fn from(unended: Unended) -> Self {
        Self::Unended(unended)
    }
}

fn string(skimmer: &mut Skimmer<'_>) -> Result<Range<usize>, Unended> {
    let start = skimmer.position();
    skimmer.string()?;
    Ok(start..skimmer.position())
}

fn find<'a>(skimmer: &mut Skimmer<'a>, bytes: &'a [u8], project: Project) -> Result<Found, Stop> {
    let first = skimmer.array::<1>()?[0];
    Ok(match first {
        opcode::EOF => Found::End,
        opcode::SELECT_DB => Found::SelectDb(skimmer.length()?),
        opcode::RESIZE_DB => Found::Resize(skimmer.length()?, skimmer.length()?),
        opcode::AUX => Found::Aux(string(skimmer)?, string(skimmer)?),
        opcode::FUNCTION => Found::Function(string(skimmer)?),
        opcode::FUNCTION_BEFORE_RELEASE => return Err(Stop::Other(first, Reason::Unreleased)),
        opcode::SLOT_INFO => {
            (0..3).try_for_each(|_| skimmer.length().map(drop))?;
            Found::Nothing
        }
        opcode::MODULE_AUX => Found::ModuleAux(module_aux(skimmer)?),
        _ => {
            *skimmer = Skimmer::new(bytes);
            Found::Key(find_key(skimmer, project)?)
        }
    })
}

/// Steps over what a module has written, whatever it means.
fn module_aux(skimmer: &mut Skimmer<'_>) -> Result<u64, Stop> {
    let id = skimmer.length()?;
    loop {
        match skimmer.length()? {
            0 => return Ok(id),
            1 | 2 => _ = skimmer.length()?,
            3 => skimmer.skip(4)?,
            4 => skimmer.skip(8)?,
            5 => skimmer.string()?,
            other => {
                let byte = u8::try_from(other).unwrap_or(u8::MAX);
                return Err(Stop::Other(opcode::MODULE_AUX, Reason::Opcode(byte)));
            }
        }
    }
}

/// Why an opcode that is none of those above is refused.
fn refused_opcode(code: u8, project: Project) -> Stop {
    let what = match (code, project) {
        (opcode::KEY_META_OR_SLOT_IMPORT, Project::Redis) => {
            "written by a newer server: metadata that modules keep of keys"
        }
        (opcode::KEY_META_OR_SLOT_IMPORT, Project::Valkey) => {
            "written by a newer server: slots that were being moved to it"
        }
        (opcode::HASH_TEMPLATE, Project::Redis) => {
            "written by a newer server: hashes with templates"
        }
        _ => return Stop::Other(code, Reason::Opcode(code)),
    };
    Stop::Other(code, Reason::Format(FormatError::Unsupported(what)))
}

fn find_key(skimmer: &mut Skimmer<'_>, project: Project) -> Result<FoundKey, Stop> {
    let (mut expiry_ms, mut usage) = (None, Usage::Unsaid);
    let code = loop {
        match skimmer.array::<1>()?[0] {
            opcode::EXPIRY_MS => expiry_ms = Some(i64::from_le_bytes(skimmer.array()?)),
            opcode::EXPIRY_SECONDS => {
                let seconds = i64::from(i32::from_le_bytes(skimmer.array()?));
                expiry_ms = Some(seconds * 1000);
            }
            opcode::IDLE => usage = Usage::IdleSeconds(skimmer.length()?),
            opcode::FREQUENCY => usage = Usage::Counter(skimmer.array::<1>()?[0]),
            code if code >= opcode::LOWEST => return Err(refused_opcode(code, project)),
            code => break code,
        }
    };
    let name = string(skimmer)?;
    let refuse = |fault| Stop::Value(code, name.clone(), Reason::Format(fault));
    let value_type = ValueType::of_code(code, project).map_err(refuse)?;
    let start = skimmer.position();
    match skimmer.value(value_type) {
        Err(Unended::Refused(fault)) => return Err(refuse(fault)),
        result => result?,
    }
    Ok(FoundKey { expiry_ms, usage, value_type, name, value: start..skimmer.position() })
}
