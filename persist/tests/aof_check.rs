//! The check of append-only directories: what it finds, what it mends, what it makes of several
//! segments.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use basalt_persist::aof::check::{CheckOptions, Verdict, check, export, read_anything};
use basalt_persist::aof::manifest::{BaseForm, Manifest};
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

    /// Checks, and says yes if asked.
    fn check(&self, options: CheckOptions) -> Verdict {
        self.check_answering(options, "y\n").0
    }

    fn check_answering(&self, options: CheckOptions, answer: &str) -> (Verdict, String) {
        check_file(&self.manifest(), options, answer)
    }

    /// What is in the files of its generation.
    fn contents(&self) -> Vec<Vec<u8>> {
        [1, 2].map(|number| fs::read(self.segment(number)).expect("it is there")).into()
    }

    /// The base that the manifest names, and a generation that came before this one.
    fn prepend(&self, base: &str, texts: [&str; 2]) {
        let mut manifest = Manifest::default();
        let entry = manifest.next_base("appendonly.aof", BaseForm::Commands);
        fs::write(self.0.join(&entry.name), base).expect("it can be written");
        manifest.files.push(entry);
        manifest.add_generation("appendonly.aof", 2);
        manifest.add_generation("appendonly.aof", 2);
        for number in [1, 2] {
            fs::rename(self.segment(number), self.segment(number + 2)).expect("it can be moved");
            fs::write(self.segment(number), texts[number as usize - 1]).expect("it can be written");
        }
        manifest.write(&SystemDisk, &self.manifest()).expect("it can be written");
    }
}

fn check_file(path: &Path, options: CheckOptions, answer: &str) -> (Verdict, String) {
    let mut report = Vec::new();
    let verdict =
        check(path, options, &mut answer.as_bytes(), &mut report).expect("files can be read");
    (verdict, String::from_utf8(report).expect("it is text"))
}

/// Runs a tool, with an answer to what it asks: its exit status, and what it said.
fn run(tool: &str, arguments: &[&str], answer: &str) -> (i32, String) {
    let mut child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool can be run");
    let mut input = child.stdin.take().expect("there is a pipe");
    // Who is not asked may have ended.
    let _ = input.write_all(answer.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it exits"), String::from_utf8(said).expect("it is text"))
}

const CHECK_AOF: &str = env!("CARGO_BIN_EXE_basalt-check-aof");
const CHECK_RDB: &str = env!("CARGO_BIN_EXE_basalt-check-rdb");

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

/// The end of the manifest's files is torn: nothing is cut without a yes, whatever else is said.
#[test]
fn it_asks_before_it_cuts() {
    let directory = Directory::with_two_segments();
    cut(&directory.segment(2), 3);
    let before = directory.contents();
    for answer in ["", "n\n", "\n", "no\n", " y\n", "oh yes\n"] {
        let (verdict, report) = directory.check_answering(FIX, answer);
        assert_eq!(verdict, Verdict::Refused, "{answer:?}");
        assert!(report.ends_with("Continue? [y/N]: Aborting...\n"), "{report}");
        assert_eq!(directory.contents(), before, "{answer:?}");
    }
    let (verdict, report) = directory.check_answering(FIX, "Y\n");
    assert_eq!(verdict, Verdict::Good);
    assert_eq!(report.matches("Continue? [y/N]: ").count(), 1, "once for all: {report}");
    let after = directory.contents();
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        let (before, after) = (before.len(), after.len());
        assert!(after < before, "both are cut");
        let line = format!(
            "This will shrink the AOF appendonly.aof.{}.incr.aof from {before} bytes, with {} \
             bytes, to {after} bytes\n",
            index + 1,
            before - after
        );
        assert!(report.contains(&line), "{report}");
    }
    let (verdict, report) = directory.check_answering(FIX, "");
    assert_eq!(verdict, Verdict::Good, "there is nothing left to ask: {report}");
}

/// A segment alone seems to lack everything it depends on: that is no reason to cut it.
#[test]
fn a_segment_without_its_manifest_is_left_alone() {
    let directory = Directory::with_two_segments();
    let open = "#O:1\r\n#S:5:4\r\n*1\r\n$4\r\nPING\r\n";
    let barrier = "#TS:9\r\n#G:1\r\n#S:5:1\r\n*1\r\n$4\r\nPING\r\n";
    for text in [None, Some(open), Some(barrier), Some("#S:5:1\r\n*1\r\n$4\r\nPI")] {
        let path = directory.segment(1);
        if let Some(text) = text {
            fs::write(&path, text).expect("it can be written");
        }
        let before = directory.contents();
        let until = CheckOptions { fixes: false, until_unix_seconds: Some(150) };
        for options in [CheckOptions::default(), FIX, until] {
            let (verdict, report) = check_file(&path, options, "y\n");
            assert_eq!(verdict, Verdict::Refused, "{options:?}: {report}");
            assert!(report.contains("is one segment of several"), "{report}");
            assert!(!report.contains("is not valid"), "{report}");
            assert_eq!(directory.contents(), before, "{options:?}");
        }
        let (mut exported, mut report) = (Vec::new(), Vec::new());
        assert!(!export(&path, &mut exported, &mut report).expect("files can be read"));
        assert!(exported.is_empty());
    }
}

