//! The `basalt-server` binary: takes the arguments of `redis-server`.

use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use basalt::memory::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let command_line: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
    basalt::server::boot::main(&command_line)
}
