//! How long one fsync waits for those who may share it (`appendfsync always`).
//!
//! Clients that wait for the same fsync are answered together and ask again at about the same time,
//! but those who asked while it was under way are there already. If these are served at once the
//! others come too late, and there are two parties from then on that take turns, each with half of
//! the clients: every fsync serves half of what it could, and everybody waits for two.
//!
//! ```text
//! at once:  |--fsync of A--|--fsync of B--|--fsync of A--|--fsync of B--|
//! together: |--fsync of A--|..|--fsync of A and B--|..|--fsync of A and B--|
//! ```
//!
//! So what is there when an fsync ends waits for as many items as that fsync has served, but no
//! longer than a quarter of the time it took. A lone client never waits: with its next request all
//! who were served are back. PostgreSQL's `commit_delay` is the same idea with a fixed time.

use std::time::Duration;

/// The part of an fsync's time that is spent on waiting for others at most.
const PATIENCE_PARTS: u32 = 4;

/// Nobody waits longer, however long an fsync takes.
const PATIENCE_MAX: Duration = Duration::from_millis(5);

/// What is expected to share the next fsync. Items are counted from the beginning of a segment.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Items on the disk, and those of them that the last fsync brought there.
    written: u64,
    last: u64,
    /// So many items make the group whole.
    wanted: u64,
    patience: Duration,
}

impl Group {
    /// What was handed over up to item number `items` has been brought to the disk, which took so
    /// long.
    pub(super) fn written(&mut self, items: u64, took: Duration) {
        self.last = items - self.written;
        self.written = items;
        self.patience = (took / PATIENCE_PARTS).min(PATIENCE_MAX);
    }

    /// The next group begins with what was handed over meanwhile, up to item number `items`, if
    /// anything was.
    pub(super) fn begin(&mut self, items: Option<u64>) {
        self.wanted = items.unwrap_or(self.written) + self.last;
    }

    /// Whether items are missing of what is expected.
    pub(super) fn lacks(&self, items: u64) -> bool {
        items > self.written && items < self.wanted
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FSYNC: Duration = Duration::from_millis(4);

    #[test]
    fn a_lone_client_never_waits() {
        let mut group = Group::default();
        for items in 1..10 {
            assert!(!group.lacks(items));
            group.written(items, FSYNC);
            group.begin(None);
        }
    }

    #[test]
    fn two_parties_become_one() {
        let mut group = Group::default();
        // A comes, and B while A is written.
        group.written(20, FSYNC);
        group.begin(Some(50));
        assert!(group.lacks(50), "A is expected back");
        assert_eq!(group.patience(), FSYNC / 4);
        assert!(!group.lacks(70), "it is");
        group.written(70, FSYNC);
        group.begin(None);
        assert!(!group.lacks(70), "there is nothing to be written");
        assert!(group.lacks(71) && group.lacks(119), "all fifty are expected");
        assert!(!group.lacks(120));
    }

    #[test]
    fn patience_ends() {
        let mut group = Group::default();
        group.written(1, Duration::from_secs(3));
        assert_eq!(group.patience(), PATIENCE_MAX);
    }
}
