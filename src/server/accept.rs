//! New connections: where they come from, who may come in, and what they are told who may not.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use basalt_net::listen;
use basalt_net::reactor::ListenerId;
use basalt_shard::core::session::Origin;

use super::connection::{Connection, session_of};
use super::driver::Driver;
use super::listening::ListenerKind;
use super::tls::Secured;
use crate::{verbose, warning};

const TOO_MANY_CLIENTS: &[u8] = b"-ERR max number of clients reached\r\n";

const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. If you want to connect from external computers to Redis you may adopt \
one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the \
server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. \
Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
protected mode by editing the Redis configuration file, and setting the protected mode option to \
'no', and then restarting the server. 3) If you started the server manually just for testing, \
restart it with the '--protected-mode no' option. 4) Set up an authentication password for the \
default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";

impl Driver {
    /// Takes a client in, or tells it why not.
    pub(super) fn accept(&mut self, listener: ListenerId, socket: OwnedFd) {
        let kind = self.listeners.iter().find(|(id, _)| *id == listener).map(|(_, kind)| *kind);
        // Its port was given up in this very turn.
        let Some(kind) = kind else { return };
        let origin = origin_of(&socket, kind);
        let clients = &self.core.shared().connected_clients;
        if clients.fetch_add(1, Ordering::Relaxed) >= u64::from(self.settings.maxclients) {
            clients.fetch_sub(1, Ordering::Relaxed);
            self.core.stats.connections_rejected += 1;
            return refuse(&socket, kind, TOO_MANY_CLIENTS);
        }
        let is_open =
            self.settings.protected_mode && self.core.acl().default_user().needs_no_password;
        let refusal = (is_open && !origin.is_local()).then_some(PROTECTED);
        if let Some(line) = refusal {
            self.core.stats.connections_rejected += 1;
            // By TLS it is told so once that can be read.
            if kind != ListenerKind::Tls {
                self.core.shared().connected_clients.fetch_sub(1, Ordering::Relaxed);
                return refuse(&socket, kind, line);
            }
        }
        if kind != ListenerKind::Unix && self.settings.tcp_keepalive_seconds > 0 {
            // Without keepalive a dead peer is noticed late; that is no reason to refuse it.
            let _ = listen::set_keepalive(socket.as_fd(), self.settings.tcp_keepalive_seconds);
        }
        verbose!("Accepted {}", origin.peer);
        if let Err(reason) = self.add_client(socket, kind, refusal, origin) {
            self.core.shared().connected_clients.fetch_sub(1, Ordering::Relaxed);
            verbose!("Error registering a client: {reason}");
        }
    }

    fn add_client(
        &mut self,
        socket: OwnedFd,
        kind: ListenerKind,
        refusal: Option<&'static [u8]>,
        origin: Origin,
    ) -> Result<(), String> {
        let tls = match kind {
            ListenerKind::Tls => {
                let server = self.tls.server.as_deref().ok_or("TLS was turned off")?;
                let secured = Secured::new(server, refusal).map_err(|error| error.to_string())?;
                Some(Box::new(secured))
            }
            ListenerKind::Tcp | ListenerKind::Unix => None,
        };
        let id = self.reactor.add_connection(socket).map_err(|error| error.to_string())?;
        let index = id.index as usize;
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        self.tls.count += usize::from(tls.is_some());
        self.connections[index] = Some(Box::new(Connection { tls, ..Connection::new(id) }));
        self.core.open_session(session_of(id), origin);
        Ok(())
    }

    /// Takes the sockets that CONFIG SET has put in the place of others.
    pub(super) fn take_listeners(&mut self) {
        let known = self.listening_version;
        let listening = self.process.listening();
        let version = listening.version();
        if version == known {
            return;
        }
        let taken = match listening.taken_by(self.core.id(), Some(known)) {
            Ok(taken) => taken,
            Err(error) => return warning!("Taking over new listening sockets: {error}"),
        };
        self.listening_version = version;
        for (kind, sockets) in taken {
            for (id, _) in self.listeners.extract_if(.., |(_, of)| *of == kind) {
                self.reactor.remove_listener(id);
                self.resting_listeners.retain(|resting| *resting != id);
            }
            for socket in sockets {
                match self.reactor.add_listener(socket) {
                    Ok(id) => self.listeners.push((id, kind)),
                    Err(error) => warning!("Listening on a new socket: {error}"),
                }
            }
        }
    }
}

fn origin_of(socket: &OwnedFd, kind: ListenerKind) -> Origin {
    // A client that is gone already has no address; its end is reported soon.
    let text = |address: std::io::Result<listen::SocketAddress>| {
        address.map(|address| address.to_string()).unwrap_or_default()
    };
    Origin {
        peer: text(listen::peer_address(socket.as_fd())),
        local: text(listen::local_address(socket.as_fd())),
        descriptor: socket.as_raw_fd(),
        is_unix: kind == ListenerKind::Unix,
        is_tls: kind == ListenerKind::Tls,
    }
}

/// Sends a last line without waiting; the socket is closed by its owner. A client of TLS could not
/// read it before its handshake, which is not worth the trouble: it is just closed, as ever.
fn refuse(socket: &OwnedFd, kind: ListenerKind, line: &[u8]) {
    if kind == ListenerKind::Tls {
        return;
    }
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_nonblocking(true);
    let _ = socket.send(line);
}
