//! From the `tls-*` directives to what connections use: files are read here, and looked at again
//! from time to time (`tls-auto-reload-interval`).
//!
//! A configuration is made whole before it takes the place of the one before; where that fails, the
//! old one stays, and the log says why. Connections that are open keep what they began with.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use basalt_net::tls::{ClientCertificates, SessionCacheLimits, TlsOptions, TlsServer};

use super::host::plain_reason;
use super::process::Process;
use crate::config::{TlsClients, TlsSettings};
use crate::{notice, warning};

/// Bytes of a file that are read at most: certificates and keys are short.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Files of `tls-ca-cert-dir` that are read at most.
const DIRECTORY_FILES_MAX: usize = 10_000;

/// Remembered sessions at most, where `tls-session-cache-size 0` sets no limit.
const SESSIONS_MAX: usize = 1 << 20;

/// When a file was changed last, and how long it is.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

/// The configuration in force, and when its files were looked at.
#[derive(Default)]
pub struct TlsState {
    server: Mutex<Option<Arc<TlsServer>>>,
    stamps: Mutex<Vec<Stamp>>,
    next_look_seconds: AtomicU64,
    is_reloading: AtomicBool,
}

impl TlsState {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<TlsServer>>> {
        self.server.lock().expect("the lock is held for a copy only")
    }

    /// What new connections use; `None` while there is no `tls-port`.
    pub fn server(&self) -> Option<Arc<TlsServer>> {
        self.lock().clone()
    }

    /// Puts a configuration in force.
    pub fn replace(&self, server: Option<Arc<TlsServer>>, settings: &TlsSettings) {
        *self.stamps.lock().expect("the lock is held for a copy only") = stamps(settings);
        *self.lock() = server;
    }
}

/// Makes what connections use from the directives; `None` without a `tls-port`.
///
/// # Errors
/// What is wrong, as a line for the log.
pub fn load(settings: &TlsSettings) -> Result<Option<Arc<TlsServer>>, String> {
    if settings.port == 0 {
        return Ok(None);
    }
    let client_certificates = match settings.auth_clients {
        TlsClients::Any => ClientCertificates::Ignored,
        TlsClients::Optional => ClientCertificates::Optional,
        TlsClients::Authenticated => ClientCertificates::Required,
    };
    let Some(certificate) = &settings.cert_file else {
        return Err("No tls-cert-file configured!".to_owned());
    };
    let Some(key) = &settings.key_file else {
        return Err("No tls-key-file configured!".to_owned());
    };
    let has_authorities = settings.ca_cert_file.is_some() || settings.ca_cert_dir.is_some();
    if client_certificates != ClientCertificates::Ignored && !has_authorities {
        return Err("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when \
                    tls-cluster, tls-replication or tls-auth-clients are enabled!"
            .to_owned());
    }
    let authority_pems = match client_certificates {
        ClientCertificates::Ignored => Vec::new(),
        _ => read_authorities(settings)?,
    };
    let entries_max = match settings.session_cache_size {
        0 => SESSIONS_MAX,
        size => (size as usize).min(SESSIONS_MAX),
    };
    let lifetime_seconds = settings.session_cache_timeout_seconds;
    let options = TlsOptions {
        certificate_pem: read(certificate)
            .map_err(|why| failed("certificate", certificate, &why))?,
        key_pem: read(key).map_err(|why| failed("private key", key, &why))?,
        passphrase: settings.key_file_pass.as_ref().map(|secret| secret.0.clone()),
        authority_pems,
        client_certificates,
        protocols: settings.protocols.clone(),
        ciphers: settings.ciphers.clone(),
        ciphersuites: settings.ciphersuites.clone(),
        prefers_own_ciphers: settings.prefer_server_ciphers,
        session_cache: settings
            .session_caching
            .then_some(SessionCacheLimits { entries_max, lifetime_seconds }),
    };
    let server = TlsServer::new(&options).map_err(|error| error.to_string())?;
    Ok(Some(Arc::new(server)))
}

