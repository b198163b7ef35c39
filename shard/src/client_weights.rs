//! What clients weigh: the memory they make the server hold, for `maxmemory-clients`.
//!
//! The limit is one for all clients of all cores, and the largest are to go first. So each core
//! keeps its clients in classes by size and posts the sum of every class on a board. From the board
//! any core works out the same plan: from the largest class down, and within a class from core 0
//! up, until what is left is within the limit. Each core then ends clients of its own, as much as
//! the plan puts on it; nobody waits for anybody.
//!
//! ```text
//!   class      core 0   core 1   core 2        excess 12:  core 1 gives 8, core 0 gives 4
//!   4 MB         0        8        0
//!   1 MB         5        0        3
//! ```
//!
//! What a core has ended leaves its post and the total at once, so the shares of the others stay
//! what they were. Classes are a quarter of a power of two wide.
//!
//! What will be ended is as good as free: [`WeightBoard::leaving_bytes`] is not to be made room for
//! by evicting keys.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};

use crate::core::CoreId;

/// Clients below this size are all of one class, in bytes.
const SMALLEST_EXPONENT: u32 = 10;
/// Clients from two to this on are, too.
const LARGEST_EXPONENT: u32 = 40;

/// How many classes there are.
pub const CLASSES: usize = 4 * (LARGEST_EXPONENT - SMALLEST_EXPONENT) as usize + 2;

/// The class of a client of so many bytes; larger clients have higher ones.
pub fn class_of(bytes: usize) -> u8 {
    let exponent = bytes.max(1).ilog2();
    if exponent < SMALLEST_EXPONENT {
        return 0;
    }
    if exponent >= LARGEST_EXPONENT {
        return (CLASSES - 1) as u8;
    }
    let quarter = (bytes >> (exponent - 2)) & 3;
    (1 + 4 * (exponent - SMALLEST_EXPONENT) as usize + quarter) as u8
}

/// What one core posts.
#[repr(align(64))]
struct Post {
    sums: [AtomicU64; CLASSES],
    is_asked: AtomicBool,
}

impl Post {
    fn read(&self) -> [u64; CLASSES] {
        std::array::from_fn(|class| self.sums[class].load(SeqCst))
    }
}

/// The posts of all cores.
pub(crate) struct WeightBoard {
    posts: Box<[Post]>,
    total_bytes: AtomicI64,
    /// Of these, what clients weigh that may be ended.
    endable_bytes: AtomicI64,
}

/// Which cores have to end clients.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) is_own_turn: bool,
    pub(crate) others: Vec<CoreId>,
}

impl WeightBoard {
    pub(crate) fn new(core_count: u16) -> Self {
        let post = || Post {
            sums: std::array::from_fn(|_| AtomicU64::new(0)),
            is_asked: AtomicBool::new(false),
        };
        Self {
            posts: (0..core_count).map(|_| post()).collect(),
            total_bytes: AtomicI64::new(0),
            endable_bytes: AtomicI64::new(0),
        }
    }

    /// What all clients weigh, in bytes, those included that are never ended.
    pub(crate) fn total_bytes(&self) -> u64 {
        u64::try_from(self.total_bytes.load(SeqCst)).unwrap_or(0)
    }

    /// What clients weigh that have to be ended for `limit_bytes` to be kept, in bytes: what is
    /// over the limit, as far as there are clients that may be ended.
    pub(crate) fn leaving_bytes(&self, limit_bytes: u64) -> u64 {
        let excess = self.total_bytes().saturating_sub(limit_bytes);
        excess.min(u64::try_from(self.endable_bytes.load(SeqCst)).unwrap_or(0))
    }

    /// The clients of a core weigh this much more, or less, and those of them that may be ended.
    pub(crate) fn add(&self, bytes: i64, endable_bytes: i64) {
        self.total_bytes.fetch_add(bytes, SeqCst);
        self.endable_bytes.fetch_add(endable_bytes, SeqCst);
    }

