//! Several segments, and single files of commands, loaded by one thread and by several: the data is
//! the same, whatever the records are about, damage is told with the same words and place, and
//! annotations that lie end the load.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use basalt_persist::aof::load::{LoadError, LoadOptions, LoadReport, Location, load};
use basalt_persist::aof::manifest::{FileEntry, Manifest};
use basalt_persist::disk::SystemDisk;
use basalt_shard::hash::HashSlot;
use basalt_shard::replay::ReplayError;
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;
use basalt_simulator::cluster::Cluster;
use basalt_simulator::configuration::Configuration;
use basalt_simulator::host::{TestHost, VirtualClock};

const SEGMENTS: usize = 3;
const PREFIX: &str = "appendonly.aof";

/// Segments in the making: what happens in one order is told in any of them. A single one is told
/// as stock servers do, without annotations.
struct Telling {
    random: fastrand::Rng,
    texts: Vec<String>,
    sequences: Vec<u64>,
    /// The database each segment has selected.
    selected: Vec<u32>,
    barriers: u64,
}

impl Telling {
    fn new(seed: u64, segments: usize) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            texts: vec![String::new(); segments],
            sequences: vec![0; usize::from(HashSlot::COUNT)],
            selected: vec![u32::MAX; segments],
            barriers: 0,
        }
    }

    /// A record of some commands in a database, about some keys, in a segment.
    fn tell(&mut self, segment: usize, db: u32, keys: &[String], commands: &[String]) {
        let mut slots: Vec<HashSlot> =
            keys.iter().map(|key| HashSlot::of_key(key.as_bytes())).collect();
        slots.sort_unstable();
        slots.dedup();
        let pairs = slots.iter().map(|slot| {
            self.sequences[slot.index()] += 1;
            format!("{}:{}", slot.index(), self.sequences[slot.index()])
        });
        let pairs: Vec<String> = pairs.collect();
        let is_plain = self.is_plain();
        let text = &mut self.texts[segment];
        if !pairs.is_empty() && !is_plain {
            *text += &format!("#S:{}\r\n", pairs.join(","));
        }
        if std::mem::replace(&mut self.selected[segment], db) != db {
            *text += &command(&format!("SELECT {db}"));
        }
        let is_group = commands.len() > 1;
        let group = |word: &str| if is_group { command(word) } else { String::new() };
        *text += &group("MULTI");
        commands.iter().for_each(|line| *text += &command(line));
        *text += &group("EXEC");
    }

    fn is_plain(&self) -> bool {
        self.texts.len() == 1
    }

    fn key(&mut self) -> String {
        format!("k{}", self.random.u32(..40))
    }

    /// Something happens.
    fn step(&mut self, number: usize) {
        let (segment, db) = (self.random.usize(..self.texts.len()), self.random.u32(..3));
        let (one, other) = (self.key(), self.key());
        match self.random.u32(..40) {
            0 => self.barrier(segment, db),
            1..=3 => {
                let lines =
                    [format!("APPEND {one} {number};"), format!("APPEND {other} {number}.")];
                self.tell(segment, db, &[one, other], &lines);
            }
            4 | 5 => {
                let line = format!("COPY {one} {other} REPLACE");
                self.tell(segment, db, &[one, other], &[line]);
            }
            6 => {
                let line = format!("SET {one} {number} PXAT 4000000000000");
                self.tell(segment, db, &[one], &[line]);
            }
            7 if self.is_plain() => self.elsewhere(number, db, one, other),
            _ => {
                let line = format!("APPEND {one} {number},");
                self.tell(segment, db, &[one], &[line]);
            }
        }
    }

    /// Something whose slots only its line tells, or does not tell; or that needs none.
    fn elsewhere(&mut self, number: usize, db: u32, one: String, other: String) {
        let third = self.key();
        let line = match self.random.u32(..5) {
            0 => format!("MSET {one} {number} {other} {number} {third} {number}"),
            1 => format!("DEL {one} {other} {third}"),
            2 => format!("SORT list-{one} BY nosort STORE {other}"),
            3 => format!("RPUSH list-{one} {number}"),
            _ => "PING".to_owned(),
        };
        self.tell(0, db, &[one, other], &[line]);
        if self.random.bool() {
            self.texts[0] += "#TS:1700000000\r\n";
        }
    }

    /// The end of a process that is shut down.
    fn end(&mut self) {
        self.barriers += 1;
        let barrier = format!("#G:{}\r\n", self.barriers);
        self.texts.iter_mut().for_each(|text| *text += &barrier);
    }

    /// Something that concerns all slots, alone or within a transaction.
    fn barrier(&mut self, segment: usize, db: u32) {
        self.barriers += 1;
        let is_plain = self.is_plain();
        for (other, text) in self.texts.iter_mut().enumerate().filter(|_| !is_plain) {
            let kind = if other == segment { 'T' } else { 'G' };
            *text += &format!("#{kind}:{}\r\n", self.barriers);
        }
        let line = match self.random.u32(..4) {
            0 => "FLUSHDB".to_owned(),
            1 => "FUNCTION FLUSH".to_owned(),
            _ => format!("SWAPDB {} {}", self.random.u32(..3), self.random.u32(..3)),
        };
        if self.random.bool() {
            return self.tell(segment, db, &[], &[line]);
        }
        let key = self.key();
        let lines = [format!("APPEND {key} before"), line, format!("APPEND {key} behind")];
        self.tell(segment, db, &[key], &lines);
    }
}

