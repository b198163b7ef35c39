//! Order across cores: what one connection writes in order, everybody sees in order.
//!
//! Strict serializability is stated as five laws (`order/laws.rs`). For each of them a writer
//! sends pipelines as fast as it can while a reader judges every state it sees; meanwhile one more
//! connection hands the very slots involved from core to core with `DEBUG MOVE-SLOT`.
//!
//! ```text
//! writer of law i  --pipelines-->  server  <--looks--  reader of law i   (judges)
//! mover            --DEBUG MOVE-SLOT slot core-->                        (Basalt only)
//! ```
//!
//! `BASALT_ORDER_PIPELINES` sets the total (50,000 unless set). The schedule of threads cannot be
//! replayed, but slots and moves can: the seed is printed.

mod support;

#[path = "order/laws.rs"]
mod laws;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use laws::{Law, Words, all_laws};
use support::{
    Client, OK, Reply, Seeded, Server, ServerConfig, Test, each_core_count, encode,
    environment_number, slot_of,
};

const CORE_COUNTS: [u32; 2] = [2, 8];
const INSTANCE_COUNT: u32 = 2;
const LAW_COUNT: u64 = 5;
const PIPELINE_COUNT_DEFAULT: u64 = 50_000;
/// Rounds a writer has under way before it reads replies.
const ROUNDS_IN_FLIGHT: u64 = 16;

#[test]
fn effects_become_visible_in_the_order_written() {
    let total = environment_number("BASALT_ORDER_PIPELINES").unwrap_or(PIPELINE_COUNT_DEFAULT);
    let writer_count = LAW_COUNT * u64::from(INSTANCE_COUNT) * CORE_COUNTS.len() as u64;
    let round_count = (total / writer_count).max(1);
    each_core_count(&CORE_COUNTS, |t| {
        let laws: Vec<Box<dyn Law>> = (0..INSTANCE_COUNT).flat_map(all_laws).collect();
        assert_eq!(laws.len() as u64, LAW_COUNT * u64::from(INSTANCE_COUNT));
        for law in &laws {
            law.prologue().into_iter().for_each(|command| t.check(command, OK));
        }
        enforce(t, &laws, round_count);
    });
}

/// Runs all writers, readers and the mover; panics on the first breach of a law.
fn enforce(t: &mut Test, laws: &[Box<dyn Law>], round_count: u64) {
    let writers_left = AtomicU32::new(u32::try_from(laws.len()).expect("a few laws"));
    let is_over = || writers_left.load(Ordering::Acquire) == 0;
    let random = Seeded::announced(&format!("order, {:?}", t.server.config()));
    let server: &Server = t.server;
    thread::scope(|scope| {
        for law in laws {
            let (mut writer, mut reader) = (server.connect_plain(), server.connect_plain());
            let writers_left = &writers_left;
            scope.spawn(move || {
                // Counted down even on a panic, else the readers would never end.
                let _finished = CountDown(writers_left);
                write_rounds(&mut writer, law.as_ref(), round_count);
            });
            scope.spawn(move || observe(&mut reader, law.as_ref(), is_over));
        }
        if let ServerConfig::Basalt { core_count, .. } = *server.config() {
            let mover = Mover::new(server.connect_plain(), random, laws, core_count);
            scope.spawn(move || mover.run(is_over));
        }
    });
}

/// Takes one from a counter when dropped.
struct CountDown<'counter>(&'counter AtomicU32);

impl Drop for CountDown<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

fn write_rounds(client: &mut Client, law: &dyn Law, round_count: u64) {
    for first in (1..=round_count).step_by(ROUNDS_IN_FLIGHT as usize) {
        let last = round_count.min(first + ROUNDS_IN_FLIGHT - 1);
        let commands: Vec<Words> = (first..=last).flat_map(|round| law.pipeline(round)).collect();
        let replies = client.pipeline(commands.iter().map(Vec::as_slice));
        for (reply, command) in replies.iter().zip(&commands) {
            let is_expected = matches!(reply, Reply::Simple(_) | Reply::Integer(_));
            assert!(is_expected, "{}: {command:?} gave {reply:?}", law.name());
        }
    }
}

/// Looks again and again until all writers are done, and once more after that.
fn observe(client: &mut Client, law: &dyn Law, is_over: impl Fn() -> bool) {
    let commands = law.look();
    let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(&command[..])).collect();
    let mut last_seen = None;
    let mut change_count = 0_u64;
    loop {
        let is_last = is_over();
        client.send(&bytes);
        let replies: Vec<Reply> = commands.iter().map(|_| client.read_reply()).collect();
        match law.judge(&replies) {
            Ok(seen) if last_seen != Some(seen) => {
                last_seen = Some(seen);
                change_count += 1;
            }
            Ok(_) => {}
            Err(breach) => panic!("{}: {breach}", law.name()),
        }
        if is_last {
            break;
        }
    }
    assert!(change_count > 0, "{}: the reader saw nothing happen", law.name());
}

/// Hands slots from core to core while others read and write them.
struct Mover {
    client: Client,
    random: Seeded,
    /// Slots of the laws' keys: the ones worth moving.
    busy_slots: Vec<u16>,
    core_count: u32,
}

