//! The log: lines in the format of Redis, which tools and people know how to read.
//!
//! ```text
//! 15630:M 21 Nov 2026 00:47:39.716 * Ready to accept connections tcp
//! |     | |                        |
//! |     | local time               level: . debug  - verbose  * notice  # warning
//! |     role: C starting or child, M primary, S replica, X sentinel
//! process
//! ```
//!
//! Code logs through the `log` crate, or better through the macros [`warning!`](crate::warning),
//! [`notice!`](crate::notice), [`verbose!`](crate::verbose) and [`debug!`](crate::debug), which
//! use the names operators know. The levels of the crate are one step off:
//!
//! ```text
//! Redis     debug   verbose  notice  warning
//! log       Trace   Debug    Info    Warn, Error
//! ```
//!
//! Lines go to standard output or are appended to a file, and may go to syslog as well. The file
//! is opened anew by [`reopen`], so that it can be moved away by whoever rotates logs.
//!
//! Never on the path of a command: a line takes a lock and a system call. A line that can't be
//! written is lost, for there is nowhere to say so. Lines are cut at [`LINE_BYTES_MAX`].

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Metadata, Record};

use crate::config::LogLevel;
use crate::syslog::Syslog;

/// Most bytes of a line; what is longer loses its end.
pub const LINE_BYTES_MAX: usize = 4096;

/// Logs what needs attention.
#[macro_export]
macro_rules! warning {
    ($($message:tt)+) => { ::log::warn!($($message)+) };
}

/// Logs what operators want to see.
#[macro_export]
macro_rules! notice {
    ($($message:tt)+) => { ::log::info!($($message)+) };
}

/// Logs what is rarely useful, yet no noise.
#[macro_export]
macro_rules! verbose {
    ($($message:tt)+) => { ::log::debug!($($message)+) };
}

/// Logs what helps to find a mistake in the server.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { ::log::trace!($($message)+) };
}

/// What the process is, as the lines of the log say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Starting up, or a child process.
    Child,
    /// Serving as a primary.
    Primary,
    /// Serving as a replica.
    Replica,
    /// Watching over others.
    Sentinel,
}

impl Role {
    const fn letter(self) -> u8 {
        match self {
            Role::Child => b'C',
            Role::Primary => b'M',
            Role::Replica => b'S',
            Role::Sentinel => b'X',
        }
    }
}

/// Where the log goes besides standard output.
#[derive(Debug, Default)]
pub struct Destination {
    /// A file to append to instead of writing to standard output. Better absolute: it may be
    /// opened again after the working directory changed.
    pub file: Option<PathBuf>,
    /// A mirror of every line.
    pub syslog: Option<Syslog>,
}

struct Output {
    destination: Destination,
    /// Open as long as the destination names a file.
    file: Option<File>,
    /// Reused by every line.
    line: Vec<u8>,
}

struct Logger {
    output: Mutex<Output>,
    role: AtomicU8,
}

static LOGGER: Logger = Logger {
    output: Mutex::new(Output {
        destination: Destination { file: None, syslog: None },
        file: None,
        line: Vec::new(),
    }),
    role: AtomicU8::new(Role::Child.letter()),
};

/// Where the crash report goes: it can't take the lock.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(libc::STDOUT_FILENO);

/// Starts logging, or sends the log elsewhere from now on.
///
/// # Errors
///
/// Fails where the file can't be opened to append to it; the log then goes where it went before.
///
/// # Panics
///
/// Panics where another logger was installed in this process.
pub fn start(destination: Destination, level: LogLevel) -> io::Result<()> {
    let file = destination.file.as_ref().map(open_to_append).transpose()?;
    {
        let mut output = lock();
        output.destination = destination;
        output.replace_file(file);
    }
    if log::set_logger(&LOGGER).is_err() {
        let ours = std::ptr::from_ref::<dyn log::Log>(&LOGGER).cast::<()>();
        let installed = std::ptr::from_ref(log::logger()).cast::<()>();
        assert!(ours == installed, "another logger is installed");
    }
    set_level(level);
    Ok(())
}

