//! A snapshot holds what was there at its cut, whatever happens while it is written.
//!
//! A server on one thread runs random commands under a seed: changes of every type, expiry,
//! flushes, exchanged databases, transactions over several cores, slots that move. In the midst of
//! them a parking tour notes every key and its serialized value, and begins a snapshot. When the
//! snapshot is complete it must be exactly those keys with exactly those values, each once.

#[path = "../../shard/tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use basalt_persist::preamble::{Preamble, ending};
use basalt_persist::reader::{ChecksumUse, Item, RdbReader};
use basalt_shard::core::tour::{TourKind, TourTask};
use basalt_shard::core::{Core, SessionId};
use basalt_shard::hash::HashSlot;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::payload;
use basalt_shard::rdb::value_type::RdbVersion;
use basalt_shard::rdb::writer::Compression;
use basalt_shard::reply::Reply;
use basalt_shard::snapshot::{PART_BYTES, Part, SnapshotOrder, SnapshotSink, UsageKept};
use support::resp::split_line;
use support::{Cluster, Request, START_MS, under_seeds};

/// Version and checksum behind a payload.
const FOOTER_BYTES: usize = 10;

/// A listpack without elements: all fields of a hash were due, and nobody has looked yet.
const NO_FIELDS: [u8; 7] = [7, 0, 0, 0, 0, 0, 0xff];

/// Database and name lead to expiry and the type and value as they are written.
type Keys = BTreeMap<(u32, Vec<u8>), (Option<i64>, Vec<u8>)>;

/// What all cores have sent.
#[derive(Default)]
struct Collected {
    /// What each core has sent of a record that is not complete.
    open: HashMap<u16, Vec<u8>>,
    body: Vec<u8>,
    slots_done: usize,
    cores_over: usize,
    keys: u64,
    /// Bytes of the largest part.
    largest: usize,
    /// Asked for room so many times.
    asked: u64,
}

struct Sink {
    core: u16,
    collected: Arc<Mutex<Collected>>,
}

impl Sink {
    fn with<R>(&self, act: impl FnOnce(&mut Collected) -> R) -> R {
        act(&mut self.collected.lock().expect("one thread"))
    }
}

impl SnapshotSink for Sink {
    fn has_room(&self) -> bool {
        self.with(|collected| {
            collected.asked += 1;
            !collected.asked.is_multiple_of(3)
        })
    }

    fn send(&mut self, part: Part) {
        let core = self.core;
        self.with(|collected| {
            collected.largest = collected.largest.max(part.bytes.len());
            let open = collected.open.entry(core).or_default();
            open.extend(part.bytes);
            if !part.is_open {
                collected.body.append(open);
            }
            collected.keys += part.keys;
            collected.cores_over += usize::from(part.is_last);
        });
    }

    fn slot_done(&mut self) {
        self.with(|collected| collected.slots_done += 1);
    }

    fn all_slots_done(&self) -> bool {
        self.with(|collected| collected.slots_done == usize::from(HashSlot::COUNT))
    }

    fn is_abandoned(&self) -> bool {
        false
    }
}

/// Notes what is there and begins the snapshot.
struct NotedCut {
    noted: Arc<Mutex<Keys>>,
    collected: Arc<Mutex<Collected>>,
    version: RdbVersion,
}

