//! The audit log: one JSON object a line, written by a thread of its own.
//!
//! ```text
//! {"time":"2026-10-01T12:05:09.007Z","class":"write","event":"command","outcome":"allowed",
//!  "user":"default","address":"127.0.0.1:60866","client":7,"db":0,"command":["SET","k","v"],
//!  "keys":1}
//! ```
//!
//! (On one line.) Cores hand records over without ever waiting: a queue of [`QUEUE_RECORDS_MAX`]
//! takes them, and what does not fit is dropped and counted (`audit_log_dropped` in INFO), as is
//! what the disk does not take. The file is opened anew on SIGHUP, and with every CONFIG SET of it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use basalt_shard::audit::AuditRecord;

use crate::config::{AuditTarget, Settings};
use crate::json;
use crate::logging::LocalTime;
use crate::syslog::Syslog;
use crate::warning;

/// Records that wait to be written. With the longest of command lines that is 40 MB.
const QUEUE_RECORDS_MAX: usize = 8192;

/// Bytes that are written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// Who may read the file: the user of the server.
const FILE_MODE: u32 = 0o600;

enum Message {
    Record(Box<AuditRecord>),
    /// The sink is another, or is to be opened anew.
    Look,
}

/// Where lines go.
enum Sink {
    Nowhere,
    File(PathBuf, File),
    Syslog(Box<Syslog>),
}

/// What the writer and those who steer it share.
#[derive(Default)]
struct Shared {
    /// A sink to be used from now on.
    next: Mutex<Option<Sink>>,
    dropped: AtomicU64,
}

/// The end of the cores.
#[derive(Default)]
pub struct Audit {
    queue: OnceLock<SyncSender<Message>>,
    shared: Arc<Shared>,
}

impl Audit {
    /// Writes to where the settings say from now on.
    ///
    /// # Errors
    /// The file cannot be opened; then everything stays as it was.
    pub fn follow(&self, settings: &Settings) -> io::Result<()> {
        let observation = &settings.observation;
        let sink = match observation.audit_log {
            AuditTarget::Off => Sink::Nowhere,
            AuditTarget::File => open(&settings.directory.join(&observation.audit_log_file))?,
            AuditTarget::Syslog => Sink::Syslog(Box::new(Syslog::new(
                &settings.syslog_ident,
                settings.syslog_facility,
            ))),
        };
        let is_idle = matches!(sink, Sink::Nowhere);
        *self.shared.next.lock().expect("the lock is held for a move only") = Some(sink);
        match self.queue.get() {
            // With the queue full it looks anyway.
            Some(queue) => drop(queue.try_send(Message::Look)),
            None if is_idle => {}
            None => self.start()?,
        }
        Ok(())
    }

    fn start(&self) -> io::Result<()> {
        let (queue, records) = sync_channel(QUEUE_RECORDS_MAX);
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new().name("audit".into()).spawn(move || write(&records, &shared))?;
        // Only the configuration lock's holder comes here, so nobody was faster.
        let _ = self.queue.set(queue);
        Ok(())
    }

    /// Hands a record over, or drops and counts it. Never waits.
    pub fn tell(&self, record: AuditRecord) {
        let Some(queue) = self.queue.get() else { return };
        if queue.try_send(Message::Record(Box::new(record))).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many records were lost.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

fn open(path: &Path) -> io::Result<Sink> {
    let file = OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(path)?;
    Ok(Sink::File(path.to_owned(), file))
}

/// The thread that writes.
fn write(records: &Receiver<Message>, shared: &Shared) {
    let (mut sink, mut batch, mut is_failing) = (Sink::Nowhere, String::new(), false);
    while let Ok(first) = records.recv() {
        if let Some(next) = shared.next.lock().expect("the lock is held for a move only").take() {
            sink = next;
        }
        batch.clear();
        let mut lines = 0;
        let rest = std::iter::from_fn(|| records.try_recv().ok());
        for message in std::iter::once(first).chain(rest) {
            if let Message::Record(record) = message {
                push_line(&mut batch, &record);
                lines += 1;
            }
            if batch.len() >= BATCH_BYTES {
                break;
            }
        }
        let result = put(&mut sink, &batch);
        if let Err(error) = &result {
            shared.dropped.fetch_add(lines, Ordering::Relaxed);
            if !is_failing {
                warning!("The audit log cannot be written: {error}");
            }
        }
        is_failing = result.is_err();
    }
}

fn put(sink: &mut Sink, lines: &str) -> io::Result<()> {
    match sink {
        Sink::Nowhere => Ok(()),
        Sink::File(path, file) => file
            .write_all(lines.as_bytes())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        Sink::Syslog(syslog) => {
            let now = LocalTime::at(std::time::SystemTime::now());
            for line in lines.lines() {
                syslog.send(log::Level::Info, &now, line.as_bytes());
            }
            Ok(())
        }
    }
}

fn push_line(text: &mut String, record: &AuditRecord) {
    let words: Vec<String> = record.command.iter().map(|word| json::quote(word)).collect();
    writeln!(
        text,
        "{{\"time\":\"{}\",\"class\":\"{}\",\"event\":\"{}\",\"outcome\":\"{}\",\"user\":{},\
         \"address\":{},\"client\":{},\"db\":{},\"command\":[{}],\"keys\":{}}}",
        utc(record.unix_ms),
        record.class.name(),
        record.event.name(),
        if record.is_allowed { "allowed" } else { "denied" },
        json::quote(&record.user),
        json::quote(record.peer.as_bytes()),
        record.client_id,
        record.db,
        words.join(","),
        record.key_count,
    )
    .expect("a string takes all");
}

/// A moment as RFC 3339 writes it, in UTC: days are counted from March on, so that the leap day is
/// the last of its year.
fn utc(unix_ms: i64) -> String {
    let (days, ms) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000 - 1), "2000-02-28T23:59:59.999Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_709_251_199_007), "2024-02-29T23:59:59.007Z");
        assert_eq!(utc(1_798_761_600_000), "2027-01-01T00:00:00.000Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999Z");
    }
}
