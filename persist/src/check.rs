//! What `basalt-check-rdb` does: reads a whole file, decodes every value, and tells what it found.
//!
//! The lines are those of `redis-check-rdb`, since scripts read them.

use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use basalt_shard::clock::Now;
use basalt_shard::loading::Loaded;
use basalt_shard::rdb::opcode;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::fault::{RdbFault, Reason};
use crate::reader::{ChecksumUse, Item, RdbReader};

/// What was found in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Keys.
    pub keys: u64,
    /// Those of them that expire.
    pub expiring: u64,
    /// Those of them whose time has come.
    pub expired: u64,
    /// Libraries of functions.
    pub functions: u64,
}

/// How a check ended.
#[derive(Debug)]
pub struct Verdict {
    /// What was found up to there.
    pub summary: Summary,
    /// What is wrong, if anything is.
    pub fault: Option<RdbFault>,
}

/// Checks a file and writes a line for whatever it tells about itself. `length` is its length, if
/// that is known.
///
/// # Errors
/// When the report cannot be written.
pub fn check<R: Read>(
    source: R,
    length: Option<u64>,
    report: &mut dyn Write,
) -> std::io::Result<Verdict> {
    let mut summary = Summary::default();
    let mut reader = match RdbReader::new(source, length, ChecksumUse::Verify) {
        Ok(reader) => reader,
        Err(fault) => return Ok(Verdict { summary, fault: Some(fault) }),
    };
    let mut checker = Checker::new();
    loop {
        let offset = reader.offset();
        let fault = match reader.read_item() {
            Ok(Item::End) => {
                writeln!(report, "[offset {offset}] Checksum OK")?;
                return Ok(Verdict { summary, fault: None });
            }
            Ok(item) => checker.look_at(item, offset, &mut summary, report)?,
            Err(fault) => Some(fault),
        };
        if fault.is_some() {
            return Ok(Verdict { summary, fault });
        }
    }
}

/// Decodes values as a server would.
struct Checker {
    store: Store,
    db: Option<u32>,
}

impl Checker {
    fn new() -> Self {
        let mut store = Store::new(std::iter::empty(), 0, 0, Settings::default().into());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_us = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        store.set_now(Now { unix_us, ..Now::default() });
        Self { store, db: None }
    }

    fn look_at(
        &mut self,
        item: Item<'_>,
        offset: u64,
        summary: &mut Summary,
        report: &mut dyn Write,
    ) -> std::io::Result<Option<RdbFault>> {
        match item {
            Item::Aux { name, value } => {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                writeln!(report, "[offset {offset}] AUX FIELD {name} = '{value}'")?;
            }
            Item::Function(_) => summary.functions += 1,
            Item::ModuleAux(id) => writeln!(report, "[offset {offset}] MODULE AUX of {id}")?,
            Item::Key(record) => {
                if self.db.replace(record.db) != Some(record.db) {
                    writeln!(report, "[offset {offset}] Selecting DB ID {}", record.db)?;
                }
                summary.keys += 1;
                summary.expiring += u64::from(record.expiry_ms.is_some());
                match self.store.verify(&record) {
                    Ok(outcome) => summary.expired += u64::from(outcome == Loaded::Expired),
                    Err(fault) => {
                        return Ok(Some(RdbFault {
                            offset,
                            opcode: Some(record.value_type.code()),
                            key: Some(record.name.to_vec()),
                            reason: Reason::Key(fault),
                        }));
                    }
                }
            }
            Item::Resize { .. } | Item::End => {}
        }
        Ok(None)
    }
}

impl Verdict {
    /// Writes the last lines of a report.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, report: &mut dyn Write) -> std::io::Result<()> {
        match &self.fault {
            None => writeln!(report, "\\o/ RDB looks OK! \\o/")?,
            Some(fault) => {
                writeln!(report, "--- RDB ERROR DETECTED ---")?;
                writeln!(report, "[offset {}] {}", fault.offset, fault.reason)?;
                if let Some(key) = &fault.key {
                    writeln!(report, "[additional info] Reading key '{}'", key.escape_ascii())?;
                }
                match fault.opcode {
                    Some(code) if code >= opcode::LOWEST => {
                        let name = opcode::name(code);
                        writeln!(report, "[additional info] Reading opcode {code} ({name})")?;
                    }
                    Some(code) => writeln!(report, "[additional info] Reading type {code}")?,
                    None => {}
                }
            }
        }
        let Summary { keys, expiring, expired, functions } = self.summary;
        writeln!(report, "[info] {keys} keys read")?;
        writeln!(report, "[info] {expiring} expires")?;
        writeln!(report, "[info] {expired} already expired")?;
        if functions > 0 {
            writeln!(report, "[info] {functions} function libraries")?;
        }
        Ok(())
    }
}
