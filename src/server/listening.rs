//! The sockets clients come to: one per core and address of `port` and `tls-port`, and one for the
//! unix socket, shared by all cores.
//!
//! CONFIG SET exchanges those of a port while clients are served. New sockets are opened for all
//! cores first, which is what can fail; then the old ones are shut down, here and for all cores at
//! once, so that from the reply on nobody reaches the old port; then each core takes the new ones
//! at its next turn. What connects in between waits in their backlog.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use basalt_net::listen::{self, BindAddress, ListenError};
use basalt_shard::core::CoreId;
use socket2::SockRef;

use crate::config::Settings;
use crate::verbose;

/// How long a port that is taken is tried at the start.
const TAKEN_PATIENCE: Duration = Duration::from_secs(1);

/// Between two of these attempts.
const TAKEN_PAUSE: Duration = Duration::from_millis(20);

/// How clients of a listening socket come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// Over TCP.
    Tcp,
    /// Over TCP, by TLS.
    Tls,
    /// Over the unix socket.
    Unix,
}

impl ListenerKind {
    /// The name INFO and the log use.
    pub fn name(self) -> &'static str {
        match self {
            ListenerKind::Tcp => "tcp",
            ListenerKind::Tls => "tls",
            ListenerKind::Unix => "unix",
        }
    }
}

/// The sockets of one kind, a list for every core.
struct Group {
    kind: ListenerKind,
    port: u16,
    cores: Vec<Vec<OwnedFd>>,
    /// Goes up when it is exchanged.
    version: u64,
}

/// See the module's documentation.
pub struct Listening {
    groups: Mutex<Vec<Group>>,
    version: AtomicU64,
}

/// Sockets that are open and not in use yet. Dropping them closes them.
pub struct NewSockets(Vec<Group>);

/// What could not be listened on: an address of a port.
#[derive(Debug)]
pub struct Failure {
    /// Which port that is, or that it is the unix socket.
    pub kind: ListenerKind,
    /// Why not.
    pub error: ListenError,
}