impl Mover {
    fn new(client: Client, random: Seeded, laws: &[Box<dyn Law>], core_count: u32) -> Mover {
        let keys = laws.iter().flat_map(|law| law.keys());
        let busy_slots = keys.map(|key| slot_of(key.as_bytes())).collect();
        Mover { client, random, busy_slots, core_count }
    }

    fn run(mut self, is_over: impl Fn() -> bool) {
        while !is_over() {
            let (slot, core) = self.draw();
            self.client.check(format!("DEBUG MOVE-SLOT {slot} {core}"), OK);
            // Nobody else moves slots, so the answer is exact.
            self.client.check(format!("DEBUG SLOT-OWNER {slot}"), i64::from(core));
        }
    }

    /// A slot, nine times out of ten a busy one, and its next owner.
    fn draw(&mut self) -> (u16, u32) {
        let generator = &mut self.random.generator;
        let slot = if generator.u8(..10) == 0 {
            generator.u16(..16_384)
        } else {
            self.busy_slots[generator.usize(..self.busy_slots.len())]
        };
        (slot, generator.u32(..self.core_count))
    }
}

#[test]
fn slot_ownership_is_told_and_guarded() {
    if !support::is_basalt() {
        support::skip("DEBUG SLOT-OWNER and MOVE-SLOT are Basalt's own");
        return;
    }
    each_core_count(&CORE_COUNTS, |t| {
        let ServerConfig::Basalt { core_count, .. } = *t.server.config() else { return };
        let mut owned_by = vec![0; core_count as usize];
        for slot in 0..16_384 {
            let owner = t.integer(format!("DEBUG SLOT-OWNER {slot}"));
            owned_by[usize::try_from(owner).expect("a core number")] += 1;
        }
        assert!(owned_by.iter().all(|&count| count > 0), "idle cores: {owned_by:?}");
        for command in [
            "DEBUG SLOT-OWNER 16384".to_owned(),
            "DEBUG SLOT-OWNER x".to_owned(),
            "DEBUG MOVE-SLOT 16384 0".to_owned(),
            format!("DEBUG MOVE-SLOT 0 {core_count}"),
            "DEBUG MOVE-SLOT 0 -1".to_owned(),
        ] {
            assert!(matches!(t.call(&command), Reply::Error(_)), "{command}");
        }
    });
}

/// A pipeline reads its own writes, and replies stay in order while slots move underneath.
#[test]
fn a_pipeline_reads_its_own_writes_on_moving_slots() {
    const ROUND_COUNT: u64 = 300;
    const KEY_COUNT: u64 = 20;
    each_core_count(&CORE_COUNTS, |t| {
        let is_over = AtomicBool::new(false);
        let mut writer = t.connect();
        let random = Seeded::announced("own writes");
        let laws: Vec<Box<dyn Law>> = Vec::new();
        let server: &Server = t.server;
        thread::scope(|scope| {
            if let ServerConfig::Basalt { core_count, .. } = *server.config() {
                let mut mover = Mover::new(server.connect_plain(), random, &laws, core_count);
                mover.busy_slots =
                    (0..KEY_COUNT).map(|key| slot_of(format!("own:{key}").as_bytes())).collect();
                let is_over = &is_over;
                scope.spawn(move || mover.run(|| is_over.load(Ordering::Acquire)));
            }
            let _stop = RaiseOnDrop(&is_over);
            for round in 1..=ROUND_COUNT {
                read_own_writes(&mut writer, round, KEY_COUNT);
            }
        });
    });
}

/// Raises a flag when dropped, on a panic too.
struct RaiseOnDrop<'flag>(&'flag AtomicBool);

impl Drop for RaiseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn read_own_writes(client: &mut Client, round: u64, key_count: u64) {
    let commands = (0..key_count).flat_map(|key| {
        [format!("SET own:{key} {round}"), format!("INCR own:{key}"), format!("GET own:{key}")]
    });
    let replies = client.pipeline(commands);
    for three in replies.chunks(3) {
        assert_eq!(three[0], Reply::Simple("OK".into()));
        assert_eq!(three[1], Reply::Integer(round as i64 + 1));
        assert_eq!(three[2], Reply::Bulk((round + 1).to_string().into_bytes()));
    }
}

/// A checker that accepts everything would make the tests above worthless.
#[test]
fn judges_recognise_breaches() {
    let value = |number: u64| Reply::Bulk(number.to_string().into_bytes());
    let both = |left: Reply, right: Reply| vec![Reply::Array(vec![left, right])];
    let laws = all_laws(0);
    let (good, bad) = (0, 1);
    let cases = [
        [vec![value(4), value(5)], vec![value(5), value(4)]],
        [vec![Reply::Null, value(1)], vec![value(1), Reply::Null]],
        [both(value(4), value(3)), both(Reply::Null, Reply::Null)],
        [both(value(4), value(4)), both(value(4), value(5))],
        [both(value(0), Reply::Null), both(value(0), value(0))],
    ];
    assert_eq!(laws.len(), cases.len());
    for (law, replies) in laws.iter().zip(&cases) {
        assert!(law.judge(&replies[good]).is_ok(), "{}", law.name());
        assert!(law.judge(&replies[bad]).is_err(), "{}", law.name());
    }
    let relay = &laws[2];
    assert!(relay.judge(&both(value(4), value(7))).is_err(), "rounds 4 and 7 never meet");
}
