//! The 24 access bits of a key: when it was last used or changed, or how often it is used.
//!
//! ```text
//! LRU      seconds since 1970 of the last use, modulo 2^24
//! LRM      seconds since 1970 of the last change, modulo 2^24
//! LFU      bits 8..24   minutes since 1970 when the counter last fell, modulo 65,536
//!          bits 0..8    logarithmic counter (Morris 1978), starts at 5
//! ```
//!
//! Which of them it is follows from the eviction policy. Keys are not rewritten when that changes:
//! their bits are taken for something else until they are used again, as in Redis.

use crate::settings::{MaxmemoryPolicy, Settings};
use crate::types::LRU_BITS_MAX;

/// Counter of a key that was just made, so that it is not evicted at once.
const COUNTER_START: u32 = 5;

/// What the access bits tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Record {
    #[default]
    LastUse,
    LastChange,
    UseCount,
}

/// What noting a use or a change needs to know.
pub(crate) struct AccessClock {
    record: Record,
    seconds: u32,
    minutes: u32,
    log_factor: u32,
    decay_minutes: u32,
    random_state: u32,
}

impl Default for AccessClock {
    fn default() -> Self {
        Self {
            record: Record::LastUse,
            seconds: 0,
            minutes: 0,
            log_factor: 10,
            decay_minutes: 1,
            random_state: 0x9E37_79B9,
        }
    }
}

impl AccessClock {
    pub(crate) fn set_seconds(&mut self, unix_seconds: i64) {
        self.seconds = unix_seconds as u32 & LRU_BITS_MAX;
        self.minutes = (unix_seconds / 60) as u32 & 0xffff;
    }

    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.log_factor = settings.lfu_log_factor;
        self.decay_minutes = settings.lfu_decay_minutes;
        self.record = match settings.maxmemory_policy {
            MaxmemoryPolicy::AllKeysLfu | MaxmemoryPolicy::VolatileLfu => Record::UseCount,
            MaxmemoryPolicy::AllKeysLrm | MaxmemoryPolicy::VolatileLrm => Record::LastChange,
            _ => Record::LastUse,
        };
    }

    /// Bits of a key made now.
    pub(crate) fn fresh(&self) -> u32 {
        match self.record {
            Record::UseCount => self.minutes << 8 | COUNTER_START,
            Record::LastUse | Record::LastChange => self.seconds,
        }
    }

    /// Bits of a key that is read now.
    #[inline]
    pub(crate) fn read(&mut self, bits: u32) -> u32 {
        match self.record {
            Record::LastUse => self.seconds,
            Record::LastChange => bits,
            Record::UseCount => self.count_use(bits),
        }
    }

    /// Bits of a key that is changed now. A counter survives its key being overwritten.
    #[inline]
    pub(crate) fn changed(&mut self, bits: u32) -> u32 {
        match self.record {
            Record::LastUse | Record::LastChange => self.seconds,
            Record::UseCount => self.count_use(bits),
        }
    }

    /// Whether the bits a key has matter to those it gets when it is changed.
    #[inline]
    pub(crate) fn counts_uses(&self) -> bool {
        self.record == Record::UseCount
    }

    /// Seconds since the use or change the bits tell of.
    pub(crate) fn idle_seconds(&self, bits: u32) -> u32 {
        self.seconds.wrapping_sub(bits) & LRU_BITS_MAX
    }

    /// Bits of a key that has not been used for so many seconds.
    pub(crate) fn idle_for(&self, seconds: u32) -> u32 {
        self.seconds.wrapping_sub(seconds.min(LRU_BITS_MAX)) & LRU_BITS_MAX
    }

    /// Bits of a key whose counter is known by now.
    pub(crate) fn with_counter(&self, counter: u8) -> u32 {
        self.minutes << 8 | u32::from(counter)
    }

    /// The counter of a key by now: it falls by one each `lfu-decay-time` minutes.
    pub(crate) fn counter(&self, bits: u32) -> u32 {
        let passed = self.minutes.wrapping_sub(bits >> 8) & 0xffff;
        let fallen = passed.checked_div(self.decay_minutes).unwrap_or(0);
        (bits & 0xff).saturating_sub(fallen)
    }

    fn count_use(&mut self, bits: u32) -> u32 {
        let counter = self.counter(bits);
        self.minutes << 8 | self.increment(counter)
    }

    /// Counts up with a chance that falls with the count: 1 / (above start * factor + 1).
    fn increment(&mut self, counter: u32) -> u32 {
        if counter >= 255 {
            return 255;
        }
        self.random_state ^= self.random_state << 13;
        self.random_state ^= self.random_state >> 17;
        self.random_state ^= self.random_state << 5;
        let above_start = u64::from(counter.saturating_sub(COUNTER_START));
        let odds = above_start * u64::from(self.log_factor) + 1;
        counter + u32::from(u64::from(self.random_state) * odds < u64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(maxmemory_policy: MaxmemoryPolicy) -> AccessClock {
        let mut clock = AccessClock::default();
        clock.apply(&Settings { maxmemory_policy, ..Settings::default() });
        clock
    }

    #[test]
    fn counters_grow_with_the_logarithm_of_use() {
        let mut clock = clock(MaxmemoryPolicy::AllKeysLfu);
        clock.set_seconds(7 * 60);
        let mut bits = clock.fresh();
        for _ in 0..1_000_000 {
            bits = clock.read(bits);
        }
        let counter = clock.counter(bits);
        assert!((200..=255).contains(&counter), "{counter}");
    }

    #[test]
    fn counters_fall_while_nobody_looks() {
        let mut clock = clock(MaxmemoryPolicy::VolatileLfu);
        clock.set_seconds(65_530 * 60);
        let bits = clock.fresh();
        clock.set_seconds((65_530 + 3) * 60);
        assert_eq!(clock.counter(bits), COUNTER_START - 3);
        clock.set_seconds((65_536 + 10) * 60);
        assert_eq!(clock.counter(bits), 0);
    }

    #[test]
    fn only_changes_count_where_the_last_change_is_recorded() {
        let mut clock = clock(MaxmemoryPolicy::AllKeysLrm);
        clock.set_seconds(100);
        let bits = clock.fresh();
        clock.set_seconds(130);
        let read = clock.read(bits);
        assert_eq!(clock.idle_seconds(read), 30);
        let changed = clock.changed(bits);
        assert_eq!(clock.idle_seconds(changed), 0);
    }

    #[test]
    fn idle_time_survives_the_wrap_of_the_clock() {
        let mut clock = clock(MaxmemoryPolicy::AllKeysLru);
        clock.set_seconds(i64::from(LRU_BITS_MAX) - 4);
        let bits = clock.fresh();
        clock.set_seconds(i64::from(LRU_BITS_MAX) + 6);
        assert_eq!(clock.idle_seconds(bits), 10);
    }
}
