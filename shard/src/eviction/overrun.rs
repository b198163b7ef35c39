//! How long memory has been over the limit, for INFO.

/// A stopwatch that runs while memory is over the limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overrun {
    since_ns: Option<u64>,
    total_ns: u64,
}

impl Overrun {
    /// Memory is over the limit.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.since_ns.get_or_insert(now_ns);
    }

    #[inline]
    pub(super) fn is_running(&self) -> bool {
        self.since_ns.is_some()
    }

    /// Memory is within the limit again.
    pub(super) fn end(&mut self, now_ns: u64) {
        self.total_ns += self.current_ns(now_ns);
        self.since_ns = None;
    }

    /// How long it has been over the limit this time.
    pub(super) fn current_ns(&self, now_ns: u64) -> u64 {
        self.since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns))
    }

    /// How long it has been so in all, this time included.
    pub(super) fn total_ns(&self, now_ns: u64) -> u64 {
        self.total_ns + self.current_ns(now_ns)
    }

    /// `CONFIG RESETSTAT`.
    pub(super) fn reset(&mut self, now_ns: u64) {
        self.total_ns = 0;
        self.since_ns = self.since_ns.map(|_| now_ns);
    }
}
