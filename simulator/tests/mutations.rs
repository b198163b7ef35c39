//! Deliberate bugs, and that the simulator finds each of them within a minute.
//!
//! How much luck that takes is told where `BASALT_MUTATION_HUNTS` asks for more than one hunt.
//!
//! `cargo test --profile simulate -p basalt-simulator --features mutations --test mutations`

#![cfg(feature = "mutations")]

use std::io::Write;
use std::time::Duration;

use basalt_shard::mutation::{Mutation, switch};
use basalt_simulator::meter::Counting;
use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::tally::Tally;
use basalt_simulator::trial::judge;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long a bug may live, in time of the processor: what else the machine does is no matter.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long this thread has run.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(ns.expect("the kernel says how long a thread has run"))
}

/// Says something even where the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A number a variable of the environment has.
fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Simulates from seed `first` on until the bug is found; how many simulations that took, and what
/// was found. `None` after [`PATIENCE`].
///
/// # Panics
/// If the same is wrong without the bug: then that is one nobody knew of.
fn hunt(mutation: Mutation, first: u64) -> (u64, Option<String>) {
    let begun = processor_time();
    let mut count = 0;
    while processor_time() - begun < PATIENCE {
        let plan = Plan::drawn(first.wrapping_add(count), Size::default());
        switch(Some(mutation));
        let judged = judge(&plan, &mut Tally::default());
        switch(None);
        count += 1;
        if let Err(error) = judged {
            let unaltered = judge(&plan, &mut Tally::default());
            assert!(unaltered.is_ok(), "seed {} fails without {mutation:?}: {error}", plan.seed);
            return (count, Some(error));
        }
    }
    (count, None)
}

/// Finds it once, or once from each of `BASALT_MUTATION_HUNTS` first seeds, to see how much luck
/// that takes.
fn find(mutation: Mutation) {
    let mut next = number_in("BASALT_TEST_SEED").unwrap_or(1);
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..number_in("BASALT_MUTATION_HUNTS").unwrap_or(1) {
        let begun = processor_time();
        let (count, found) = hunt(mutation, next);
        let time = processor_time() - begun;
        let Some(error) = found else {
            panic!("{mutation:?} is not found by {count} simulations from seed {next} on");
        };
        if times.is_empty() {
            say(&format!("{mutation:?}: simulation {count}, {time:.1?}: {error}"));
        }
        times.push(time);
        next += count;
    }
    times.sort_unstable();
    let (hunts, mean) = (times.len(), times.iter().sum::<Duration>() / times.len() as u32);
    let (median, worst) = (times[hunts / 2], times[hunts - 1]);
    if hunts > 1 {
        say(&format!(
            "{mutation:?}: {hunts} hunts, mean {mean:.1?}, median {median:.1?}, worst {worst:.1?}"
        ));
    }
}

/// A test for each of them.
macro_rules! mutations {
    ($($name:ident: $mutation:ident,)*) => {
        $(
            #[test]
            fn $name() {
                find(Mutation::$mutation);
            }
        )*
    };
}

mutations! {
    inbox_reordered: InboxReordered,
    drain_skipped: DrainSkipped,
    claims_unseen: ClaimsUnseen,
    slot_missing: SlotMissing,
    lent_slot_written: LentSlotWritten,
    served_twice: ServedTwice,
    wake_lost: WakeLost,
    watch_lost: WatchLost,
    places_swapped: PlacesSwapped,
    publish_overtaken: PublishOvertaken,
    preimage_missed: PreimageMissed,
    expiry_untold: ExpiryUntold,
    needs_untold: NeedsUntold,
    open_untold: OpenUntold,
    open_kept: OpenKept,
    earlier_unawaited: EarlierUnawaited,
    acknowledged_early: AcknowledgedEarly,
    failure_not_cut: FailureNotCut,
    crash_not_cut: CrashNotCut,
    gone_served: GoneServed,
    rights_missed: RightsMissed,
    settings_missed: SettingsMissed,
    shown_early: ShownEarly,
    eviction_untold: EvictionUntold,
    flush_missed: FlushMissed,
    bytes_miscounted: BytesMiscounted,
    expired_seen: ExpiredSeen,
    waiters_lost: WaitersLost,
    listeners_lost: ListenersLost,
    walk_lost: WalkLost,
    sequence_lost: SequenceLost,
    group_split: GroupSplit,
    reads_untold: ReadsUntold,
    message_followed: MessageFollowed,
    ahead_overlooked: AheadOverlooked,
}
