//! Deliberate bugs, and that the simulator finds each of them within a minute.
//!
//! `cargo test --profile simulate -p basalt-simulator --features mutations --test mutations`

#![cfg(feature = "mutations")]

use std::io::Write;
use std::time::{Duration, Instant};

use basalt_shard::mutation::{Mutation, switch};
use basalt_simulator::meter::Counting;
use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::tally::Tally;
use basalt_simulator::trial::judge;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long a bug may live.
const PATIENCE: Duration = Duration::from_secs(60);

fn find(mutation: Mutation) {
    let given = std::env::var("BASALT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let first: u64 = given.unwrap_or(1);
    let begun = Instant::now();
    switch(Some(mutation));
    let mut seed = first;
    while begun.elapsed() < PATIENCE {
        let plan = Plan::drawn(seed, Size::default());
        if let Err(error) = judge(&plan, &mut Tally::default()) {
            switch(None);
            let count = seed - first + 1;
            let told =
                format!("{mutation:?}: simulation {count}, {:.1?}: {error}", begun.elapsed());
            let _ = writeln!(std::io::stderr(), "{told}");
            return;
        }
        seed += 1;
    }
    panic!("{mutation:?} is not found by {} simulations from seed {first} on", seed - first);
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
}
