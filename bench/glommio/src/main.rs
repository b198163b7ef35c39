//! `yardstick-echo`: one small server on two reactors, to see what each of them costs.
//!
//! Basalt runs on a reactor of its own and not on glommio. That was decided by a measurement, and
//! this program repeats it: parser, commands and store ([`service`]) are the same, one thread is
//! pinned to one processor, and replies of one read leave in one write. What differs is who moves
//! the bytes.
//!
//! ```text
//!   yardstick-echo PORT CPU glommio|uring|epoll [store]
//! ```
//!
//! Without `store` a GET is answered with 16 fixed bytes; with it, GET and SET work on a hash map.
//! The harness takes the program for an echo server by its name:
//!
//! ```text
//!   cargo build --release --manifest-path bench/glommio/Cargo.toml
//!   Y=bench/glommio/target/release/yardstick-echo
//!   basalt-bench compare --basalt "uring=$Y uring" --peer "epoll=$Y epoll" \
//!       --peer "glommio=$Y glommio" -t get,set
//! ```

mod on_glommio;
mod on_reactor;
mod service;

use std::error::Error;
use std::process::ExitCode;

use basalt_net::reactor::BackendChoice;
use service::Store;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 511;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yardstick-echo: {error}");
            eprintln!("usage: yardstick-echo PORT CPU glommio|uring|epoll [store]");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [port, cpu, driver, rest @ ..] = words else {
        return Err("three arguments are needed".into());
    };
    let (port, cpu) = (port.parse()?, cpu.parse()?);
    let store = match rest {
        [] => Store::none(),
        [word] if word == "store" => Store::default(),
        _ => return Err(format!("unknown arguments: {}", rest.join(" ")).into()),
    };
    match driver.as_str() {
        "glommio" => on_glommio::run(port, cpu, store),
        "uring" => on_reactor::run(port, cpu, BackendChoice::Uring, store),
        "epoll" => on_reactor::run(port, cpu, BackendChoice::Epoll, store),
        other => Err(format!("no such driver: {other}").into()),
    }
}
