//! Client-side caching over many cores: a client that keeps what it reads, and drops what it is
//! told to, never keeps what is no longer so. Slots move, keys go by FLUSHALL and transactions
//! meanwhile.

mod support;

use std::collections::{BTreeMap, VecDeque};

use basalt_shard::hash::HashSlot;
use support::resp::{elements, show, split_line, split_replies};
use support::{ClientId, Cluster, Request, under_seeds};

const KEYS: [&str; 6] = ["a", "b", "c", "{c}x", "d", "e"];

fn pick<'a>(random: &mut fastrand::Rng, words: &[&'a str]) -> &'a str {
    words[random.usize(..words.len())]
}

/// A client that caches.
struct Cache {
    client: ClientId,
    /// Replies of these keys are awaited; `None` for other replies.
    awaited: VecDeque<Option<&'static str>>,
    kept: BTreeMap<String, Vec<u8>>,
    /// How often it kept something, and was told to drop something.
    reads: usize,
    invalidations: usize,
}

impl Cache {
    fn open(cluster: &mut Cluster, core: usize, options: &str) -> Self {
        let client = cluster.connect(core);
        cluster.execute(client, "HELLO 3");
        let reply = cluster.execute(client, &format!("CLIENT TRACKING ON {options}"));
        assert_eq!(show(&reply), "+OK\\r\\n");
        Self { client, awaited: VecDeque::new(), kept: BTreeMap::new(), reads: 0, invalidations: 0 }
    }

    fn read(&mut self, cluster: &mut Cluster, key: &'static str) {
        cluster.send(self.client, split_line(&format!("GET {key}")));
        self.awaited.push_back(Some(key));
    }

    fn write(&mut self, cluster: &mut Cluster, request: Request) {
        cluster.send(self.client, request);
        self.awaited.push_back(None);
    }

    /// Takes in what has arrived: replies are kept, what changed is dropped.
    fn catch_up(&mut self, cluster: &mut Cluster) {
        for reply in split_replies(&cluster.take_replies(self.client)) {
            if reply[0] != b'>' {
                if let Some(key) = self.awaited.pop_front().expect("replies are asked for") {
                    self.kept.insert(key.to_owned(), reply);
                    self.reads += 1;
                }
                continue;
            }
            self.invalidations += 1;
            let parts = elements(&reply);
            assert_eq!(show(&parts[0]), "$10\\r\\ninvalidate\\r\\n");
            if parts[1] == b"_\r\n" {
                self.kept.clear();
                continue;
            }
            for key in support::resp::texts(&parts[1]) {
                self.kept.remove(&key);
            }
        }
    }
}

fn random_write(random: &mut fastrand::Rng) -> Request {
    let (one, other) = (pick(random, &KEYS), pick(random, &KEYS));
    let value = random.u32(..1000);
    split_line(&match random.u32(..12) {
        0..6 => format!("SET {one} {value}"),
        6..8 => format!("DEL {one}"),
        8 => format!("MSET {one} {value} {other} {value}"),
        9 => format!("INCRBY {one} {value}"),
        10 => format!("RENAME {one} {other}"),
        _ if random.u32(..6) == 0 => "FLUSHALL".to_owned(),
        _ => format!("APPEND {one} 7"),
    })
}

#[test]
fn what_is_kept_is_right_when_keys_are_remembered() {
    under_seeds(|seed| keep_and_drop(seed, ""));
}

#[test]
fn what_is_kept_is_right_when_keys_are_told_by_prefix() {
    under_seeds(|seed| keep_and_drop(seed, "BCAST"));
}

fn keep_and_drop(seed: u64, options: &str) {
    for core_count in [1, 2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let cores = usize::from(core_count);
        let mut caches: Vec<Cache> =
            (0..cores + 1).map(|core| Cache::open(&mut cluster, core % cores, options)).collect();
        let writers: Vec<ClientId> = (0..cores).map(|core| cluster.connect(core)).collect();
        for _ in 0..40 {
            for cache in &mut caches {
                for _ in 0..random.usize(..5) {
                    if random.u32(..5) == 0 {
                        cache.write(&mut cluster, random_write(&mut random));
                    } else {
                        cache.read(&mut cluster, pick(&mut random, &KEYS));
                    }
                }
            }
            for writer in &writers {
                for _ in 0..random.usize(..3) {
                    cluster.send(*writer, random_write(&mut random));
                }
            }
            if random.u32(..4) == 0 {
                let slot = HashSlot::of_key(pick(&mut random, &KEYS).as_bytes()).number();
                let line = format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores));
                cluster.send(writers[0], split_line(&line));
            }
            for _ in 0..random.usize(..150) {
                cluster.step();
            }
            caches.iter_mut().for_each(|cache| cache.catch_up(&mut cluster));
        }
        cluster.run_until_idle();
        let judge = cluster.connect(0);
        cluster.execute(judge, "HELLO 3");
        for cache in &mut caches {
            cache.catch_up(&mut cluster);
            assert!(cache.reads > 0 && cache.invalidations > 0, "it kept and dropped");
            for (key, value) in &cache.kept {
                let right = cluster.execute(judge, &format!("GET {key}"));
                assert_eq!(show(value), show(&right), "{key} with {core_count} cores");
            }
        }
    }
}

