//! The process and its surroundings: background, process file, open files.
//!
//! The order at start matters. Going into the background forks, which only the calling thread
//! survives, so it comes before any thread; the process file comes after it, since the number is
//! another one then.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::config::value::system_error_text;
use crate::{notice, warning};

/// Where the number of a background process goes when nothing else was said.
const PID_FILE_DEFAULT: &str = "/var/run/redis.pid";

/// Descriptors that are not for clients: listeners, files, rings, the log.
pub const RESERVED_FILES: u64 = 32;

/// Moves the process into the background: a child of its own session goes on, with standard
/// input and outputs at `/dev/null`; the calling process ends.
///
/// # Errors
///
/// Fails where the kernel gives no process or session.
///
/// # Panics
///
/// Panics where the process has more than one thread: the others would silently be gone.
pub fn daemonize() -> io::Result<()> {
    let threads_count = fs::read_dir("/proc/self/task")?.count();
    assert_eq!(threads_count, 1, "going into the background loses all threads but one");
    // SAFETY: there is one thread, so no lock is held that the child would wait for.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: ends the process without running what its child will run at its own end.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: takes no pointers.
    if unsafe { libc::setsid() } == -1 {
        return Err(io::Error::last_os_error());
    }
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both descriptors are open, and nobody owns the one that is replaced.
        if unsafe { libc::dup2(nowhere.as_raw_fd(), standard) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The file that holds the number of the process, gone when this value goes.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file where one is wanted: `pidfile` is set, or the server went into the
    /// background by itself. A file that can't be written is logged and no reason to stop.
    pub fn create(settings: &Settings, is_background: bool) -> Option<PidFile> {
        let path = match &settings.pidfile {
            Some(path) => settings.directory.join(path),
            None if is_background => PathBuf::from(PID_FILE_DEFAULT),
            None => return None,
        };
        match write_process_number(&path) {
            Ok(()) => Some(PidFile { path }),
            Err(error) => {
                warning!("Failed to write PID file: {}", system_error_text(&error));
                None
            }
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        notice!("Removing the pid file.");
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}

fn write_process_number(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    writeln!(file, "{}", std::process::id())
}

/// The server can't have a single client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewFiles;

impl std::fmt::Display for TooFewFiles {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("not enough open files are allowed for a single client")
    }
}

impl std::error::Error for TooFewFiles {}

/// Raises the number of open files to what `maxclients` clients need and logs what came of it.
///
/// Returns how many clients there may be: `maxclients`, or fewer where the kernel does not allow
/// that many files.
///
/// # Errors
///
/// Fails where not even one client would be possible; the reason was logged.
pub fn raise_open_files(maxclients: u32) -> Result<u32, TooFewFiles> {
    let wanted = u64::from(maxclients) + RESERVED_FILES;
    let limit = match open_files_limit() {
        Ok(limit) => limit,
        Err(error) => {
            warning!(
                "Unable to obtain the current NOFILE limit ({}), assuming 1024 and setting the \
                 max clients configuration accordingly.",
                system_error_text(&error)
            );
            return clients_for(1024, maxclients).ok_or(TooFewFiles);
        }
    };
    if limit.rlim_cur >= wanted {
        return Ok(maxclients);
    }
    let mut reached = limit.rlim_cur;
    let mut refusal = None;
    for attempt in attempts(limit, wanted, kernel_open_files()) {
        match set_open_files_limit(attempt) {
            Ok(()) => {
                reached = attempt.rlim_cur;
                break;
            }
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    report_open_files(maxclients, limit.rlim_cur, reached, refusal)
}

/// Limits worth trying, the best first. Raising the hard limit takes a privilege, and not even
/// that goes beyond the kernel's own limit.
fn attempts(limit: libc::rlimit, wanted: u64, kernel_max: u64) -> Vec<libc::rlimit> {
    let raised = |files: u64| libc::rlimit { rlim_cur: files, rlim_max: files.max(limit.rlim_max) };
    let mut attempts = vec![raised(wanted)];
    for files in [wanted.min(kernel_max), wanted.min(limit.rlim_max)] {
        let is_new = attempts.iter().all(|attempt| attempt.rlim_cur > files);
        if is_new && files > limit.rlim_cur {
            attempts.push(raised(files));
        }
    }
    attempts
}

/// How many clients so many files are enough for; `None` for not a single one.
fn clients_for(files: u64, maxclients: u32) -> Option<u32> {
    let clients = files.checked_sub(RESERVED_FILES).filter(|clients| *clients > 0)?;
    Some(u32::try_from(clients).unwrap_or(u32::MAX).min(maxclients))
}

/// Says what came of raising the limit, in the words of Redis.
fn report_open_files(
    maxclients: u32,
    before: u64,
    reached: u64,
    refusal: Option<io::Error>,
) -> Result<u32, TooFewFiles> {
    let wanted = u64::from(maxclients) + RESERVED_FILES;
    if reached >= wanted {
        notice!(
            "Increased maximum number of open files to {wanted} (it was originally set to \
             {before})."
        );
        return Ok(maxclients);
    }
    let Some(clients) = clients_for(reached, maxclients) else {
        warning!(
            "Your current 'ulimit -n' of {before} is not enough for the server to start. Please \
             increase your open file limit to at least {wanted}. Exiting."
        );
        return Err(TooFewFiles);
    };
    let reason = refusal.as_ref().map(system_error_text).unwrap_or_default();
    warning!(
        "You requested maxclients of {maxclients} requiring at least {wanted} max file \
         descriptors."
    );
    warning!("Server can't set maximum open files to {wanted} because of OS error: {reason}.");
    warning!(
        "Current maximum open files is {reached}. maxclients has been reduced to {clients} to \
         compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    );
    Ok(clients)
}

fn open_files_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the call, which keeps it not.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_open_files_limit(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is valid for the call, which keeps it not.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How many files the kernel lets any process open.
fn kernel_open_files() -> u64 {
    let text = fs::read_to_string("/proc/sys/fs/nr_open");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    #[should_panic(expected = "loses all threads but one")]
    fn threads_do_not_survive_the_background() {
        // Tests run in a thread of their own, so there are at least two.
        let _ = daemonize();
    }

    #[test]
    fn the_pid_file_lives_as_long_as_its_value() {
        let path = std::env::temp_dir().join(format!("basalt-pid-{}", std::process::id()));
        let mut settings = Config::default().settings();
        assert!(PidFile::create(&settings, false).is_none());
        settings.pidfile = Some(path.clone());
        let file = PidFile::create(&settings, false).expect("a pid file");
        assert_eq!(file.path(), path);
        let content = fs::read_to_string(&path).expect("it was written");
        assert_eq!(content, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        settings.pidfile = Some("/no/where".into());
        assert!(PidFile::create(&settings, true).is_none());
    }

    #[test]
    fn relative_pid_files_start_from_the_directory() {
        let mut settings = Config::default().settings();
        settings.directory = std::env::temp_dir();
        settings.pidfile = Some(format!("basalt-relative-pid-{}", std::process::id()).into());
        let file = PidFile::create(&settings, false).expect("a pid file");
        assert!(file.path().starts_with(std::env::temp_dir()) && file.path().exists());
    }

    #[test]
    fn enough_files_change_nothing() {
        let before = open_files_limit().expect("a limit");
        assert_eq!(raise_open_files(1), Ok(1));
        let after = open_files_limit().expect("a limit");
        assert_eq!((before.rlim_cur, before.rlim_max), (after.rlim_cur, after.rlim_max));
    }

    #[track_caller]
    fn check_attempts(soft: u64, hard: u64, wanted: u64, kernel_max: u64, expected: &[(u64, u64)]) {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        let found = attempts(limit, wanted, kernel_max);
        let found: Vec<_> =
            found.iter().map(|attempt| (attempt.rlim_cur, attempt.rlim_max)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn limits_are_tried_from_the_best_down() {
        check_attempts(1024, 4096, 2000, 1 << 20, &[(2000, 4096)]);
        check_attempts(1024, 4096, 9000, 1 << 20, &[(9000, 9000), (4096, 4096)]);
        check_attempts(1024, 1024, 9000, 1 << 20, &[(9000, 9000)]);
        check_attempts(
            1024,
            4096,
            2 << 20,
            1 << 20,
            &[(2 << 20, 2 << 20), (1 << 20, 1 << 20), (4096, 4096)],
        );
    }

    #[test]
    fn clients_shrink_to_the_files_there_are() {
        let refused = || Some(io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(report_open_files(10_000, 1024, 10_032, None), Ok(10_000));
        assert_eq!(report_open_files(10_000, 1024, 4096, refused()), Ok(4064));
        assert_eq!(report_open_files(10_000, 33, 33, refused()), Ok(1));
        assert_eq!(report_open_files(10_000, 32, 32, refused()), Err(TooFewFiles));
        assert_eq!(report_open_files(10_000, 0, 0, refused()), Err(TooFewFiles));
        assert_eq!(clients_for(u64::MAX, 5), Some(5));
    }
}