impl Listening {
    /// Opens everything the settings name, for so many cores. A port that is taken is tried for a
    /// second.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn open(settings: &Settings, cores: usize) -> Result<Listening, Failure> {
        let mut groups = vec![
            open_port_patiently(settings, ListenerKind::Tcp, cores)?,
            open_port_patiently(settings, ListenerKind::Tls, cores)?,
        ];
        if let Some(path) = &settings.unixsocket {
            let path = settings.directory.join(path);
            groups.push(
                open_unix(&path, settings, cores)
                    .map_err(|error| Failure { kind: ListenerKind::Unix, error })?,
            );
        }
        Ok(Listening { groups: Mutex::new(groups), version: AtomicU64::new(0) })
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().expect("nobody panics while exchanging sockets")
    }

    /// Whether there is no socket at all.
    pub fn is_empty(&self) -> bool {
        self.groups().iter().all(|group| group.cores.iter().all(Vec::is_empty))
    }

    /// Changes whenever sockets are exchanged.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The sockets of one core whose kind was exchanged after the version it knows (`None`: all).
    ///
    /// # Errors
    /// If descriptors have run out.
    pub fn taken_by(
        &self,
        core: CoreId,
        known: Option<u64>,
    ) -> io::Result<Vec<(ListenerKind, Vec<OwnedFd>)>> {
        let groups = self.groups();
        let is_new = |group: &&Group| known.is_none_or(|known| group.version > known);
        let sockets = |group: &Group| -> io::Result<Vec<OwnedFd>> {
            group.cores[core.index()].iter().map(OwnedFd::try_clone).collect()
        };
        groups.iter().filter(is_new).map(|group| Ok((group.kind, sockets(group)?))).collect()
    }

    /// Opens the sockets of the kinds that are to be exchanged, as the settings name them.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn prepare(
        &self,
        settings: &Settings,
        kinds: &[ListenerKind],
    ) -> Result<NewSockets, Failure> {
        let groups = self.groups();
        let cores = groups[0].cores.len();
        let held: Vec<u16> = groups.iter().map(|group| group.port).collect();
        let open = |&kind: &ListenerKind| open_port(settings, kind, cores, &held);
        Ok(NewSockets(kinds.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// From now on nobody can connect: the process ends, and whoever has seen that must not find
    /// anybody listening.
    pub fn close(&self) {
        for socket in self.groups().iter().flat_map(|group| group.cores.iter().flatten()) {
            let _ = SockRef::from(socket).shutdown(Shutdown::Both);
        }
    }

    /// Puts new sockets in the place of the old ones of their kind.
    pub fn exchange(&self, new: NewSockets) {
        let mut groups = self.groups();
        let version = self.version() + 1;
        for mut group in new.0 {
            group.version = version;
            let place = groups.iter_mut().find(|old| old.kind == group.kind);
            let old = std::mem::replace(place.expect("both ports have a group"), group);
            for socket in old.cores.iter().flatten() {
                // Whatever it answers, nobody can connect to it afterwards.
                let _ = SockRef::from(socket).shutdown(Shutdown::Both);
            }
        }
        self.version.store(version, Ordering::Release);
    }
}

/// The port a kind is to listen on, 0 for none.
fn port_of(settings: &Settings, kind: ListenerKind) -> u16 {
    match kind {
        ListenerKind::Tcp => settings.port,
        ListenerKind::Tls => settings.tls.port,
        ListenerKind::Unix => 0,
    }
}

/// Opens a port at the start. The sockets of a server that was killed a moment ago may still be
/// there: the kernel takes its rings, which hold them, down after the process is gone.
fn open_port_patiently(
    settings: &Settings,
    kind: ListenerKind,
    cores: usize,
) -> Result<Group, Failure> {
    // A port that is named twice is taken by this process, which does not give it back.
    let is_named_twice = settings.port == settings.tls.port;
    let patience = if is_named_twice { Duration::ZERO } else { TAKEN_PATIENCE };
    let begun = Instant::now();
    loop {
        let opened = open_port(settings, kind, cores, &[]);
        let is_taken = |failure: &Failure| failure.error.error.kind() == io::ErrorKind::AddrInUse;
        match opened {
            Err(failure) if is_taken(&failure) && begun.elapsed() < patience => {
                verbose!("{}; trying again", failure.error);
                std::thread::sleep(TAKEN_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Opens a port on all addresses for all cores. `held` are ports this process has already: there
/// the kernel spreads clients over the old sockets and the new ones for a moment.
fn open_port(
    settings: &Settings,
    kind: ListenerKind,
    cores: usize,
    held: &[u16],
) -> Result<Group, Failure> {
    let failure = |error| Failure { kind, error };
    let port = port_of(settings, kind);
    if port == 0 {
        return Ok(Group {
            kind,
            port,
            cores: (0..cores).map(|_| Vec::new()).collect(),
            version: 0,
        });
    }
    let parse = |word: &Vec<u8>| BindAddress::parse(&String::from_utf8_lossy(word));
    let addresses: Vec<BindAddress> = settings.bind.iter().map(parse).collect();
    if settings.port == settings.tls.port {
        let error = io::Error::from_raw_os_error(libc::EADDRINUSE);
        return Err(failure(ListenError { address: "*".to_owned(), port, error }));
    }
    if !held.contains(&port) {
        refuse_taken_port(port, &addresses).map_err(failure)?;
    }
    let open = |_| listen::listen_tcp(&addresses, port, settings.tcp_backlog).map_err(failure);
    Ok(Group { kind, port, cores: (0..cores).map(open).collect::<Result<_, _>>()?, version: 0 })
}

/// With SO_REUSEPORT a second server of the same user could share our port, and clients would
/// reach the one or the other. So the port is first bound without it.
fn refuse_taken_port(port: u16, addresses: &[BindAddress]) -> Result<(), ListenError> {
    for address in addresses {
        let Ok(resolved) = address.resolve(port) else { continue };
        match listen::reserve_tcp(resolved) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(ListenError { address: address.host.clone(), port, error });
            }
            // Other failures are reported, or forgiven, when it is bound for good.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn open_unix(
    path: &std::path::Path,
    settings: &Settings,
    cores: usize,
) -> Result<Group, ListenError> {
    let socket = listen::listen_unix(path, settings.unixsocketperm, settings.tcp_backlog)?;
    let copy = |_| {
        let copied = socket.try_clone().map_err(|error| ListenError {
            address: "unixsocket".to_owned(),
            port: 0,
            error,
        });
        copied.map(|socket| vec![socket])
    };
    let cores = (0..cores).map(copy).collect::<Result<_, _>>()?;
    Ok(Group { kind: ListenerKind::Unix, port: 0, cores, version: 0 })
}

/// The listeners as INFO shows them.
pub fn describe(settings: &Settings) -> Vec<String> {
    let port_line = |kind: ListenerKind| {
        let port = port_of(settings, kind);
        let binds = settings
            .bind
            .iter()
            .map(|word| format!(",bind={}", String::from_utf8_lossy(word).trim_start_matches('-')));
        let binds: String = binds.collect();
        (port != 0).then(|| format!("name={}{binds},port={port}", kind.name()))
    };
    let unix = settings.unixsocket.as_ref();
    let unix = unix.map(|path| format!("name=unix,bind={}", path.display()));
    [port_line(ListenerKind::Tcp), unix, port_line(ListenerKind::Tls)]
        .into_iter()
        .flatten()
        .collect()
}
