//! How large one packed run of a list may become: the directive `list-max-listpack-size`.
//!
//! A negative setting limits bytes (-1 to -5 for 4 to 64 KiB), a positive one counts elements and
//! keeps runs below 8 KiB besides, since moving bytes around is what a long run costs.

/// Bytes of a run whose elements are counted.
const COUNTED_BYTES_MAX: usize = 8192;

/// Most elements a counted run has, however many the setting asks for.
const COUNT_MAX: i64 = 32_767;

/// What a run may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimit {
    bytes: Option<usize>,
    count: usize,
}

impl NodeLimit {
    /// The limit that the directive sets.
    pub fn of_setting(setting: i64) -> Self {
        match setting {
            0.. => Self { bytes: None, count: setting.clamp(1, COUNT_MAX) as usize },
            _ => Self { bytes: Some(2048 << setting.max(-5).unsigned_abs()), count: usize::MAX },
        }
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
        length > self.bytes.unwrap_or(COUNTED_BYTES_MAX)
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
}