fn failed(what: &str, path: &Path, why: &str) -> String {
    format!("Failed to load {what}: {}: {why}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| plain_reason(&error))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_BYTES_MAX), &mut bytes)
        .map_err(|error| plain_reason(&error))?;
    Ok(bytes)
}

/// The contents of all files with authorities, those of a directory marked as optional.
fn read_authorities(settings: &TlsSettings) -> Result<Vec<(Vec<u8>, bool)>, String> {
    let mut files = Vec::new();
    if let Some(path) = &settings.ca_cert_file {
        let bytes = read(path).map_err(|why| failed("CA certificate", path, &why))?;
        files.push((bytes, false));
    }
    if let Some(directory) = &settings.ca_cert_dir {
        for path in files_of(directory).map_err(|why| failed("CA directory", directory, &why))? {
            // What cannot be read is no authority. Of a directory only what is in it counts.
            files.extend(read(&path).ok().map(|bytes| (bytes, true)));
        }
    }
    Ok(files)
}

/// The files of a directory, in order of their names.
fn files_of(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| plain_reason(&error))?;
    let paths = entries.take(DIRECTORY_FILES_MAX).flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    Ok(paths)
}

/// What tells whether a file of the configuration has changed.
fn stamps(settings: &TlsSettings) -> Vec<Stamp> {
    let files = [&settings.cert_file, &settings.key_file, &settings.ca_cert_file];
    let of_directory =
        settings.ca_cert_dir.iter().flat_map(|directory| files_of(directory).unwrap_or_default());
    let paths = files.into_iter().flatten().cloned().chain(of_directory);
    let stamp = |path: PathBuf| {
        let facts = std::fs::metadata(&path).ok();
        let stamp = facts.and_then(|facts| Some((facts.modified().ok()?, facts.len())));
        (path, stamp)
    };
    paths.map(stamp).collect()
}

/// Whether it is time to look at the files again: once per `tls-auto-reload-interval`.
pub fn is_look_due(process: &Process, settings: &TlsSettings, now_seconds: u64) -> bool {
    let interval_seconds = u64::from(settings.auto_reload_interval_seconds);
    if settings.port == 0 || interval_seconds == 0 {
        return false;
    }
    let next = &process.tls.next_look_seconds;
    if now_seconds < next.load(Ordering::Relaxed) {
        return false;
    }
    next.store(now_seconds + interval_seconds, Ordering::Relaxed);
    !process.tls.is_reloading.swap(true, Ordering::Relaxed)
}

/// Looks at the files on a thread of its own, since a disk may be slow and so is an encrypted key,
/// and takes them if they have changed.
pub fn look_in_background(process: &Arc<Process>) {
    let looking = Arc::clone(process);
    let spawned = std::thread::Builder::new().name("tls-files".into()).spawn(move || {
        look(&looking);
        looking.tls.is_reloading.store(false, Ordering::Relaxed);
    });
    if spawned.is_err() {
        process.tls.is_reloading.store(false, Ordering::Relaxed);
    }
}

fn look(process: &Process) {
    let settings = process.settings();
    let found = stamps(&settings.tls);
    if *process.tls.stamps.lock().expect("the lock is held for a copy only") == found {
        return;
    }
    let loaded = load(&settings.tls);
    // With the lock on the configuration no CONFIG SET comes between what was read and now.
    let config = process.config();
    if config.settings().tls != settings.tls {
        return;
    }
    match loaded {
        Ok(server) => {
            notice!("TLS files have changed: new connections use them.");
            process.tls.replace(server, &settings.tls);
            process.publish_settings(&config);
        }
        Err(why) => {
            warning!("TLS files have changed, but the old ones stay in use: {why}");
            *process.tls.stamps.lock().expect("the lock is held for a copy only") = found;
        }
    }
}