impl TourTask for NotedCut {
    fn visit(&mut self, core: &mut Core) {
        let now_ms = core.store.now_ms();
        let mut noted = self.noted.lock().expect("one thread");
        for (_, slot) in core.store.slots() {
            for (db, table) in slot.tables() {
                for entry in table.iter() {
                    let mut value =
                        payload::dump(entry.value(), self.version, now_ms, Compression::On);
                    value.truncate(value.len() - FOOTER_BYTES);
                    if value.ends_with(&NO_FIELDS) {
                        continue;
                    }
                    let before =
                        noted.insert((db, entry.key().to_vec()), (entry.expiry_ms(), value));
                    assert!(before.is_none(), "a key is in one place");
                }
            }
        }
        core.store.begin_snapshot(SnapshotOrder {
            number: 1,
            sink: Box::new(Sink { core: core.id().0, collected: Arc::clone(&self.collected) }),
            version: self.version,
            compression: Compression::On,
            usage: UsageKept::None,
            key_delay_us: 0,
        });
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, _: &mut Reply<'_>) {}
}

fn key(random: &mut fastrand::Rng) -> String {
    // Some share a slot, most do not.
    match random.u32(..3) {
        0 => format!("{{tag}}{}", random.u32(..30)),
        _ => format!("key{}", random.u32(..60)),
    }
}

fn random_request(random: &mut fastrand::Rng, cores: usize) -> Request {
    let (one, other, number) = (key(random), key(random), random.u32(..20));
    split_line(&match random.u32(..34) {
        0..4 => format!("SET {one} value{number}"),
        4 => format!("SET {one} {} PX {}", "long".repeat(400), 1 + number),
        5 => format!("APPEND {one} {number}"),
        6 => format!("DEL {one}"),
        7 => format!("UNLINK {one} {other}"),
        8 => format!("RENAME {one} {other}"),
        9 => format!("COPY {one} {other} REPLACE"),
        10 => format!("MSET {one} {number} {other} {number}"),
        11 => format!("PEXPIRE {one} {number}"),
        12 => format!("PERSIST {one}"),
        13..16 => format!("HSET hash{one} field{number} {number} other {number}"),
        16 => format!("HPEXPIRE hash{one} {} FIELDS 1 field{number}", 1 + number),
        17 => format!("HDEL hash{one} field{number}"),
        18 => format!("RPUSH list{one} {number} x y"),
        19 => format!("LMOVE list{one} list{other} LEFT RIGHT"),
        20 => format!("LTRIM list{one} 1 5"),
        21 => format!("SADD set{one} {number} member{number}"),
        22 => format!("SPOP set{one}"),
        23 => format!("SUNIONSTORE set{one} set{one} set{other}"),
        24 => format!("ZADD sorted{one} {number} a{number}"),
        25 => format!("ZPOPMIN sorted{one}"),
        26 => format!("XADD stream{one} * name {number}"),
        27 => format!("XTRIM stream{one} MAXLEN {number}"),
        28 => format!("SELECT {}", random.u32(..3)),
        29 => format!("MOVE {one} {}", random.u32(..3)),
        30 if number == 0 => "FLUSHDB".to_owned(),
        30 if number == 1 => "FLUSHALL ASYNC".to_owned(),
        30 => format!("SWAPDB {} {}", random.u32(..3), random.u32(..3)),
        31 | 32 => {
            let slot = HashSlot::of_key(one.as_bytes()).number();
            format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores))
        }
        _ => format!("GETDEL {one}"),
    })
}

/// Sends a few commands, some of them as a transaction, and lets some steps happen.
fn disturb(cluster: &mut Cluster, clients: &[support::ClientId], random: &mut fastrand::Rng) {
    let client = clients[random.usize(..clients.len())];
    let cores = cluster.core_count();
    let in_transaction = random.u32(..6) == 0;
    if in_transaction {
        cluster.send(client, split_line("MULTI"));
    }
    for _ in 0..random.usize(1..4) {
        let request = random_request(random, cores);
        let moves = request[0] == b"DEBUG";
        if !(in_transaction && moves) {
            cluster.send(client, request);
        }
    }
    if in_transaction {
        cluster.send(client, split_line("EXEC"));
    }
    if random.u32(..4) == 0 {
        cluster.advance_ms(random.i64(0..8));
        let number = random.usize(..cores);
        cluster.core(number).expire_cycle(20);
    }
    for _ in 0..random.usize(..40) {
        cluster.step();
    }
}