#[test]
fn a_client_is_not_told_of_its_own_writes_if_it_says_so() {
    for core_count in [1, 3] {
        let mut cluster = Cluster::new(core_count, 5);
        let mut cache = Cache::open(&mut cluster, 0, "NOLOOP");
        for key in KEYS {
            cache.read(&mut cluster, key);
            cache.write(&mut cluster, split_line(&format!("SET {key} 1")));
        }
        cluster.run_until_idle();
        cache.catch_up(&mut cluster);
        assert_eq!(cache.invalidations, 0);
    }
}

#[test]
fn another_client_receives_until_it_is_gone() {
    under_seeds(|seed| {
        let mut cluster = Cluster::new(3, seed);
        let (reader, writer, receiver) =
            (cluster.connect(0), cluster.connect(1), cluster.connect(2));
        cluster.execute(receiver, "SUBSCRIBE __redis__:invalidate");
        cluster.execute(reader, "HELLO 3");
        let id = cluster.core(2).sessions().next().expect("the receiver is there").1.client_id;
        let missing = cluster.execute(reader, "CLIENT TRACKING ON REDIRECT 12345");
        let refusal = "-ERR The client ID you want redirect to does not exist\\r\\n";
        assert_eq!(show(&missing), refusal);
        cluster.execute(reader, &format!("CLIENT TRACKING ON REDIRECT {id}"));
        cluster.execute(reader, "GET a");
        cluster.execute(writer, "SET a 1");
        let told = "*3\\r\\n$7\\r\\nmessage\\r\\n$20\\r\\n__redis__:invalidate\\r\\n\
                    *1\\r\\n$1\\r\\na\\r\\n";
        assert_eq!(show(&cluster.take_replies(receiver)), told);
        cluster.execute(reader, "GET a");
        cluster.disconnect(receiver);
        cluster.execute(writer, "SET a 2");
        let broken = format!(">2\\r\\n$21\\r\\ntracking-redir-broken\\r\\n:{id}\\r\\n");
        assert_eq!(show(&cluster.take_replies(reader)), broken);
    });
}

#[test]
fn too_many_keys_are_not_remembered() {
    let settings =
        basalt_shard::settings::Settings { tracking_table_max_keys: 10, ..support::settings() };
    let mut cluster = Cluster::with_settings(2, 3, settings);
    let client = cluster.connect(0);
    cluster.execute(client, "HELLO 3");
    cluster.execute(client, "CLIENT TRACKING ON");
    for number in 0..50 {
        cluster.send(client, split_line(&format!("GET key:{number}")));
    }
    cluster.run_until_idle();
    let replies = split_replies(&cluster.take_replies(client));
    let told = replies.iter().filter(|reply| reply[0] == b'>').count();
    assert_eq!(told, 40, "each key beyond the limit is told of");
}

/// Symptom: a client that waited, and was served by a command from its own core while the keys lie
/// on another, was told of what serving it changed before it had its reply. Cause: news that came
/// home with the replies of a batch was taken to be of the commands in it, whose replies are there.
/// Fix: news of somebody else stays behind the place where that reply will be.
#[test]
fn who_was_served_has_its_reply_before_word_of_what_that_changed() {
    under_seeds(|seed| {
        let mut cluster = Cluster::new(2, seed);
        let owner = cluster.core(0).owner(HashSlot::of_key(b"t")).index();
        let other = 1 - owner;
        let waiting = Cache::open(&mut cluster, other, "").client;
        let pusher = cluster.connect(other);
        cluster.execute(pusher, "RPUSH target{t} a");
        cluster.execute(waiting, "LRANGE target{t} 0 -1");
        cluster.send(waiting, split_line("BLMOVE source{t} target{t} LEFT LEFT 0"));
        cluster.run_until_idle();
        // Commands before and behind it in the same batch.
        for line in ["PING", "EXISTS a{t}", "RPUSH source{t} foo", "EXISTS b{t}"] {
            cluster.send(pusher, split_line(line));
        }
        cluster.run_until_idle();
        let told = split_replies(&cluster.take_replies(waiting));
        let told: Vec<String> = told.iter().map(|reply| show(reply)).collect();
        let word = ">2\\r\\n$10\\r\\ninvalidate\\r\\n*1\\r\\n$9\\r\\ntarget{t}\\r\\n";
        assert_eq!(told, ["$3\\r\\nfoo\\r\\n", word]);
    });
}
