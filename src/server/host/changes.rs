//! What changed directives make of the process.

use std::sync::Arc;

use basalt_net::tls::TlsServer;
use basalt_shard::host::RewriteTarget;

use super::plain_reason;
use crate::config::{Config, Settings};
use crate::server::listening::{ListenerKind, NewSockets};
use crate::server::process::Process;
use crate::server::{rewrite, tls_files};
use crate::{logging, memory, process_title, warning};

/// Acts on changed directives that concern the process as a whole; what concerns cores they see
/// in the settings. Returns the rewrite that turns the append-only file on.
pub(super) fn act_on(
    process: &Arc<Process>,
    config: &Config,
    changed: &crate::config::Changed,
) -> Result<Option<Box<dyn RewriteTarget>>, (&'static str, String)> {
    act_on_process(process, config, changed)?;
    let settings = Arc::new(config.settings());
    let connections = NewConnections::prepare(process, &settings, changed)?;
    let turns_on = changed.contains("appendonly")
        && settings.append_only.appendonly
        && !process.append_only.is_on();
    let rewrite = match turns_on {
        true => rewrite::begin(process, Arc::clone(&settings))
            .map_err(|_| ("appendonly", "Unable to turn on AOF. Check server logs.".to_owned()))?,
        false => None,
    };
    // Nothing can fail from here on.
    connections.put_in_force(process, &settings);
    Ok(rewrite)
}

/// The part of that which has nothing to do with connections.
pub(super) fn act_on_process(
    process: &Process,
    config: &Config,
    changed: &crate::config::Changed,
) -> Result<(), (&'static str, String)> {
    let settings = config.settings();
    if changed.contains("dir") {
        std::env::set_current_dir(&settings.directory)
            .map_err(|error| ("dir", format!("Changing directory: {error}")))?;
    }
    if changed.contains("loglevel") {
        logging::set_level(settings.loglevel);
    }
    if changed.contains("aof-disable-auto-gc") {
        process.append_only.delete_history(&settings);
    }
    if changed.contains("maxmemory") {
        warn_of_small_limit(settings.maxmemory_bytes);
    }
    let title = ["proc-title-template", "port", "tls-port", "bind"];
    if title.iter().any(|name| changed.contains(name)) {
        process_title::show(config, &process.program);
    }
    if changed.contains("oom-score-adj") || changed.contains("oom-score-adj-values") {
        let apply = process.oom_score.follow(&settings);
        apply.map_err(|reason| ("oom-score-adj", reason.to_owned()))?;
    }
    let audit = ["audit-log", "audit-log-file", "audit-log-classes"];
    if audit.iter().any(|name| changed.contains(name)) {
        process.audit.follow(&settings).map_err(|error| ("audit-log", plain_reason(&error)))?;
    }
    if changed.contains("maxclients") {
        match crate::daemon::raise_open_files(settings.maxclients) {
            Ok(possible) if possible >= settings.maxclients => {}
            _ => {
                let reason = format!(
                    "The operating system is not able to handle the specified number of clients, \
                     try with {}",
                    settings.maxclients / 2
                );
                return Err(("maxclients", reason));
            }
        }
    }
    Ok(())
}

/// What changed directives make of connections. Dropped before it is put in force, nothing has
/// happened.
#[derive(Default)]
struct NewConnections {
    /// What TLS connections use, if that changes; none without a port for them.
    tls: Option<Option<Arc<TlsServer>>>,
    sockets: Option<NewSockets>,
}

impl NewConnections {
    /// Opens what there will be.
    fn prepare(
        process: &Process,
        settings: &Settings,
        changed: &crate::config::Changed,
    ) -> Result<Self, (&'static str, String)> {
        let mut new = Self::default();
        let of_tls = |name: &&str| name.starts_with("tls-") && *name != "tls-auto-reload-interval";
        if let Some(name) = changed.names().find(of_tls) {
            new.tls = Some(tls_files::load(&settings.tls).map_err(|why| {
                warning!("{why}");
                (name, "Unable to update TLS configuration. Check server logs.".to_owned())
            })?);
        }
        let mut kinds = Vec::new();
        for (name, kind) in [("port", ListenerKind::Tcp), ("tls-port", ListenerKind::Tls)] {
            if changed.contains(name) || changed.contains("bind") {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            return Ok(new);
        }
        let prepared = process.listening().prepare(settings, &kinds);
        new.sockets = Some(prepared.map_err(|failure| {
            warning!("{}", failure.error);
            match (changed.contains("bind"), failure.kind) {
                (true, _) => ("bind", "Failed to bind to specified addresses.".to_owned()),
                (false, kind) => (
                    if kind == ListenerKind::Tls { "tls-port" } else { "port" },
                    "Unable to listen on this port. Check server logs.".to_owned(),
                ),
            }
        })?);
        Ok(new)
    }

    /// From now on clients come this way. Whoever takes a new TLS port has to find its certificate.
    fn put_in_force(self, process: &Process, settings: &Settings) {
        if let Some(server) = self.tls {
            process.tls.replace(server, &settings.tls);
        }
        if let Some(sockets) = self.sockets {
            process.listening().exchange(sockets);
        }
    }
}

fn warn_of_small_limit(limit_bytes: u64) {
    let used_bytes = memory::used_bytes();
    if limit_bytes != 0 && limit_bytes < used_bytes {
        warning!(
            "WARNING: the new maxmemory value set via CONFIG SET ({limit_bytes}) is smaller than \
             the current memory usage ({used_bytes}). This will result in key eviction and/or the \
             inability to accept new write commands depending on the maxmemory-policy."
        );
    }
}
