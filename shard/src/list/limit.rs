//! How large one packed run of a list may become: the directive `list-max-listpack-size`.
//!
//! A negative setting limits bytes (-1 to -5 for 4 to 64 KiB), a positive one counts elements and
//! keeps runs below 8 KiB besides, since moving bytes around is what a long run costs.

/// Bytes of a run whose elements are counted.
const COUNTED_BYTES_MAX: usize = 8192;

/// Shortest element that may ever get a node of its own: anything shorter might be a number, which
/// only a run holds as one.
const LARGE_BYTES_MIN: u64 = 21;

/// Most elements a counted run has, however many the setting asks for.
const COUNT_MAX: i64 = 32_767;

/// What a run may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimit {
    bytes: Option<usize>,
    count: usize,
    large_bytes: usize,
}

impl NodeLimit {
    /// The limit that the directive sets.
    pub fn of_setting(setting: i64) -> Self {
        let (bytes, count) = match setting {
            0.. => (None, setting.clamp(1, COUNT_MAX) as usize),
            _ => (Some(2048 << setting.max(-5).unsigned_abs()), usize::MAX),
        };
        Self { bytes, count, large_bytes: bytes.unwrap_or(COUNTED_BYTES_MAX) + 1 }
    }

    /// The same limit with elements of `large_bytes` on in nodes of their own, if that is less than
    /// what a run may hold: lets suites try such nodes with short elements.
    pub fn with_large_from(self, large_bytes: u64) -> Self {
        let large_bytes = usize::try_from(large_bytes.max(LARGE_BYTES_MIN)).unwrap_or(usize::MAX);
        Self { large_bytes: self.large_bytes.min(large_bytes), ..self }
    }

    /// Whether a run of `count` elements and `bytes` bytes is too large.
    #[inline]
    pub fn is_exceeded_by(self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes.unwrap_or(COUNTED_BYTES_MAX) || count > self.count
    }

    /// Whether replacements have made a run so large that it has to be divided. Runs within this
    /// are left alone, as they are in Redis, which has no such bound.
    pub fn is_far_exceeded_by(self, bytes: usize) -> bool {
        bytes > 4 * self.bytes.unwrap_or(COUNTED_BYTES_MAX)
    }

    /// Whether a run may be a whole list. Unlike [`Self::is_exceeded_by`] this has no bound on the
    /// bytes of a run whose elements are counted, as in Redis.
    pub(super) fn admits_as_list(self, bytes: usize, count: usize) -> bool {
        self.bytes.is_none_or(|limit| bytes <= limit) && count <= self.count
    }

    /// Whether an element of this length gets a node of its own.
    #[inline]
    pub fn is_large(self, length: usize) -> bool {
        length >= self.large_bytes
    }

    /// Whether a run is so small that the list may go back to be just that. Half the limit, so that
    /// a list at the limit does not go to and fro.
    pub fn is_half_used_by(self, bytes: usize, count: usize) -> bool {
        self.bytes.is_none_or(|limit| bytes <= limit / 2) && count <= self.count / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_mean_bytes_below_zero_and_elements_above() {
        let bytes = |setting: i64| NodeLimit::of_setting(setting).bytes;
        assert_eq!(bytes(-1), Some(4096));
        assert_eq!(bytes(-2), Some(8192));
        assert_eq!(bytes(-5), Some(65_536));
        assert_eq!(bytes(i64::MIN), Some(65_536));
        assert_eq!(NodeLimit::of_setting(0), NodeLimit::of_setting(1));
        let three = NodeLimit::of_setting(3);
        assert!(!three.is_exceeded_by(8192, 3));
        assert!(three.is_exceeded_by(8193, 3) && three.is_exceeded_by(10, 4));
        assert!(three.is_half_used_by(8192, 1) && !three.is_half_used_by(10, 2));
        assert!(three.is_large(8193) && !three.is_large(8192));
        assert_eq!(NodeLimit::of_setting(i64::MAX).count, 32_767);
    }

    #[test]
    fn large_elements_are_never_short_enough_to_be_numbers() {
        let longest_number = i64::MIN.to_string().len();
        let limit = NodeLimit::of_setting(-2).with_large_from(1);
        assert!(!limit.is_large(longest_number) && limit.is_large(longest_number + 1));
        let limit = NodeLimit::of_setting(-2).with_large_from(u64::MAX);
        assert_eq!(limit, NodeLimit::of_setting(-2));
    }
}
