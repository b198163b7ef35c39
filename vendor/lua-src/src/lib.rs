//! Builds the Lua 5.1.5 that lies beside this file; takes the place of the crate `lua-src`, whose
//! interface it has as far as `mlua-sys` uses it. README.md says what was changed in the sources.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The version to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The only one.
    Lua51,
}
pub use self::Version::Lua51;

/// A build, at the time of `cargo build`.
#[derive(Default)]
pub struct Build;

/// What was built.
pub struct Artifacts {
    include_dir: PathBuf,
    library_dir: PathBuf,
}

impl Build {
    /// A build with the settings cargo gives to build scripts.
    pub fn new() -> Self {
        Self
    }

    /// Compiles the sources into a static library. Panics when the compiler fails: there is no
    /// build without it.
    pub fn build(&self, _: Version) -> Artifacts {
        let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        let source_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua-5.1.5");
        let (library_dir, include_dir) = (out_dir.join("lib"), out_dir.join("include"));
        fs::create_dir_all(&include_dir).expect("the output folder can be written");
        println!("cargo:rerun-if-changed={}", source_dir.display());
        let entries = fs::read_dir(&source_dir).expect("the sources lie beside this crate");
        let mut sources: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
            .collect();
        sources.sort();
        cc::Build::new()
            .warnings(false)
            .cargo_metadata(false)
            .flag_if_supported("-fno-common")
            // Errors of Lua pass through frames of Rust on their way to a protected call.
            .flag_if_supported("-fexceptions")
            .define("LUA_USE_LINUX", None)
            .opt_level(2)
            .include(&source_dir)
            .files(sources)
            .out_dir(&library_dir)
            .compile("lua5.1");
        for header in ["lauxlib.h", "lua.h", "luaconf.h", "lualib.h"] {
            fs::copy(source_dir.join(header), include_dir.join(header)).expect("headers are there");
        }
        Artifacts { include_dir, library_dir }
    }
}

impl Artifacts {
    /// Tells cargo what to link.
    pub fn print_cargo_metadata(&self) {
        println!("cargo:rustc-link-search=native={}", self.library_dir.display());
        println!("cargo:rustc-link-lib=static=lua5.1");
        println!("cargo:include={}", self.include_dir.display());
        println!("cargo:lib={}", self.library_dir.display());
    }
}
