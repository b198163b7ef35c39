//! What the server says while it starts. Tools wait for some of these lines, word by word.
//!
//! ```text
//! starting            oO0OoO0OoO0Oo Basalt is starting oO0OoO0OoO0Oo
//!                     Basalt version=0.1.0, bits=64, commit=..., modified=0, pid=1, just started
//! configured          Configuration loaded
//! running             Running mode=standalone, port=6379.     or the logo, which says it, too
//! initialized         Server initialized
//! ready               Ready to accept connections tcp
//! ```

use std::io::IsTerminal;

use basalt_shard::commands::connection::REDIS_VERSION;

use crate::config::Settings;
use crate::{logging, notice, warning};

/// The version of the server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where the build was told.
pub const COMMIT: &str = match option_env!("BASALT_COMMIT") {
    Some(commit) => commit,
    None => "00000000",
};

/// What `--version` prints. Tools read from `v=` what a server can do, as they do from INFO's
/// `redis_version`, so it tells the version of Redis that Basalt is compatible with; its own is
/// behind `build=`.
pub fn version() -> String {
    let bits = usize::BITS;
    format!(
        "Basalt server v={REDIS_VERSION} sha={COMMIT}:0 malloc=jemalloc bits={bits} \
         build=basalt-{VERSION}\n"
    )
}

/// The first lines, once the log is open and the process is the one that stays.
pub fn starting() {
    notice!("oO0OoO0OoO0Oo Basalt is starting oO0OoO0OoO0Oo");
    notice!(
        "Basalt version={VERSION}, bits={}, commit={COMMIT}, modified=0, pid={}, just started",
        usize::BITS,
        std::process::id()
    );
}

/// Says whether anybody configured the server. `program` is its name on the command line.
pub fn configured(has_arguments: bool, program: &str) {
    if has_arguments {
        notice!("Configuration loaded");
        return;
    }
    warning!(
        "Warning: no config file specified, using the default config. In order to specify a \
         config file use {program} /path/to/basalt.conf"
    );
}

/// Says what the server is: by the logo where somebody looks at it or it was asked for, else in
/// one line.
pub fn running(settings: &Settings) {
    let port = if settings.port == 0 { settings.tls.port } else { settings.port };
    let goes_to_terminal = !settings.syslog.is_enabled
        && settings.logfile.is_none()
        && std::io::stdout().is_terminal();
    if goes_to_terminal || settings.always_show_logo {
        logging::raw(&logo(port, std::process::id()));
    } else {
        notice!("Running mode=standalone, port={port}.");
        notice!("Serving as process PID: {}", std::process::id());
    }
}

/// Everything is in place but the data.
pub fn initialized() {
    notice!("Server initialized");
}

/// Clients are served from now on. Once for each way they may come.
pub fn ready(name: &str) {
    notice!("Ready to accept connections {name}");
}

/// Three columns of stone, and who is at home.
fn logo(port: u16, process: u32) -> String {
    format!(
        r"
           ______
          /      \
    _____/|\____/|\_____       Basalt {VERSION} ({COMMIT}/0) {bits} bit
   /     \|      |/     \
  |\_____/|      |\_____/|      Running in standalone mode
  |      ||      ||      |      Port: {port}
  |      ||      ||      |      PID: {process}
  |      ||      ||      |
   \_____||______||_____/

",
        bits = usize::BITS
    )
}

#[cfg(test)]
mod tests {
    use super::{REDIS_VERSION, VERSION, logo, version};

    #[test]
    fn the_logo_says_what_tests_look_for() {
        let logo = logo(6379, 1234);
        assert!(logo.contains(" PID: 1234\n"), "{logo}");
        assert!(logo.contains(" Port: 6379\n"), "{logo}");
        assert!(logo.lines().all(|line| line.len() <= 80 && line.trim_end() == line));
    }

    #[test]
    fn the_version_has_the_form_of_redis() {
        assert!(version().starts_with(&format!("Basalt server v={REDIS_VERSION} sha=")));
        assert!(version().ends_with(&format!(" bits=64 build=basalt-{VERSION}\n")));
    }
}
