//! Time as an argument. Nothing in this crate reads a clock: whoever drives a core tells it the
//! time at the start of each turn, so that the simulator can tell it any time it likes.

/// The moment a turn of a core began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, microseconds since 1970. May jump.
    pub unix_us: i64,
    /// Microseconds since some fixed point. Never goes back.
    pub monotonic_us: u64,
}

impl Now {
    /// Wall clock, milliseconds since 1970.
    #[inline]
    pub fn unix_ms(self) -> i64 {
        self.unix_us / 1000
    }

    /// Wall clock, seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.unix_us / 1_000_000
    }

    /// Monotonic clock in milliseconds.
    pub fn monotonic_ms(self) -> u64 {
        self.monotonic_us / 1000
    }

    /// The first whole millisecond of the monotonic clock at which `ms` will have passed, none of
    /// them cut short.
    pub fn monotonic_ms_after(self, ms: u64) -> u64 {
        self.monotonic_us.div_ceil(1000).saturating_add(ms)
    }
}