/// Changes how much is logged, at once and for all threads.
pub fn set_level(level: LogLevel) {
    log::set_max_level(match level {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

/// Changes the role that lines show.
pub fn set_role(role: Role) {
    LOGGER.role.store(role.letter(), Ordering::Relaxed);
}

/// Opens the log file anew, which makes it where it was moved away.
///
/// # Errors
///
/// Fails where it can't be opened; the log then goes on into the old file.
pub fn reopen() -> io::Result<()> {
    let mut output = lock();
    let file = output.destination.file.as_ref().map(open_to_append).transpose()?;
    output.replace_file(file);
    Ok(())
}

/// Writes text as it is, without process, time and level. For the logo and for reports.
pub fn raw(text: &str) {
    let mut output = lock();
    output.write(text.as_bytes());
}

/// The descriptor that lines are written to, for the crash report only.
pub(crate) fn descriptor() -> RawFd {
    DESCRIPTOR.load(Ordering::Relaxed)
}

fn lock() -> std::sync::MutexGuard<'static, Output> {
    // A thread that panicked while it wrote a line left nothing behind that could be wrong.
    LOGGER.output.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn open_to_append(path: &PathBuf) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

impl Output {
    fn replace_file(&mut self, file: Option<File>) {
        let descriptor = file.as_ref().map_or(libc::STDOUT_FILENO, File::as_raw_fd);
        // First, so that a crash does not write to a descriptor that is closed already.
        DESCRIPTOR.store(descriptor, Ordering::Relaxed);
        self.file = file;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Nobody is left to hear of an error here.
        let _ = match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
        };
    }

    fn log(&mut self, role: u8, level: Level, message: fmt::Arguments<'_>) {
        let now = SystemTime::now();
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let start = format_line(&mut line, role, level, &LocalTime::at(now), message);
        self.write(&line);
        if let Some(syslog) = &mut self.destination.syslog {
            syslog.send(level, &LocalTime::at(now), &line[start..line.len() - 1]);
        }
        self.line = line;
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            lock().log(self.role.load(Ordering::Relaxed), record.level(), *record.args());
        }
    }

    fn flush(&self) {}
}

/// Writes one line with its line break. Returns where in it the message starts.
fn format_line(
    line: &mut Vec<u8>,
    role: u8,
    level: Level,
    time: &LocalTime,
    message: fmt::Arguments<'_>,
) -> usize {
    let mark = match level {
        Level::Error | Level::Warn => '#',
        Level::Info => '*',
        Level::Debug => '-',
        Level::Trace => '.',
    };
    let mut line = Bounded { line };
    let process = std::process::id();
    // Writing to memory does not fail.
    let _ = write!(line, "{process}:{} {time} {mark} ", char::from(role));
    let start = line.line.len();
    let _ = line.write_fmt(message);
    line.line.push(b'\n');
    start
}

/// Takes no more text than a line may have.
struct Bounded<'a> {
    line: &'a mut Vec<u8>,
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (LINE_BYTES_MAX - 1).saturating_sub(self.line.len());
        let end = text.floor_char_boundary(room);
        self.line.extend(&text.as_bytes()[..end]);
        Ok(())
    }
}

/// A moment on the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalTime {
    pub(crate) year: i32,
    /// Counted from zero.
    pub(crate) month: usize,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    pub(crate) milliseconds: u32,
}