fn read_back(collected: &Collected) -> Keys {
    let mut file = Preamble::default().to_bytes();
    file.extend(&collected.body);
    file.push(opcode::EOF);
    file.extend(ending(0));
    let length = Some(file.len() as u64);
    let mut reader =
        RdbReader::new(&file[..], length, ChecksumUse::Verify).expect("the header is good");
    let mut keys = Keys::new();
    loop {
        match reader.read_item().expect("what was written can be read") {
            Item::Key(record) => {
                let mut value = vec![record.value_type.code()];
                value.extend_from_slice(record.value);
                let name = record.name.to_vec();
                let before = keys.insert((record.db, name), (record.expiry_ms, value));
                assert!(before.is_none(), "{:?} is written once", record.name.escape_ascii());
            }
            Item::End => return keys,
            item => panic!("a record was to come, not {item:?}"),
        }
    }
}

fn check(seed: u64, cores: u16) {
    let mut cluster = Cluster::new(cores, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let clients: Vec<_> =
        (0..cores as usize * 2).map(|n| cluster.connect(n % cores as usize)).collect();
    for _ in 0..400 {
        disturb(&mut cluster, &clients, &mut random);
    }
    // Whatever was flushed last, there is something to write.
    (0..40).for_each(|n| cluster.send(clients[0], split_line(&format!("SET base{n} {n}"))));
    cluster.run_until_idle();
    let (noted, collected) = (Arc::default(), Arc::default());
    let version = if random.bool() { RdbVersion::V10 } else { RdbVersion::V11 };
    let task = NotedCut { noted: Arc::clone(&noted), collected: Arc::clone(&collected), version };
    cluster.core(0).begin_tour_unasked(TourKind::Parking, Box::new(task));
    let is_over = |collected: &Mutex<Collected>| {
        collected.lock().expect("one thread").cores_over == usize::from(cores)
    };
    let mut rounds = 0;
    while !is_over(&collected) {
        // First under fire, then left alone so that it ends.
        if rounds < 600 {
            disturb(&mut cluster, &clients, &mut random);
        } else {
            (0..100).for_each(|_| cluster.step());
        }
        rounds += 1;
        assert!(rounds < 1_000_000, "the snapshot never ends");
    }
    let collected = collected.lock().expect("one thread");
    let found = read_back(&collected);
    let noted = noted.lock().expect("one thread");
    assert_eq!(collected.keys as usize, found.len(), "keys that were counted");
    assert!(noted.len() > 20, "there was something to write: {}", noted.len());
    for (key, value) in noted.iter() {
        assert_eq!(found.get(key), Some(value), "{:?}", key.1.escape_ascii().to_string());
    }
    assert_eq!(found.len(), noted.len(), "keys that were not there at the cut");
    assert!(cluster.now_ms() >= START_MS);
}

#[test]
fn a_large_value_leaves_in_small_parts() {
    let mut cluster = Cluster::new(2, 1);
    let client = cluster.connect(0);
    for start in (0..200_000).step_by(1000) {
        let members = (start..start + 1000).map(|n| format!("member-number-{n}").into_bytes());
        let request = [b"SADD".to_vec(), b"large".to_vec()].into_iter().chain(members);
        cluster.execute_request_in_turns(client, request.collect());
    }
    let (noted, collected) = (Arc::default(), Arc::default());
    let version = RdbVersion::default();
    let task = NotedCut { noted: Arc::clone(&noted), collected: Arc::clone(&collected), version };
    cluster.core(0).begin_tour_unasked(TourKind::Parking, Box::new(task));
    while collected.lock().expect("one thread").cores_over < 2 {
        cluster.step();
        // The walk is not to come to it first.
        cluster.send(client, split_line("SREM large member-number-7"));
    }
    let collected = collected.lock().expect("one thread");
    assert!(collected.body.len() > 3_000_000, "{} bytes", collected.body.len());
    assert!(collected.largest < 2 * PART_BYTES, "{} bytes at once", collected.largest);
    assert_eq!(read_back(&collected), *noted.lock().expect("one thread"));
}

#[test]
fn a_snapshot_is_what_was_there_at_the_cut() {
    for cores in [1, 2, 5] {
        under_seeds(|seed| check(seed, cores));
    }
}
