//! New connections: who may come in, and what they are told who may not.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use basalt_net::listen;
use basalt_net::reactor::ListenerId;
use basalt_shard::core::session::Origin;

use super::connection::{Connection, session_of};
use super::driver::Driver;
use crate::verbose;

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
        let is_unix = self.unix_listeners.contains(&listener);
        let origin = origin_of(&socket, is_unix);
        let clients = &self.core.shared().connected_clients;
        if clients.fetch_add(1, Ordering::Relaxed) >= u64::from(self.settings.maxclients) {
            clients.fetch_sub(1, Ordering::Relaxed);
            self.core.stats.connections_rejected += 1;
            return refuse(&socket, TOO_MANY_CLIENTS);
        }
        let is_open =
            self.settings.protected_mode && self.core.acl().default_user().needs_no_password;
        if is_open && !origin.is_local() {
            clients.fetch_sub(1, Ordering::Relaxed);
            self.core.stats.connections_rejected += 1;
            return refuse(&socket, PROTECTED);
        }
        if !is_unix && self.settings.tcp_keepalive_seconds > 0 {
            // Without keepalive a dead peer is noticed late; that is no reason to refuse it.
            let _ = listen::set_keepalive(socket.as_fd(), self.settings.tcp_keepalive_seconds);
        }
        verbose!("Accepted {}", origin.peer);
        match self.reactor.add_connection(socket) {
            Ok(id) => {
                let index = id.index as usize;
                if self.connections.len() <= index {
                    self.connections.resize_with(index + 1, || None);
                }
                self.connections[index] = Some(Box::new(Connection::new(id)));
                self.core.open_session(session_of(id), origin);
            }
            Err(error) => {
                clients.fetch_sub(1, Ordering::Relaxed);
                verbose!("Error registering a client: {error}");
            }
        }
    }
}

fn origin_of(socket: &OwnedFd, is_unix: bool) -> Origin {
    // A client that is gone already has no address; its end is reported soon.
    let text = |address: std::io::Result<listen::SocketAddress>| {
        address.map(|address| address.to_string()).unwrap_or_default()
    };
    Origin {
        peer: text(listen::peer_address(socket.as_fd())),
        local: text(listen::local_address(socket.as_fd())),
        descriptor: socket.as_raw_fd(),
        is_unix,
    }
}

/// Sends a last line without waiting; the socket is closed by its owner.
fn refuse(socket: &OwnedFd, line: &[u8]) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_nonblocking(true);
    let _ = socket.send(line);
}
