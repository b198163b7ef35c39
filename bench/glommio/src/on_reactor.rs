//! The server on Basalt's reactor, io_uring or epoll.

use std::error::Error;

use basalt_net::reactor::{BackendChoice, BufferRef, ConnectionId, Event, Reactor, ReactorOptions};
use basalt_net::{listen, sys};

use crate::BACKLOG;
use crate::service::{Client, Store};

struct Server {
    reactor: Reactor,
    clients: Vec<Client>,
    store: Store,
}

/// Serves until the process is ended.
pub(crate) fn run(
    port: u16,
    cpu: usize,
    backend: BackendChoice,
    store: Store,
) -> Result<(), Box<dyn Error>> {
    sys::pin_current_thread(cpu)?;
    let mut reactor = Reactor::new(&ReactorOptions { backend, ..ReactorOptions::default() })?;
    reactor.add_listener(listen::listen_tcp_on(([127, 0, 0, 1], port).into(), BACKLOG)?)?;
    let mut server = Server { reactor, clients: Vec::new(), store };
    loop {
        server.turn()?;
    }
}

impl Server {
    fn turn(&mut self) -> std::io::Result<()> {
        self.reactor.poll(None)?;
        for place in 0..self.reactor.events().len() {
            match self.reactor.events()[place] {
                Event::Accepted { socket, .. } => {
                    if let Some(socket) = self.reactor.take_accepted(socket) {
                        let connection = self.reactor.add_connection(socket)?;
                        self.welcome(connection);
                    }
                }
                Event::Received { connection, buffer } => self.receive(connection, buffer),
                Event::Closed { connection, .. } => self.reactor.close_after_flush(connection),
                Event::AcceptFailed { listener, .. } => self.reactor.resume_accept(listener)?,
                Event::Drained { .. } | Event::Filled { .. } | Event::Woken { .. } => {}
            }
        }
        Ok(())
    }

    fn welcome(&mut self, connection: ConnectionId) {
        let index = connection.index as usize;
        if index >= self.clients.len() {
            self.clients.resize_with(index + 1, Client::default);
        }
        self.clients[index] = Client::default();
    }

    fn receive(&mut self, connection: ConnectionId, buffer: BufferRef) {
        let client = &mut self.clients[connection.index as usize];
        let result = client.receive(self.reactor.bytes(buffer), &mut self.store);
        self.reactor.send(connection, &mut client.replies);
        if result.is_err() {
            self.reactor.close_after_flush(connection);
        }
    }
}
