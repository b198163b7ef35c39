//! When a core defragments, and how much of its time that may take.
//!
//! Once a second each core looks at the allocator's figures, which are those of the process. If
//! more than `active-defrag-ignore-bytes`, and more than the lower threshold's share, lies unused
//! in pages that are in use, it walks over its slots (see [`basalt_shard::defragment`]) in slices
//! of `active-defrag-cycle-us`, so that no client waits longer than that. Between slices it rests
//! for as long as keeps its share of the core's time within the two cycle limits, nearer to the
//! upper one the worse things are.
//!
//! A walk that moved next to nothing is not followed by another for a minute: what is left is not
//! ours to move.

use std::time::Duration;

use basalt_shard::defragment::Walk;

use super::clock;
use super::driver::Driver;
use crate::config::DefragmentationLimits as Limits;
use crate::memory::{self, sparse};

/// Between two looks at the allocator's figures, in milliseconds.
const LOOK_INTERVAL_MS: u64 = 1000;

/// Between two looks at how full pages are, while walking, in milliseconds.
const REFRESH_INTERVAL_MS: u64 = 100;

/// Rest after a walk that moved too little, in milliseconds.
const FRUITLESS_REST_MS: u64 = 60_000;

/// A walk was worth it if it moved one block in so many.
const FRUITFUL_SHARE: usize = 50;

/// Steps of a walk between two looks at the clock; some microseconds.
const STEPS_PER_LOOK: usize = 4;

/// The walk of one core, and when it goes on.
#[derive(Default)]
pub struct Defragmentation {
    walk: Option<Walk>,
    pages: Option<sparse::SparsePages>,
    /// No figures are looked at, and no walk begins, before then.
    look_due_ms: u64,
    refresh_due_ms: u64,
    slice_due_ns: u64,
}

/// Memory that is held in pages without being used, as far as it is worth doing something about.
fn wanted_percent(limits: &Limits, figures: memory::AllocatorFigures) -> Option<u32> {
    let unused_bytes = figures.active.saturating_sub(figures.allocated);
    let percent = (unused_bytes * 100 / figures.allocated.max(1)).min(u64::from(u32::MAX)) as u32;
    let (lower, upper) = limits.threshold_percent;
    if unused_bytes < limits.ignore_bytes || percent < lower {
        return None;
    }
    let upper = upper.max(lower + 1);
    let (least, most) = limits.cycle_percent;
    let most = most.max(least);
    let progress = u64::from((percent - lower).min(upper - lower));
    Some(least + (u64::from(most - least) * progress / u64::from(upper - lower)) as u32)
}

impl Driver {
    /// Goes on with the walk, if one is under way and its time has come.
    pub(super) fn defragment(&mut self) {
        if self.defragmentation.walk.is_none() {
            return;
        }
        let now_ns = clock::elapsed_ns();
        if now_ns < self.defragmentation.slice_due_ns {
            return;
        }
        let slice_us = u64::from(self.settings.defragmentation.slice_us.max(1));
        sparse::without_cache(|| self.defragment_slice(now_ns, slice_us * 1000));
        let spent_ns = clock::elapsed_ns() - now_ns;
        let percent = u64::from(self.core.store.defragmentation_percent.max(1));
        self.defragmentation.slice_due_ns = now_ns + spent_ns * 100 / percent;
        let stats = &mut self.core.store.stats;
        stats.defragmentation_us += spent_ns / 1000;
        stats.defragmentation_now_us += spent_ns / 1000;
    }

    fn defragment_slice(&mut self, begun_ns: u64, slice_ns: u64) {
        let state = &mut self.defragmentation;
        let (Some(walk), Some(pages)) = (&mut state.walk, &mut state.pages) else { return };
        let now_ms = self.core.store.now().monotonic_ms();
        if now_ms >= state.refresh_due_ms {
            pages.refresh();
            state.refresh_due_ms = now_ms + REFRESH_INTERVAL_MS;
        }
        let before = walk.relocated;
        while !walk.is_over() && clock::elapsed_ns() - begun_ns < slice_ns {
            for _ in 0..STEPS_PER_LOOK {
                self.core.store.defragment(walk, pages);
            }
        }
        let done = walk.relocated.since(&before);
        self.core.store.stats.relocated.add(&done);
        if walk.is_over() {
            let fruit = walk.relocated;
            let was_fruitful = fruit.moved * FRUITFUL_SHARE >= fruit.moved + fruit.left;
            let rest_ms = if was_fruitful { LOOK_INTERVAL_MS } else { FRUITLESS_REST_MS };
            state.look_due_ms = now_ms + rest_ms;
            self.end_walk();
        }
    }

    /// Looks whether a walk should begin, go on faster or slower, or end.
    pub(super) fn consider_defragmentation(&mut self, now_ms: u64) {
        let state = &self.defragmentation;
        if !self.settings.defragmentation.is_on {
            if state.walk.is_some() {
                self.end_walk();
            }
            return;
        }
        if now_ms < state.look_due_ms {
            return;
        }
        self.defragmentation.look_due_ms = now_ms + LOOK_INTERVAL_MS;
        match wanted_percent(&self.settings.defragmentation, memory::figures()) {
            Some(percent) => {
                self.core.store.defragmentation_percent = percent;
                let state = &mut self.defragmentation;
                state.walk.get_or_insert_with(Walk::default);
                state.pages.get_or_insert_with(sparse::SparsePages::new);
            }
            None if self.defragmentation.walk.is_some() => self.end_walk(),
            None => {}
        }
    }

    fn end_walk(&mut self) {
        self.defragmentation.walk = None;
        self.defragmentation.pages = None;
        self.core.store.defragmentation_percent = 0;
        self.core.store.stats.defragmentation_now_us = 0;
    }

    /// How long it may sleep before the walk goes on.
    pub(super) fn defragmentation_patience(&self) -> Duration {
        match self.defragmentation.walk {
            None => Duration::MAX,
            Some(_) => {
                let due_ns = self.defragmentation.slice_due_ns;
                Duration::from_nanos(due_ns.saturating_sub(clock::elapsed_ns()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn percent_of(allocated: u64, active: u64) -> Option<u32> {
        let settings = Config::default().settings();
        wanted_percent(
            &settings.defragmentation,
            memory::AllocatorFigures { allocated, active, resident: active },
        )
    }

    #[test]
    fn the_share_of_time_grows_with_what_is_wasted() {
        const MIB: u64 = 1 << 20;
        assert_eq!(percent_of(1000 * MIB, 1050 * MIB), None, "below both limits");
        assert_eq!(percent_of(100 * MIB, 190 * MIB), None, "too few bytes");
        assert_eq!(percent_of(4000 * MIB, 4200 * MIB), None, "too small a share");
        assert_eq!(percent_of(1000 * MIB, 1100 * MIB), Some(1));
        assert_eq!(percent_of(1000 * MIB, 1550 * MIB), Some(13));
        assert_eq!(percent_of(1000 * MIB, 2000 * MIB), Some(25));
        assert_eq!(percent_of(1000 * MIB, 9000 * MIB), Some(25), "never above the maximum");
        assert_eq!(percent_of(0, 200 * MIB), Some(25), "an empty server");
    }
}
