//! The check of append-only directories: what it finds, what it mends, what it makes of several
//! segments.

use std::fs;
use std::path::{Path, PathBuf};

use basalt_persist::aof::check::{CheckOptions, Verdict, check, export, read_anything};
use basalt_persist::aof::manifest::Manifest;
use basalt_persist::disk::SystemDisk;

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    /// One generation of two cores: a slot that moved from the one to the other.
    fn with_two_segments() -> Self {
        let name = format!("basalt-check-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        let directory = Self(path);
        let mut manifest = Manifest::default();
        manifest.add_generation("appendonly.aof", 2);
        manifest.write(&SystemDisk, &directory.manifest()).expect("it can be written");
        let set = |value: &str| format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n{value}\r\n");
        let one =
            format!("#TS:100\r\n#S:5:1\r\n{}#TS:200\r\n#D:1:1\r\n#S:5:3\r\n{}", set("1"), set("3"));
        let other = format!("#TS:150\r\n#D:0:1\r\n#S:5:2\r\n{}", set("2"));
        fs::write(directory.segment(1), one).expect("it can be written");
        fs::write(directory.segment(2), other).expect("it can be written");
        directory
    }

    fn manifest(&self) -> PathBuf {
        self.0.join("appendonly.aof.manifest")
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.0.join(format!("appendonly.aof.{number}.incr.aof"))
    }

    /// What the commands of all segments are, in order.
    fn exported(&self) -> String {
        let (mut text, mut report) = (Vec::new(), Vec::new());
        assert!(export(&self.manifest(), &mut text, &mut report).expect("files can be read"));
        String::from_utf8(text).expect("it is text")
    }

    fn check(&self, options: CheckOptions) -> Verdict {
        check(&self.manifest(), options, &mut Vec::new()).expect("files can be read")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cut(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("the file is there");
    let length = file.metadata().expect("it has a length").len();
    file.set_len(length - bytes).expect("it can be cut");
}

const FIX: CheckOptions = CheckOptions { fixes: true, until_unix_seconds: None };

#[test]
fn segments_become_one_file_in_the_order_of_their_slots() {
    let directory = Directory::with_two_segments();
    assert_eq!(directory.check(CheckOptions::default()), Verdict::Good);
    let text = directory.exported();
    let places: Vec<usize> = ["1", "2", "3"]
        .iter()
        .filter_map(|value| text.find(&format!("$1\r\n{value}\r\n")))
        .collect();
    assert_eq!(places.len(), 3);
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains('#'), "a plain file");
}

#[test]
fn what_depends_on_a_lost_end_is_cut_too() {
    let directory = Directory::with_two_segments();
    cut(&directory.segment(2), 3);
    assert_eq!(directory.check(CheckOptions::default()), Verdict::Damaged);
    assert_eq!(directory.check(FIX), Verdict::Good);
    assert_eq!(directory.check(CheckOptions::default()), Verdict::Good);
    let text = directory.exported();
    assert!(text.contains("$1\r\n1\r\n") && !text.contains("$1\r\n2\r\n"));
    assert!(!text.contains("$1\r\n3\r\n"), "the third came after the second, which is lost");
}

#[test]
fn history_is_cut_at_a_time_in_all_segments() {
    for (seconds, left) in [(99, 0), (100, 1), (150, 2), (199, 2), (200, 3)] {
        let directory = Directory::with_two_segments();
        let options = CheckOptions { fixes: false, until_unix_seconds: Some(seconds) };
        assert_eq!(directory.check(options), Verdict::Good);
        assert_eq!(directory.check(CheckOptions::default()), Verdict::Good);
        assert_eq!(directory.exported().matches("SET").count(), left, "up to {seconds}");
    }
}

/// A record that was told before all that it may depend on counts with a barrier of all segments.
#[test]
fn what_is_open_is_cut_unless_all_have_the_barrier() {
    for (barriers, left) in [(0, 3), (1, 3), (2, 4)] {
        let directory = Directory::with_two_segments();
        let append = |number: u32, text: &str| {
            let path = directory.segment(number);
            let whole = fs::read_to_string(&path).expect("the file is there") + text;
            fs::write(path, whole).expect("it can be written");
        };
        append(1, "#O:1\r\n#S:5:4\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n4\r\n");
        (0..barriers).for_each(|number| append(number + 1, "#G:1\r\n"));
        let is_whole = directory.check(CheckOptions::default()) == Verdict::Good;
        assert_eq!(is_whole, left == 4, "with {barriers} barriers");
        assert_eq!(directory.exported().matches("SET").count(), left);
        assert_eq!(directory.check(FIX), Verdict::Good);
        assert_eq!(directory.check(CheckOptions::default()), Verdict::Good);
        assert_eq!(directory.exported().matches("SET").count(), left);
        assert!(!directory.exported().contains('#'), "a plain file");
    }
}

/// Bytes that are nearly a segment never lead astray.
#[test]
fn damaged_segments_are_read_without_harm() {
    let seed = std::env::var("BASALT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("BASALT_TEST_SEED={seed} replays this\n").as_bytes(),
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = Directory::with_two_segments();
    let whole = fs::read(directory.segment(1)).expect("the file is there");
    for _ in 0..5_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            match random.u32(..3) {
                0 => bytes[at] = random.u8(..),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, *random.choice(b"#$*:0123456789\r\n").expect("not empty")),
            }
        }
        read_anything(&bytes);
    }
}