/// Names of the months, which logs write in English everywhere.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl LocalTime {
    /// The local time at a moment, by the time zone of the process.
    pub(crate) fn at(moment: SystemTime) -> LocalTime {
        let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = libc::time_t::try_from(since_epoch.as_secs()).unwrap_or(libc::time_t::MAX);
        // SAFETY: all fields of `tm` are numbers or a pointer, for which zero is a value.
        let mut parts: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are valid for the call, which keeps neither. Where it fails it
        // leaves zeroes, which print as some day in 1900.
        unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
        LocalTime {
            year: parts.tm_year.saturating_add(1900),
            month: usize::try_from(parts.tm_mon).unwrap_or(0) % MONTHS.len(),
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            milliseconds: since_epoch.subsec_millis(),
        }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocalTime { year, month, day, hour, minute, second, milliseconds } = self;
        let month = MONTHS[*month];
        write!(out, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{milliseconds:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: LocalTime = LocalTime {
        year: 2026,
        month: 10,
        day: 1,
        hour: 12,
        minute: 5,
        second: 9,
        milliseconds: 7,
    };

    fn line_of(level: Level, message: fmt::Arguments<'_>) -> String {
        let mut line = Vec::new();
        let start = format_line(&mut line, b'M', level, &NOON, message);
        assert!(line.len() <= LINE_BYTES_MAX && start < line.len());
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn lines_have_the_format_of_redis() {
        let process = std::process::id();
        for (level, mark) in [
            (Level::Error, '#'),
            (Level::Warn, '#'),
            (Level::Info, '*'),
            (Level::Debug, '-'),
            (Level::Trace, '.'),
        ] {
            assert_eq!(
                line_of(level, format_args!("Server {}", "initialized")),
                format!("{process}:M 01 Nov 2026 12:05:09.007 {mark} Server initialized\n")
            );
        }
    }

    #[test]
    fn long_lines_lose_their_end() {
        let line = line_of(Level::Info, format_args!("{}", "\u{e4}".repeat(LINE_BYTES_MAX)));
        assert!(line.ends_with("\u{e4}\n"));
        assert!(line.len() >= LINE_BYTES_MAX - 2, "{} bytes", line.len());
    }

    #[test]
    fn time_goes_on() {
        let now = LocalTime::at(SystemTime::now());
        assert!(now.year >= 2024 && (1..=31).contains(&now.day), "{now:?}");
        let moment = UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_123);
        let then = LocalTime::at(moment);
        assert_eq!((then.second, then.milliseconds), (20, 123));
    }

    #[test]
    fn the_log_follows_its_file() {
        // The only test that installs the logger, which is one for the whole process.
        let directory = std::env::temp_dir();
        let path = directory.join(format!("basalt-log-{}", std::process::id()));
        let moved = path.with_extension("1");
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a log");
        let destination = || Destination { file: Some(path.clone()), syslog: None };
        start(destination(), LogLevel::Notice).expect("a log file");
        set_role(Role::Primary);
        crate::notice!("first {}", 1);
        crate::verbose!("unheard");
        std::fs::rename(&path, &moved).expect("a rename");
        crate::warning!("second");
        reopen().expect("a log file");
        set_level(LogLevel::Debug);
        crate::debug!("third");
        raw("as it is\n");
        set_level(LogLevel::Nothing);
        crate::warning!("unheard");
        let missing = Destination { file: Some("/no/where".into()), syslog: None };
        start(missing, LogLevel::Notice).expect_err("there is no such directory");
        start(destination(), LogLevel::Notice).expect("starting twice is allowed");
        start(Destination::default(), LogLevel::Nothing).expect("standard output");
        assert_eq!(descriptor(), libc::STDOUT_FILENO);

        let (old, new) = (read(&moved), read(&path));
        let ours =
            |text: &str, what: &str| text.lines().filter(|line| line.ends_with(what)).count();
        assert_eq!((ours(&old, "* first 1"), ours(&old, "# second")), (1, 1));
        assert_eq!((ours(&new, ". third"), ours(&new, "as it is")), (1, 1));
        assert_eq!(ours(&old, "unheard") + ours(&new, "unheard"), 0);
        for path in [path, moved] {
            std::fs::remove_file(path).expect("our own file");
        }
    }
}
