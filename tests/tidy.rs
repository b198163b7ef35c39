//! The house style as a test: what a reviewer would otherwise have to say again and again.
//!
//! Every Rust file of the workspace opens with `//!`, is plain ASCII, keeps to 100 columns and
//! uses no tabs; nothing is left unfinished; tests do not sleep; functions end within 70 lines;
//! `unsafe` stays in the few files that need it. Text is matched line by line: crude, but quick,
//! and a rule that can be fooled only on purpose is enough.

use std::fs;
use std::path::{Path, PathBuf};

const LINE_LENGTH_MAX: usize = 100;
const FUNCTION_LENGTH_MAX: usize = 70;

/// Functions that may be longer than 70 lines, as `path: name`. The list may shrink; a new entry
/// needs a reason beside it.
const LONG_FUNCTIONS: &[&str] = &[];

/// Where `unsafe` may stand: files, or folders with a trailing slash. Everything else is proven by
/// the compiler.
const UNSAFE_PLACES: &[&str] = &[
    // System calls without a safe wrapper, shared memory of the rings.
    "bench/src/sys.rs",
    "net/src/inbox.rs",
    "net/src/reactor/",
    "net/src/sys.rs",
    // One allocation per key with a layout of its own.
    "shard/src/table/",
    // The virtual machine of Lua.
    "shard/src/scripting/lua/",
    // An allocator that counts.
    "simulator/src/meter.rs",
    // Going to the background, signals and the log's descriptor: libc only.
    "src/daemon.rs",
    "src/logging.rs",
    "src/memory.rs",
    // The memory where the kernel looks for the command line.
    "src/process_title.rs",
    "src/memory/sparse.rs",
    "src/signals.rs",
    // One instruction that reads a counter, and one system call that fills a struct.
    "src/server/busy.rs",
    "src/server/clock.rs",
    "src/server/host/facts.rs",
    "src/sys.rs",
];

/// Words no source may hold, with what to do instead. Split so that this file does not trip over
/// itself.
const BANNED: &[(&str, &str)] = &[
    (concat!("to", "do!("), "finish it, or return an error that says what is missing"),
    (concat!("unimplem", "ented!("), "finish it, or return an error that says what is missing"),
    (concat!("#[ig", "nore"), "make the test quick or report a skip"),
    (concat!("dbg", "!("), "remove it"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("XX", "X "), "say what is meant"),
];

/// Banned in files of tests only.
const BANNED_IN_TESTS: (&str, &str) =
    (concat!("thread::", "sleep"), "poll for the condition under a deadline");

struct Source {
    /// Relative to the workspace, with forward slashes.
    path: String,
    text: String,
}

#[test]
fn files_open_with_their_purpose() {
    check_files(|source| {
        let is_documented = source.text.starts_with("//! ");
        (!is_documented).then(|| "1: the first line must be a //! comment".to_owned())
    });
}

#[test]
fn files_end_with_one_newline() {
    check_files(|source| {
        let is_tidy = source.text.ends_with('\n') && !source.text.ends_with("\n\n");
        (!is_tidy).then(|| "the last line must end with one newline".to_owned())
    });
}

#[test]
fn lines_are_short_plain_and_without_tabs() {
    check_lines(|_, line| {
        let length = line.chars().count();
        if length > LINE_LENGTH_MAX {
            return Some(format!("{length} columns, {LINE_LENGTH_MAX} allowed"));
        }
        if !line.is_ascii() {
            return Some("a character beyond ASCII".to_owned());
        }
        if line.contains('\t') {
            return Some("a tab".to_owned());
        }
        line.ends_with(' ').then(|| "a trailing blank".to_owned())
    });
}

#[test]
fn nothing_banned_is_used() {
    check_lines(|_, line| {
        let found = BANNED.iter().find(|(word, _)| line.contains(word));
        found.map(|(word, instead)| format!("{word} is banned: {instead}"))
    });
}

#[test]
fn tests_do_not_sleep() {
    let (word, instead) = BANNED_IN_TESTS;
    check_files(|source| {
        let sleeps = test_code(source).lines().any(|line| line.contains(word));
        sleeps.then(|| format!(" {word} is banned in tests: {instead}"))
    });
}

