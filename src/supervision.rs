//! Telling the program that started the server how it is doing.
//!
//! systemd listens on the socket that `NOTIFY_SOCKET` names; upstart, of old, waits until the
//! process it started stops itself. `supervised auto` looks which of them is there. A supervised
//! server never goes into the background: its supervisor would lose it.

use sd_notify::NotifyState;

use crate::config::Supervisor;
use crate::config::value::system_error_text;
use crate::{notice, signals, warning};

/// Who is told, after looking whether they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Nobody.
    None,
    /// systemd.
    Systemd,
    /// upstart.
    Upstart,
}

impl Supervision {
    /// Finds out who is there, of those the configuration names. Logs who was missing.
    pub fn detect(configured: Supervisor) -> Supervision {
        Supervision::detect_in(configured, |name| std::env::var_os(name).is_some())
    }

    fn detect_in(configured: Supervisor, is_set: impl Fn(&str) -> bool) -> Supervision {
        let has_systemd = is_set("NOTIFY_SOCKET");
        let has_upstart = is_set("UPSTART_JOB");
        match configured {
            Supervisor::Upstart | Supervisor::Auto if has_upstart => {
                notice!("supervised by upstart, will stop to signal readiness.");
                Supervision::Upstart
            }
            Supervisor::Systemd | Supervisor::Auto if has_systemd => {
                notice!(
                    "Supervised by systemd. Please make sure you set appropriate values for \
                     TimeoutStartSec and TimeoutStopSec in your service unit."
                );
                Supervision::Systemd
            }
            Supervisor::Upstart => {
                warning!("upstart supervision requested, but UPSTART_JOB not found!");
                Supervision::None
            }
            Supervisor::Systemd => {
                warning!("systemd supervision error: NOTIFY_SOCKET not found!");
                Supervision::None
            }
            Supervisor::No | Supervisor::Auto => Supervision::None,
        }
    }

    /// The name INFO shows.
    pub fn name(self) -> &'static str {
        match self {
            Supervision::None => "no",
            Supervision::Systemd => "systemd",
            Supervision::Upstart => "upstart",
        }
    }

    /// Whether somebody is told.
    pub fn is_supervised(self) -> bool {
        self != Supervision::None
    }

    /// Says that clients are served from now on. Under upstart, stops until it says go on.
    pub fn ready(self) {
        match self {
            Supervision::None => {}
            Supervision::Systemd => {
                notify(&[NotifyState::Status("Ready to accept connections"), NotifyState::Ready])
            }
            Supervision::Upstart => signals::stop_process(),
        }
    }

    /// Says in words what goes on.
    pub fn status(self, text: &str) {
        if self == Supervision::Systemd {
            notify(&[NotifyState::Status(text)]);
        }
    }

    /// Says that the server is shutting down.
    pub fn stopping(self) {
        if self == Supervision::Systemd {
            notify(&[NotifyState::Stopping]);
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warning!("systemd could not be told: {}", system_error_text(&error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    #[test]
    fn detection_follows_configuration_and_environment() {
        use Supervision as S;
        for (configured, set, expected) in [
            (Supervisor::No, &["NOTIFY_SOCKET", "UPSTART_JOB"][..], S::None),
            (Supervisor::Auto, &[], S::None),
            (Supervisor::Auto, &["NOTIFY_SOCKET"], S::Systemd),
            (Supervisor::Auto, &["UPSTART_JOB"], S::Upstart),
            (Supervisor::Systemd, &["UPSTART_JOB"], S::None),
            (Supervisor::Systemd, &["NOTIFY_SOCKET"], S::Systemd),
            (Supervisor::Upstart, &["NOTIFY_SOCKET"], S::None),
            (Supervisor::Upstart, &["UPSTART_JOB"], S::Upstart),
        ] {
            let found = Supervision::detect_in(configured, |name| set.contains(&name));
            assert_eq!(found, expected, "{configured:?} {set:?}");
            assert_eq!(found.is_supervised(), expected != S::None);
        }
    }

    #[test]
    fn systemd_hears_of_everything() {
        const PLAYED: &str = "BASALT_TEST_SUPERVISION";
        if std::env::var_os(PLAYED).is_some() {
            let supervision = Supervision::detect(Supervisor::Auto);
            supervision.ready();
            supervision.status("Loading");
            supervision.stopping();
            return;
        }
        let path = std::env::temp_dir().join(format!("basalt-notify-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        // The environment is the process's, so the server is played by another one.
        let status = Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "supervision::tests::systemd_hears_of_everything"])
            .env(PLAYED, "1")
            .env("NOTIFY_SOCKET", &path)
            .env_remove("UPSTART_JOB")
            .stdout(std::process::Stdio::null())
            .status()
            .expect("a process");
        assert!(status.success());
        let mut buffer = [0; 256];
        socket.set_nonblocking(true).expect("a flag");
        for expected in
            ["STATUS=Ready to accept connections\nREADY=1\n", "STATUS=Loading\n", "STOPPING=1\n"]
        {
            let length = socket.recv(&mut buffer).expect("a datagram");
            assert_eq!(std::str::from_utf8(&buffer[..length]), Ok(expected));
        }
        std::fs::remove_file(&path).expect("our own socket");
    }
}
