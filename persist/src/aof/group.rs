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
//!
//! Where a core takes longer to serve all of them than the disk to sync, they do not come in time,
//! and two parties are better: one is served while the other is written. So after a wait in vain
//! the next groups are not waited for, twice as many each time.

use std::time::Duration;

/// The part of an fsync's time that is spent on waiting for others at most.
const PATIENCE_PARTS: u32 = 4;

/// Nobody waits longer, however long an fsync takes.
const PATIENCE_MAX: Duration = Duration::from_millis(5);

/// Groups in a row that are not waited for at most.
const PAUSE_MAX: u32 = 63;

/// What is expected to share the next fsync. Items are counted from the beginning of a segment.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Items on the disk, and those of them that the last fsync brought there.
    written: u64,
    last: u64,
    /// So many items make the group whole.
    wanted: u64,
    patience: Duration,
    /// Groups that are not waited for after the last wait, and those of them to come.
    pause: u32,
    left: u32,
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
        if self.left > 0 {
            self.left -= 1;
            self.wanted = 0;
        }
    }

    /// How many items are missing of what is expected.
    pub(super) fn lacking(&self, items: u64) -> u64 {
        if items > self.written { self.wanted.saturating_sub(items) } else { 0 }
    }

    /// So many items were missing before somebody waited for them, and so many still are. A wait in
    /// which less than half of them have come was in vain.
    pub(super) fn waited(&mut self, before: u64, after: u64) {
        self.pause = if after > before / 2 { (2 * self.pause + 1).min(PAUSE_MAX) } else { 0 };
        self.left = self.pause;
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
            assert_eq!(group.lacking(items), 0);
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
        assert_eq!(group.lacking(50), 20, "A is expected back");
        assert_eq!(group.patience(), FSYNC / 4);
        assert_eq!(group.lacking(70), 0, "it is");
        group.written(70, FSYNC);
        group.begin(None);
        assert_eq!(group.lacking(70), 0, "there is nothing to be written");
        assert_eq!((group.lacking(71), group.lacking(119)), (49, 1), "all fifty are expected");
        assert_eq!(group.lacking(120), 0);
    }

    #[test]
    fn those_who_do_not_come_in_time_are_waited_for_less_and_less() {
        let mut group = Group::default();
        let waits = |group: &mut Group, count: u32| -> Vec<u32> {
            let begins = |number: &u32| {
                group.begin(Some(u64::from(10 * number + 5)));
                let lacking = group.lacking(u64::from(10 * number + 5));
                if lacking > 0 {
                    group.waited(lacking, lacking);
                }
                group.written(u64::from(10 * number + 5), FSYNC);
                lacking > 0
            };
            (0..count).filter(begins).collect()
        };
        assert_eq!(waits(&mut group, 200), [1, 3, 7, 15, 31, 63, 127, 191]);
        group.waited(10, 5);
        assert_eq!(group.left, 0, "half of them have come");
    }

    #[test]
    fn patience_ends() {
        let mut group = Group::default();
        group.written(1, Duration::from_secs(3));
        assert_eq!(group.patience(), PATIENCE_MAX);
    }
}