fn command(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let words: Vec<String> = words.collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

/// A directory of segments, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(texts: &[String]) -> Self {
        let name = format!("basalt-hands-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        let directory = Self(path);
        let (location, mut manifest) = (directory.location(), Manifest::default());
        let files = manifest.add_generation(PREFIX, texts.len());
        for (file, text) in files.iter().zip(texts) {
            fs::write(location.file(&file.name), text).expect("it can be written");
        }
        manifest.write(&SystemDisk, &location.manifest()).expect("it can be written");
        directory
    }

    fn location(&self) -> Location {
        Location::new(self.0.clone(), PREFIX.to_owned())
    }

    fn manifest(&self) -> Manifest {
        let manifest = Manifest::read(&SystemDisk, &self.location().manifest());
        manifest.expect("it makes sense").expect("it is there")
    }

    fn load(&self, store: &mut Store, thread_count: usize) -> Result<LoadReport, LoadError> {
        let options = LoadOptions { thread_count, ..LoadOptions::default() };
        let progress = Arc::clone(&options.progress);
        let report = self.load_with(store, options)?;
        assert_eq!(progress.going().bytes, report.bytes, "every byte is counted once");
        Ok(report)
    }

    fn load_with(&self, store: &mut Store, options: LoadOptions) -> Result<LoadReport, LoadError> {
        load(&self.location(), &self.manifest(), options, store)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn store(seed: u64) -> Store {
    Store::new(HashSlot::all(), seed, 0, Settings::default().into())
}

/// The digest of a store's data and how many keys it counts in each database.
fn sum_up(mut store: Store, seed: u64) -> Vec<String> {
    let mut cluster = Cluster::new(1, seed);
    cluster.adopt(&mut store);
    let client = cluster.connect(0);
    let mut said = Vec::new();
    for line in ["DEBUG DIGEST", "DBSIZE", "SELECT 1", "DBSIZE", "SELECT 2", "DBSIZE"] {
        said.push(String::from_utf8_lossy(&cluster.execute(client, line)).into_owned());
    }
    said
}

/// The seed to begin with.
fn first_seed() -> u64 {
    let seed = std::env::var("BASALT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| fastrand::u64(..u64::MAX - 1))
}

/// Loads by one thread and by several, which has to come to the same.
fn compare(seed: u64, segments: usize) {
    let mut telling = Telling::new(seed, segments);
    (0..1500).for_each(|number| telling.step(number));
    if segments > 1 && seed.is_multiple_of(2) {
        telling.end();
    }
    let directory = Directory::new(&telling.texts);
    let mut expected = None;
    for thread_count in [1, 2, 4] {
        let mut store = store(seed);
        let report = directory.load(&mut store, thread_count).expect("the files are whole");
        // Copying a key over itself fails, wherever it runs.
        let said = (report.commands, report.failed, sum_up(store, seed));
        let expected = expected.get_or_insert_with(|| said.clone());
        assert_eq!(&said, expected, "BASALT_TEST_SEED={seed} {thread_count} threads");
    }
}

#[test]
fn several_threads_make_of_segments_what_one_does() {
    let first = first_seed();
    (first..=first + 1).for_each(|seed| compare(seed, SEGMENTS));
}

#[test]
fn several_threads_make_of_a_single_file_what_one_does() {
    let first = first_seed();
    (first..=first + 1).for_each(|seed| compare(seed, 1));
}

#[test]
fn a_torn_end_is_told_and_cut_off_at_the_same_place() {
    let whole: String = (0..200).map(|number| command(&format!("SET k{number} x"))).collect();
    let torn = whole.clone() + &command("MULTI") + &command("SET k1 y") + "*3\r\n$3\r\nSE";
    for thread_count in [1, 3] {
        let directory = Directory::new(std::slice::from_ref(&torn));
        let error = directory.load(&mut store(1), thread_count).expect_err("it is torn");
        let is_told = matches!(&error, LoadError::Torn(_, at) if *at == whole.len() as u64);
        assert!(is_told, "{error}");
        let options = LoadOptions { thread_count, cuts_torn_ends: true, ..LoadOptions::default() };
        let report = directory.load_with(&mut store(1), options).expect("the end may be cut off");
        assert_eq!((report.commands, report.warnings.len()), (200, 1));
        let path = directory.location().file(&directory.manifest().generations()[0][0].name);
        assert_eq!(fs::read_to_string(path).expect("it is there"), whole);
    }
}

#[test]
fn a_corrupt_tail_is_cut_off_if_it_is_short_enough() {
    let whole: String = (0..200).map(|number| command(&format!("SET k{number} x"))).collect();
    let tail = "this is no command\r\n";
    for corrupt_tail_bytes_max in [0, tail.len() as u64 - 1, tail.len() as u64] {
        let directory = Directory::new(&[whole.clone() + tail]);
        // It has nothing to do with what is merely torn.
        let options =
            LoadOptions { corrupt_tail_bytes_max, thread_count: 1, ..LoadOptions::default() };
        let loaded = directory.load_with(&mut store(1), options);
        let path = directory.location().file(&directory.manifest().generations()[0][0].name);
        let left = fs::read_to_string(path).expect("it is there");
        if corrupt_tail_bytes_max < tail.len() as u64 {
            let error = loaded.expect_err("it is damaged");
            assert!(matches!(error, LoadError::Damaged(_, at, _) if at == whole.len() as u64));
            assert!(left.ends_with(tail), "nothing is cut");
        } else {
            let report = loaded.expect("the tail is short");
            assert_eq!((report.commands, left == whole), (200, true));
            assert!(report.warnings[0].contains("corrupt tail of the AOF"), "{report:?}");
        }
    }
}

/// What one segment has lost takes with it what another has told after it.
#[test]
fn a_corrupt_tail_of_one_of_several_segments_is_cut_off_with_what_needs_it() {
    let record = |key: &str| {
        let slot = HashSlot::of_key(key.as_bytes()).index();
        format!("#S:{slot}:1\r\n{}", command(&format!("SET {key} x")))
    };
    let one = record("a") + "*x\r\n" + &record("b");
    let other = format!("{}#D:0:2\r\n{}", record("c"), record("d"));
    let directory = Directory::new(&[one.clone(), other.clone()]);
    let error = directory.load(&mut store(1), 2).expect_err("it is damaged");
    assert!(matches!(error, LoadError::Damaged(..)), "{error}");
    let mut store = store(1);
    let options =
        LoadOptions { corrupt_tail_bytes_max: 1000, thread_count: 2, ..LoadOptions::default() };
    let report = directory.load_with(&mut store, options).expect("the tail is short");
    assert_eq!((report.commands, report.warnings.len()), (2, 2), "{report:?}");
    let manifest = directory.manifest();
    let length = |file: &FileEntry| {
        fs::metadata(directory.location().file(&file.name)).expect("it is there").len()
    };
    let kept: Vec<u64> = manifest.files.iter().map(length).collect();
    assert_eq!(kept, [record("a").len() as u64, record("c").len() as u64]);
}

/// Segments that end as after a shutdown are run before it is certain that nothing is missing.
#[test]
fn segments_that_only_look_whole_are_cut_back_all_the_same() {
    let record = |key: &str| {
        let slot = HashSlot::of_key(key.as_bytes()).index();
        format!("#S:{slot}:1\r\n{}", command(&format!("SET {key} x")))
    };
    let one = format!("{}#D:1:3\r\n{}#G:1\r\n", record("a"), record("b"));
    let other = format!("{}#G:1\r\n", record("c"));
    for thread_count in [1, 2] {
        let directory = Directory::new(&[one.clone(), other.clone()]);
        let error = directory.load(&mut store(1), thread_count).expect_err("something is missing");
        assert!(matches!(error, LoadError::Torn(_, at) if at == record("a").len() as u64));
        let mut store = store(1);
        let options = LoadOptions { thread_count, cuts_torn_ends: true, ..LoadOptions::default() };
        let report = directory.load_with(&mut store, options).expect("the ends may be cut off");
        assert_eq!((report.commands, report.warnings.len()), (2, 2));
        assert_eq!(store.database_counts()[0].1.keys, 2, "what was lost with others is not there");
        let manifest = directory.manifest();
        let length = |file: &FileEntry| {
            fs::metadata(directory.location().file(&file.name)).expect("it is there").len()
        };
        let kept: Vec<u64> = manifest.files.iter().map(length).collect();
        assert_eq!(kept, [record("a").len() as u64, record("c").len() as u64]);
    }
}

#[test]
fn of_several_commands_that_cannot_run_the_first_is_told() {
    // Keys of any slot stand around them.
    let some = |from: u32| (from..from + 1500).map(|number| command(&format!("SET k{number} x")));
    let mut text: String = some(0).collect();
    text += &command("FCALL first 0");
    text.extend(some(1500));
    text += &command("NOSUCH command");
    let directory = Directory::new(&[text]);
    for thread_count in [1, 2, 4] {
        let error = directory.load(&mut store(1), thread_count).expect_err("it cannot run");
        let said = error.to_string();
        let expected = "Calls of functions are not loaded, only what they did: command 'FCALL'";
        assert!(said.starts_with(expected), "{said}");
    }
}

/// What runs scripts, for a process that does nothing else.
fn scripts() -> FileScripts {
    let configuration = Configuration::new(Settings::default());
    let host = TestHost::new(configuration, VirtualClock::starting_at_ms(1), || 1 << 30);
    FileScripts::new(Box::new(host), Arc::default())
}

#[test]
fn scripts_are_run_between_what_comes_before_and_behind_them() {
    let mut text = String::new();
    let mut expected = 0;
    for number in 0..600 {
        let key = number % 50;
        text += &command(&format!("INCR k{key}"));
        text += &match number % 3 {
            0 => command(&format!("EVAL redis.call('incr',KEYS[1]) 1 k{key}")),
            1 => command("MULTI") + &command("EVAL redis.call('incr','sum') 0") + &command("EXEC"),
            _ => command("EVAL no-script 0"),
        };
        expected += u64::from(number % 3 == 2);
    }
    text += &command("EVAL redis.call('set','random',math.random()) 0");
    // As where they ran first, numbers begin anew with each.
    let again = "EVAL assert(redis.call('get','random')==redis.call('echo',math.random())) 0";
    text += &command(again);
    let directory = Directory::new(&[text]);
    // Nobody sets limits to what was there before.
    let settings = Arc::new(Settings { maxmemory: 1, ..Settings::default() });
    let mut sums = Vec::new();
    for thread_count in [1, 2, 4] {
        let mut store = Store::new(HashSlot::all(), 1, 0, Arc::clone(&settings));
        let options = LoadOptions { scripts: Some(scripts()), thread_count, ..Default::default() };
        let report = directory.load_with(&mut store, options).expect("all of it can run");
        assert_eq!((report.commands, report.failed), (1202, expected), "{report:?}");
        assert_eq!(store.database_counts()[0].1.keys, 52);
        sums.push(sum_up(store, 1));
    }
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    let error = directory.load(&mut store(1), 2).expect_err("there is nothing that runs scripts");
    assert!(matches!(&error, LoadError::Command(_, ReplayError::NoScripts(_))), "{error}");
}

#[test]
fn records_that_do_not_name_their_slots_end_the_load() {
    let honest = format!("#S:{}:1\r\n{}", HashSlot::of_key(b"k1").index(), command("SET k1 1"));
    assert!(HashSlot::of_key(b"k2").index() < 8192, "the first of two hands has it");
    let elsewhere = format!("#S:16383:1\r\n{}", command("SET k2 1"));
    let anywhere = format!("#S:0:1\r\n{}", command("SORT k2 BY weight_*"));
    let scripted = format!("#S:0:1\r\n{}", command("EVAL return 0"));
    for lie in [elsewhere, anywhere, scripted] {
        let directory = Directory::new(&[honest.clone(), lie]);
        let mut store = store(1);
        let options =
            LoadOptions { scripts: Some(scripts()), thread_count: 2, ..Default::default() };
        let error = directory.load_with(&mut store, options).expect_err("the record lies");
        let is_told = matches!(&error, LoadError::Command(_, ReplayError::BadArguments(_)));
        assert!(is_told, "{error}");
    }
}