/// The part of a file that is compiled for tests only: all of it in a folder `tests`, else what
/// follows the first `#[cfg(test)]`, which by custom stands last.
fn test_code(source: &Source) -> &str {
    if source.path.starts_with("tests/") || source.path.contains("/tests/") {
        return &source.text;
    }
    let start = source.text.find("#[cfg(test)]").unwrap_or(source.text.len());
    &source.text[start..]
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    check_lines(|source, line| {
        let code = line.trim_start();
        let is_comment = code.starts_with("//");
        let mentions = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe("]
            .iter()
            .any(|form| code.contains(form));
        let is_allowed = UNSAFE_PLACES.iter().any(|place| match place.ends_with('/') {
            true => source.path.starts_with(place),
            false => source.path == *place,
        });
        let is_here = source.path == "tests/tidy.rs";
        let is_breach = mentions && !is_comment && !is_allowed && !is_here;
        is_breach.then(|| "unsafe outside the allowed files".to_owned())
    });
}

#[test]
fn functions_fit_on_a_screen() {
    check_files(|source| {
        let complaints: Vec<String> = functions(&source.text)
            .filter(|function| function.length > FUNCTION_LENGTH_MAX)
            .filter(|function| {
                !LONG_FUNCTIONS.contains(&format!("{}: {}", source.path, function.name).as_str())
            })
            .map(|function| {
                format!(
                    "{}: fn {} has {} lines, {FUNCTION_LENGTH_MAX} allowed",
                    function.line, function.name, function.length
                )
            })
            .collect();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    });
}

struct Function {
    name: String,
    /// Of the line with `fn`, counted from 1.
    line: usize,
    /// From the line with `fn` to the closing brace, both included.
    length: usize,
}

/// Functions of formatted source: the closing brace stands in the column where the line with `fn`
/// begins. Functions without a body, and those on one line, are left out.
fn functions(text: &str) -> impl Iterator<Item = Function> {
    let lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    (0..count).filter_map(move |start| {
        let name = function_name(lines[start])?;
        let indent = &lines[start][..lines[start].len() - lines[start].trim_start().len()];
        let is_end = |line: &str| {
            line.strip_prefix(indent).is_some_and(|rest| rest == "}" || rest.ends_with(';'))
                && !line[indent.len()..].starts_with(' ')
        };
        let length = 1 + lines[start..].iter().position(|line| is_end(line))?;
        Some(Function { name, line: start + 1, length })
    })
}

fn function_name(line: &str) -> Option<String> {
    let code = line.trim_start();
    let head = code.split("fn ").next()?;
    let is_declaration = code.contains("fn ")
        && !code.ends_with('}')
        && head.split_whitespace().all(|word| {
            word.starts_with("pub")
                || word.starts_with("extern")
                || word.starts_with('"')
                || ["const", "unsafe", "async", "in"].contains(&word)
        });
    if !is_declaration {
        return None;
    }
    let rest = code.split("fn ").nth(1)?;
    let name: String =
        rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn the_function_counter_counts() {
    let text = "fn a() {\n    x;\n}\n\nimpl T {\n    pub(crate) const fn b(\n        y: u8,\n    ) \
        {\n        if y {\n        }\n    }\n    fn c(&self);\n}\n// fn d() {\n";
    let found: Vec<(String, usize, usize)> =
        functions(text).map(|function| (function.name, function.line, function.length)).collect();
    let expected = [("a".into(), 1, 3), ("b".into(), 6, 6), ("c".into(), 12, 1)];
    assert_eq!(found, expected);
}

#[test]
fn allow_lists_hold_no_dead_entries() {
    let sources = sources();
    for entry in LONG_FUNCTIONS {
        let (path, name) = entry.split_once(": ").expect("an entry is `path: name`");
        let is_alive = sources.iter().any(|source| {
            source.path == path && functions(&source.text).any(|function| function.name == name)
        });
        assert!(is_alive, "LONG_FUNCTIONS names {entry}, which does not exist");
    }
}

/// Runs `complaint` on each file and panics with everything it says.
fn check_files(complaint: impl Fn(&Source) -> Option<String>) {
    let sources = sources();
    let complaints: Vec<String> = sources
        .iter()
        .filter_map(|source| Some(format!("{}:{}", source.path, complaint(source)?)))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Runs `complaint` on each line of each file and panics with everything it says.
fn check_lines(complaint: impl Fn(&Source, &str) -> Option<String>) {
    let mut complaints = Vec::new();
    for source in &sources() {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(text) = complaint(source, line) {
                complaints.push(format!("{}:{}: {text}", source.path, index + 1));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Every Rust file of the workspace.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "shard", "net", "persist", "bench", "simulator", "tests"] {
        collect(&root.join(folder), &mut paths);
    }
    assert!(paths.len() > 10, "the workspace has more than {} files", paths.len());
    paths.sort();
    let relative = |path: &Path| {
        let path = path.strip_prefix(root).expect("found below the root");
        path.to_str().expect("file names are plain text").to_owned()
    };
    paths
        .iter()
        .map(|path| Source {
            path: relative(path),
            text: fs::read_to_string(path).expect("a source file is text"),
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let is_build_output = path.file_name().is_some_and(|name| name == "target");
        if path.is_dir() && !is_build_output {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}
