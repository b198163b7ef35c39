//! What tools such as `ps` show as the command line: `set-proc-title` and `proc-title-template`.
//!
//! The kernel shows the memory where the arguments of the process began, so the title is written
//! there, and over the environment that lies behind it. Before that the environment is copied, so
//! that it can still be read.
//!
//! ```text
//!   begin                                    end
//!   | argv[0] 0 argv[1] 0 ... | env 0 env 0 ... |
//!   | the title                 0 0 0 0 0 0 0 0 |
//! ```

use std::ops::Range;
use std::sync::OnceLock;

use crate::config::Config;

/// The memory the kernel looks at, once it is ours.
static ROOM: OnceLock<Range<usize>> = OnceLock::new();

/// Takes the memory over. To be called while the process has one thread.
pub fn claim() {
    let Some(room) = find() else { return };
    for (name, value) in std::env::vars_os() {
        // SAFETY: the process has one thread, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
    let _ = ROOM.set(room);
}

/// Where arguments and environment lie, as the kernel tells it.
fn find() -> Option<Range<usize>> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses, which may hold anything; fields 48 to 51 are the
    // beginning and the end of the arguments and of the environment.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<usize>().ok();
    let (arguments, environment) = (field(48)?..field(49)?, field(50)?..field(51)?);
    if arguments.start == 0 || arguments.is_empty() {
        return None;
    }
    let is_adjacent = environment.start == arguments.end && !environment.is_empty();
    Some(arguments.start..if is_adjacent { environment.end } else { arguments.end })
}

/// Shows the title the configuration asks for; `program` is what the process was started as.
/// Callers take turns: they hold the configuration.
pub fn show(config: &Config, program: &str) {
    let settings = config.settings();
    if settings.observation.set_proc_title
        && let Some(room) = ROOM.get()
    {
        let title = expand(&settings.observation.proc_title_template, config, program);
        write(room, title.trim_ascii());
    }
}

fn write(room: &Range<usize>, title: &[u8]) {
    // The last byte stays zero, so that whoever reads a text finds its end.
    let len = title.len().min(room.len() - 1);
    let start = std::ptr::with_exposed_provenance_mut::<u8>(room.start);
    // SAFETY: the memory is the stack's, where the kernel put arguments and environment; it is
    // writable as long as the process lives, and nothing of ours refers to it since `claim`.
    unsafe {
        std::ptr::write_bytes(start, 0, room.len());
        std::ptr::copy_nonoverlapping(title.as_ptr(), start, len);
    }
}

/// Puts values in place of `{variables}`; `{{` stands for a brace.
fn expand(template: &[u8], config: &Config, program: &str) -> Vec<u8> {
    let mut title = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        title.extend_from_slice(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            title.push(b'{');
            rest = after;
            continue;
        }
        let close = rest.iter().position(|byte| *byte == b'}').unwrap_or(rest.len());
        title.extend(variable(&rest[..close], config, program));
        rest = rest.get(close + 1..).unwrap_or_default();
    }
    title.extend_from_slice(rest);
    title
}

fn variable(name: &[u8], config: &Config, program: &str) -> Vec<u8> {
    let value = |name: &str| config.get(name.as_bytes()).unwrap_or_default();
    match name {
        b"title" => program.as_bytes().to_vec(),
        b"listen-addr" => listen_address(config),
        b"port" => value("port"),
        b"tls-port" => value("tls-port"),
        b"unixsocket" => value("unixsocket"),
        b"config-file" => match config.config_file() {
            Some(path) => path.as_os_str().as_encoded_bytes().to_vec(),
            None => b"-".to_vec(),
        },
        // `server-mode` says something of clusters only.
        _ => Vec::new(),
    }
}

fn listen_address(config: &Config) -> Vec<u8> {
    let value = |name: &str| config.get(name.as_bytes()).unwrap_or_default();
    let settings = config.settings();
    let first = settings.bind.first().map_or(&b"*"[..], |address| address);
    let ports = [value("port"), value("tls-port")];
    match ports.iter().find(|port| port.as_slice() != b"0") {
        Some(port) => [first, b":", port].concat(),
        None => [b"unixsocket:", &value("unixsocket")[..]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_put_together() {
        let mut config = Config::default();
        config.apply_text(b"port 7000\nbind 127.0.0.1 ::1").expect("a configuration");
        let expanded = |template: &[u8]| expand(template, &config, "basalt-server");
        let title = expanded(b"{title} {listen-addr} {server-mode}");
        assert_eq!(title.trim_ascii(), b"basalt-server 127.0.0.1:7000");
        assert_eq!(expanded(b"a {{b} {port}{config-file}"), b"a {b} 7000-");
    }
}
