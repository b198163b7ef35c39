//! Tokens that travel through a real server while clients wait for them, over sockets and with
//! threads that run as they like: none is lost or served twice, and no wait is forgotten.
//!
//! ```text
//! feeders --RPUSH, ZADD, XADD--> keys on 8 cores --> guests: BLPOP, BZPOPMIN, XREADGROUP ...
//! mover   --DEBUG MOVE-SLOT-->       |               (they are unblocked, and leave)
//!                                    +-----------> readers: XREAD, every entry
//! relays  --RPUSH there, BLPOP back for ever: a lost wake-up ends the test
//! ```
//!
//! The same with cores in one thread, under a seed that can be replayed, is in
//! `shard/tests/blocking_tokens`. `BASALT_STRESS_TOKENS` says how many tokens each backend has to
//! carry, 3,000 unless set.

mod support;

#[path = "blocking_stress/books.rs"]
mod books;
#[path = "blocking_stress/roles.rs"]
mod roles;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use books::Books;
use roles::{KEYS, LISTS, SORTED_SETS, STREAMS};
use support::{OK, Seeded, Server, each_backend, environment_number};

const CORE_COUNT: u32 = 8;
const TOKENS_DEFAULT: u64 = 3_000;
const GUESTS: u64 = 12;
const FEEDERS: u64 = 3;
const READERS: u64 = 2;
const RELAYS: u64 = 4;

/// What the threads of one run share.
struct Hall<'server> {
    server: &'server Server,
    books: Books,
    tokens: usize,
    /// Feeders that still feed.
    feeding: AtomicUsize,
    /// Guests whose next wait has not been their last.
    present: AtomicUsize,
    /// Nothing is fed or taken any more.
    is_over: AtomicBool,
}

impl Hall<'_> {
    fn is_fed(&self) -> bool {
        self.feeding.load(Ordering::Acquire) == 0
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

#[test]
fn no_token_is_lost_or_served_twice_and_no_wait_is_forgotten() {
    if !support::is_basalt() {
        support::skip("slots of the original stay where they are");
        return;
    }
    let tokens = environment_number("BASALT_STRESS_TOKENS").unwrap_or(TOKENS_DEFAULT);
    each_backend(CORE_COUNT, |t| {
        for stream in STREAMS {
            t.check(format!("XGROUP CREATE {stream} g $ MKSTREAM"), OK);
        }
        let random = Seeded::announced("blocking stress");
        let hall = Hall {
            server: t.server,
            books: Books::default(),
            tokens: tokens as usize,
            feeding: AtomicUsize::new(FEEDERS as usize),
            present: AtomicUsize::new(GUESTS as usize),
            is_over: AtomicBool::new(false),
        };
        settle(&run(hall, random.seed));
        let clients = t.info("clients");
        assert_eq!(clients.get("blocked_clients"), Some("0"), "nobody waits any more");
        assert_eq!(clients.get("total_blocking_keys"), Some("0"), "no key is waited for any more");
    });
}

fn run(hall: Hall<'_>, seed: u64) -> Hall<'_> {
    let generator = |number: u64| fastrand::Rng::with_seed(seed.wrapping_add(number));
    thread::scope(|scope| {
        let hall = &hall;
        for number in 0..READERS {
            scope.spawn(move || roles::read(hall, number));
        }
        for number in 0..RELAYS {
            scope.spawn(move || roles::relay(hall, number));
            scope.spawn(move || roles::relay_back(hall, number));
        }
        scope.spawn(move || roles::move_slots(hall, generator(1000)));
        scope.spawn(move || roles::unblock(hall, generator(2000)));
        let guests: Vec<_> = (0..GUESTS)
            .map(|number| scope.spawn(move || roles::take(hall, number, generator(number))))
            .collect();
        for number in 0..FEEDERS {
            scope.spawn(move || roles::feed(hall, generator(100 + number)));
        }
        let results: Vec<_> = guests.into_iter().map(thread::ScopedJoinHandle::join).collect();
        hall.is_over.store(true, Ordering::Release);
        results.into_iter().for_each(|result| result.expect("no guest fails"));
    });
    hall
}

/// What is left in the keys belongs to the books, too; then they must balance.
fn settle(hall: &Hall<'_>) {
    let mut client = hall.server.connect_plain();
    for list in LISTS {
        hall.books.note(&client.call(format!("LRANGE {list} 0 -1")));
    }
    for set in SORTED_SETS {
        hall.books.note(&client.call(format!("ZRANGE {set} 0 -1")));
    }
    for stream in STREAMS {
        hall.books.note(&client.call(format!("XREADGROUP GROUP g last STREAMS {stream} >")));
        hall.books.check_readers(stream, &client.call(format!("XRANGE {stream} - +")));
    }
    hall.books.check(hall.tokens);
    assert!(KEYS.len() > CORE_COUNT as usize, "the keys live all over the cores");
}
