//! The 24 access bits of a key under an LFU policy: how often it is used.
//!
//! ```text
//! bits 8..24   minutes since 1970 when the counter last fell, modulo 65,536
//! bits 0..8    logarithmic counter (Morris 1978), starts at 5
//! ```
//!
//! Under the other policies the bits are seconds since 1970 of the last use, modulo 2^24.

/// Counter of a key that was just made, so that it is not evicted at once.
const COUNTER_START: u32 = 5;

/// What counting needs to know.
pub(crate) struct AccessClock {
    minutes: u32,
    log_factor: u32,
    decay_minutes: u32,
    random_state: u32,
}

impl Default for AccessClock {
    fn default() -> Self {
        Self { minutes: 0, log_factor: 10, decay_minutes: 1, random_state: 0x9E37_79B9 }
    }
}

impl AccessClock {
    pub(crate) fn set_minutes(&mut self, minutes: i64) {
        self.minutes = minutes as u32 & 0xffff;
    }

    pub(crate) fn set_factors(&mut self, log_factor: u32, decay_minutes: u32) {
        self.log_factor = log_factor;
        self.decay_minutes = decay_minutes;
    }

    /// Bits of a key made now.
    pub(crate) fn lfu_fresh(&self) -> u32 {
        self.minutes << 8 | COUNTER_START
    }

    /// Bits of a key whose counter is known by now.
    pub(crate) fn lfu_with(&self, counter: u8) -> u32 {
        self.minutes << 8 | u32::from(counter)
    }

    /// The counter of a key by now: it falls by one each `lfu-decay-time` minutes.
    pub(crate) fn lfu_counter(&self, bits: u32) -> u32 {
        let passed = self.minutes.wrapping_sub(bits >> 8) & 0xffff;
        let fallen = passed.checked_div(self.decay_minutes).unwrap_or(0);
        (bits & 0xff).saturating_sub(fallen)
    }

    /// Bits of a key that is used now.
    pub(crate) fn lfu_touch(&mut self, bits: u32) -> u32 {
        let counter = self.lfu_counter(bits);
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

    #[test]
    fn counters_grow_with_the_logarithm_of_use() {
        let mut clock = AccessClock::default();
        clock.set_minutes(7);
        let mut bits = clock.lfu_fresh();
        for _ in 0..1_000_000 {
            bits = clock.lfu_touch(bits);
        }
        let counter = clock.lfu_counter(bits);
        assert!((200..=255).contains(&counter), "{counter}");
    }

    #[test]
    fn counters_fall_while_nobody_looks() {
        let mut clock = AccessClock::default();
        clock.set_minutes(65_530);
        let bits = clock.lfu_fresh();
        clock.set_minutes(65_530 + 3);
        assert_eq!(clock.lfu_counter(bits), COUNTER_START - 3);
        clock.set_minutes(10);
        assert_eq!(clock.lfu_counter(bits), 0);
    }
}
