//! The line that shows a run is alive.

use std::io::{self, IsTerminal, Write};

use crate::load::board::Phase;
use crate::load::engine::Tick;

/// Writes one line per second to standard error, rewriting it in place on a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    is_on: bool,
    is_terminal: bool,
    drew: bool,
}

impl Progress {
    /// Silent unless standard error is a terminal, or `forced`.
    pub(crate) fn new(label: &str, forced: Forced) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let is_on = is_terminal || forced == Forced::Yes;
        Self { label: label.to_owned(), is_on, is_terminal, drew: false }
    }

    /// Shows a tick. A closed standard error only loses the line.
    pub(crate) fn tick(&mut self, tick: &Tick) {
        if self.is_on {
            let line = line(&self.label, tick);
            let (start, end) = if self.is_terminal { ("\r", "\x1b[K") } else { ("", "\n") };
            let _line_is_lost = write!(io::stderr().lock(), "{start}{line}{end}");
            self.drew = true;
        }
    }

    /// Wipes the line before other output.
    pub(crate) fn clear(&mut self) {
        if self.drew && self.is_terminal {
            let _line_is_lost = write!(io::stderr().lock(), "\r\x1b[K");
        }
        self.drew = false;
    }
}

/// Whether progress shows even where nobody seems to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forced {
    /// Asked for on the command line.
    Yes,
    /// Left to whether standard error is a terminal.
    No,
}

fn line(label: &str, tick: &Tick) -> String {
    let phase = if tick.phase == Phase::WarmUp { " (warming up)" } else { "" };
    let server =
        tick.server_cpus.map_or_else(String::new, |cpus| format!(", server {:.0} %", 100.0 * cpus));
    format!(
        "{label}{phase}: {:.0} s, {:.0} requests/s, {} errors, generator {:.0} %{server}",
        tick.elapsed.as_secs_f64(),
        tick.requests_per_s,
        tick.errors,
        100.0 * tick.generator_cpus,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_line_names_both_sides() {
        let tick = Tick {
            phase: Phase::WarmUp,
            elapsed: Duration::from_secs(3),
            requests_per_s: 1234.4,
            errors: 5,
            generator_cpus: 0.5,
            server_cpus: Some(1.0),
        };
        let expected =
            "get (warming up): 3 s, 1234 requests/s, 5 errors, generator 50 %, server 100 %";
        assert_eq!(line("get", &tick), expected);
    }
}
