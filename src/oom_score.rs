//! How soon the kernel ends this process when memory is out: `oom-score-adj`.
//!
//! What the score was before is kept, to add to it and to restore it. Of the three values of
//! `oom-score-adj-values` the first is used: that of a primary.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::config::{OomScoreMode, Settings};
use crate::warning;

const FILE: &str = "/proc/self/oom_score_adj";

/// Scores the kernel takes.
const LIMITS: (i32, i32) = (-1000, 1000);

/// The score of this process.
#[derive(Default)]
pub struct OomScore {
    /// What it was before it was changed; none while it is not.
    base: Mutex<Option<i32>>,
}

impl OomScore {
    /// Has the score follow the settings.
    ///
    /// # Errors
    /// The kernel does not allow it; the log says why.
    pub fn follow(&self, settings: &Settings) -> Result<(), &'static str> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let value = settings.observation.oom_score_adj_values[0];
        let result = match (settings.observation.oom_score_adj, *base) {
            (OomScoreMode::No, None) => Ok(()),
            (OomScoreMode::No, Some(before)) => {
                *base = None;
                write(before)
            }
            (mode, known) => known.map_or_else(read, Ok).and_then(|before| {
                *base = Some(before);
                write(if mode == OomScoreMode::Absolute { value } else { before + value })
            }),
        };
        result.map_err(|error| {
            warning!("Unable to set oom_score_adj: {error}");
            "Failed to set current oom_score_adj. Check server logs."
        })
    }
}

fn read() -> io::Result<i32> {
    let text = std::fs::read_to_string(FILE)?;
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

fn write(score: i32) -> io::Result<()> {
    std::fs::write(FILE, score.clamp(LIMITS.0, LIMITS.1).to_string())
}