/// A file of one core, or of a stock server, is all there is, notes or not.
#[test]
fn a_plain_file_is_checked_without_a_manifest() {
    let directory = Directory::with_two_segments();
    let path = directory.segment(1);
    fs::write(&path, "#TS:5\r\n# a note\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\n").expect("it can be");
    assert_eq!(check_file(&path, CheckOptions::default(), "").0, Verdict::Damaged);
    assert_eq!(check_file(&path, FIX, "y\n").0, Verdict::Good);
    let text = fs::read_to_string(&path).expect("it is there");
    assert_eq!(text, "#TS:5\r\n# a note\r\n*1\r\n$4\r\nPING\r\n");
}

#[test]
fn history_is_not_cut_to_nothing_at_a_time() {
    let at = |seconds| CheckOptions { fixes: false, until_unix_seconds: Some(seconds) };
    let directory = Directory::with_two_segments();
    let before = directory.contents();
    let (verdict, report) = directory.check_answering(at(99), "");
    assert_eq!(verdict, Verdict::Refused, "{report}");
    let line = "AOF appendonly.aof.1.incr.aof has nothing before timestamp 99, aborting...\n";
    assert!(report.ends_with(line), "{report}");
    assert_eq!(directory.contents(), before);

    // Generations that have nothing do not count, and neither does a base, but that is not cut.
    directory.prepend("#TS:90\r\n*1\r\n$4\r\nPING\r\n", ["", ""]);
    for seconds in [80, 99] {
        assert_eq!(directory.check(at(seconds)), Verdict::Refused, "up to {seconds}");
        assert_eq!(directory.check(CheckOptions::default()), Verdict::Good);
        assert_eq!(directory.exported().matches("SET").count(), 3, "up to {seconds}");
    }
    let earlier = Directory::with_two_segments();
    earlier.prepend("", ["#TS:70\r\n#S:5:1\r\n*1\r\n$4\r\nPING\r\n", ""]);
    assert_eq!(earlier.check(at(99)), Verdict::Good, "there was something before");
    let exported = earlier.exported();
    assert!(exported.contains("PING") && !exported.contains("SET"), "{exported}");
}

/// Who asks for what was up to some time has not said that damage may be cut off, too.
#[test]
fn damage_is_not_cut_off_for_the_time() {
    let at = |seconds| CheckOptions { fixes: false, until_unix_seconds: Some(seconds) };
    let directory = Directory::with_two_segments();
    cut(&directory.segment(1), 3);
    let before = directory.contents();
    assert_eq!(directory.check(at(300)), Verdict::Damaged);
    assert_eq!(directory.contents(), before);
    assert_eq!(directory.check(at(150)), Verdict::Good, "the damage came later");
    assert_eq!(directory.exported().matches("SET").count(), 2);
}

#[test]
fn the_file_that_is_missing_is_named() {
    let directory = Directory::with_two_segments();
    fs::remove_file(directory.segment(2)).expect("it was there");
    let manifest = directory.manifest();
    let (status, said) = run(CHECK_AOF, &[manifest.to_str().expect("it is text")], "");
    assert_eq!(status, 1);
    let name = directory.segment(2).display().to_string();
    assert!(said.contains(&format!("Cannot open file {name}: No such file")), "{said}");
}

#[test]
fn empty_files_are_called_so() {
    let directory = Directory::with_two_segments();
    fs::write(directory.segment(1), "").expect("it can be written");
    fs::write(directory.segment(2), "").expect("it can be written");
    let (verdict, report) = directory.check_answering(FIX, "");
    assert_eq!(verdict, Verdict::Good);
    assert!(report.contains("INCR AOF appendonly.aof.1.incr.aof is empty\n"), "{report}");
    assert!(!report.contains("is valid"), "{report}");
    let (verdict, report) = check_file(&directory.segment(2), FIX, "");
    assert_eq!(verdict, Verdict::Good);
    assert!(report.ends_with("AOF appendonly.aof.2.incr.aof is empty\n"), "{report}");
}

#[test]
fn the_tools_read_answers_and_describe_themselves() {
    let directory = Directory::with_two_segments();
    cut(&directory.segment(2), 3);
    let manifest = directory.manifest();
    let arguments = ["--fix", manifest.to_str().expect("it is text")];
    let (status, said) = run(CHECK_AOF, &arguments, "");
    assert_eq!(status, 1, "{said}");
    assert!(said.ends_with("Continue? [y/N]: Aborting...\n"), "{said}");
    let (status, said) = run(CHECK_AOF, &arguments, "y\n");
    assert_eq!(status, 0, "{said}");
    assert!(said.ends_with("All AOF files and manifest are valid\n"), "{said}");
    for tool in [CHECK_AOF, CHECK_RDB] {
        for word in ["-h", "--help"] {
            let (status, said) = run(tool, &[word], "");
            assert!(status == 0 && said.starts_with("Usage: basalt-check-"), "{said}");
        }
        for word in ["-v", "--version"] {
            let (status, said) = run(tool, &[word], "");
            assert!(status == 0 && said.starts_with("basalt-check-"), "{said}");
            assert!(said.ends_with(concat!(" ", env!("CARGO_PKG_VERSION"), "\n")), "{said}");
        }
        assert_eq!(run(tool, &[], "").0, 1);
    }
}

#[test]
fn history_is_cut_at_a_time_in_all_segments() {
    for (seconds, left) in [(100, 1), (150, 2), (199, 2), (200, 3)] {
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
    let _ = Write::write_all(
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
