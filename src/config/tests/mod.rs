//! Tests of the configuration as a whole, by what it is used for.

mod file;
mod redis;
mod rewrite;
mod set;
mod table;
mod toml;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::arguments::{self, Request};
use super::{Config, LoadError};

/// A directory of its own for one test, gone when the test ends.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("basalt-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Scratch { path: path.canonicalize().expect("it was just made") }
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path.join(name);
        std::fs::write(&path, text).expect("a scratch file");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).expect("a scratch file")
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Leaving litter behind is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Loads the configuration of a command line, with some text as standard input.
fn load_with_input(words: &[&str], mut input: &[u8]) -> Result<Config, LoadError> {
    let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    match arguments::parse(&words) {
        Ok(Request::Start(options)) => Config::load(&options, &mut input),
        other => panic!("{words:?} asks for {other:?}"),
    }
}

fn load(words: &[&str]) -> Result<Config, LoadError> {
    load_with_input(words, b"")
}

fn get(config: &Config, name: &str) -> String {
    let value = config.get(name.as_bytes()).unwrap_or_else(|| panic!("'{name}' is unknown"));
    String::from_utf8(value).expect("UTF-8")
}