    /// The clients of a class that may be ended weigh this much at a core, in bytes.
    pub(crate) fn post(&self, core: CoreId, class: usize, bytes: u64) {
        self.posts[core.index()].sums[class].store(bytes, SeqCst);
    }

    /// Who has to end clients for `limit_bytes` to be kept. O(cores * classes).
    pub(crate) fn plan(&self, own: CoreId, limit_bytes: u64) -> Plan {
        let mut plan = Plan::default();
        // Between two looks at the total: what changes meanwhile must not make anybody end more.
        let before = self.total_bytes();
        let sums: Vec<[u64; CLASSES]> = self.posts.iter().map(Post::read).collect();
        let mut excess = before.min(self.total_bytes()).saturating_sub(limit_bytes);
        for class in (0..CLASSES).rev() {
            for (index, sums) in sums.iter().enumerate() {
                if excess == 0 {
                    return plan;
                }
                let bytes = sums[class];
                let core = CoreId(index as u16);
                match bytes {
                    0 => {}
                    _ if core == own => plan.is_own_turn = true,
                    _ if plan.others.contains(&core) => {}
                    _ => plan.others.push(core),
                }
                excess = excess.saturating_sub(bytes);
            }
        }
        plan
    }

    /// Notes that a core is to be asked; whether nobody asks it already. So no core ever has more
    /// than one such message in its inbox.
    pub(crate) fn ask(&self, core: CoreId) -> bool {
        !self.posts[core.index()].is_asked.swap(true, SeqCst)
    }

    /// The message has arrived.
    pub(crate) fn answer(&self, core: CoreId) {
        self.posts[core.index()].is_asked.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_rise_with_size_and_are_narrow() {
        let mut last = (0, 0);
        for bytes in (0..4096).chain((12..62).flat_map(|e| [3 << (e - 1), (1 << e) - 1, 1 << e])) {
            let class = class_of(bytes);
            assert!(usize::from(class) < CLASSES);
            if bytes >= last.0 {
                assert!(class >= last.1, "{bytes} bytes");
                last = (bytes, class);
            }
        }
        assert_eq!(class_of(1 << 20), class_of((1 << 20) + (1 << 18) - 1));
        assert!(class_of(1 << 20) < class_of((1 << 20) + (1 << 18)));
    }

    #[test]
    fn the_largest_go_first_and_everybody_knows_its_share() {
        let board = WeightBoard::new(3);
        board.add(16, 16);
        board.post(CoreId(1), 40, 8);
        board.post(CoreId(0), 30, 5);
        board.post(CoreId(2), 30, 3);
        let plan = |own, limit| board.plan(CoreId(own), limit);
        assert_eq!(plan(0, 16), Plan::default());
        assert_eq!(plan(1, 8), Plan { is_own_turn: true, others: vec![] });
        assert_eq!(plan(0, 7), Plan { is_own_turn: true, others: vec![CoreId(1)] });
        assert_eq!(plan(2, 4), Plan { is_own_turn: false, others: vec![CoreId(1), CoreId(0)] });
        assert!(plan(2, 2).is_own_turn);
        // What core 1 has ended changes nothing for core 0.
        board.post(CoreId(1), 40, 0);
        board.add(-8, -8);
        assert_eq!(plan(0, 7), Plan { is_own_turn: true, others: vec![] });
        assert!(!plan(2, 4).is_own_turn);
    }

    #[test]
    fn only_clients_that_may_be_ended_leave() {
        let board = WeightBoard::new(2);
        board.add(10, 10);
        board.add(20, 0);
        assert_eq!(board.leaving_bytes(30), 0);
        assert_eq!(board.leaving_bytes(24), 6);
        assert_eq!(board.leaving_bytes(5), 10);
        board.add(-10, -10);
        assert_eq!(board.leaving_bytes(5), 0);
    }
}
