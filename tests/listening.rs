//! `port` and `bind` at run time: on all cores at once, or not at all.

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use support::{
    Client, OK, Process, ReservedPort, Test, TestDirectory, bulk, each_with, eventually, is_basalt,
    map,
};

/// Connections that spread over all cores.
const CLIENTS: usize = 16;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Everybody who comes to `address` is served.
#[track_caller]
fn serves(address: SocketAddr) {
    for _ in 0..CLIENTS {
        Client::connect(address).expect("somebody listens").check("PING", "+PONG");
    }
}

/// Nobody gets in at `address`.
#[track_caller]
fn is_closed(address: SocketAddr) {
    for _ in 0..CLIENTS {
        let refused = Client::connect(address).err().map(|error| error.kind());
        assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused), "{address}");
    }
}

fn refused(name: &str, reason: &str) -> String {
    format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

const PORT_REASON: &str = "Unable to listen on this port. Check server logs.";
const BIND_REASON: &str = "Failed to bind to specified addresses.";

/// Servers whose ports may be moved: nobody else uses them.
fn alone(body: impl Fn(&mut Test)) {
    each_with(&[], body);
}

#[test]
fn the_port_moves_and_open_connections_stay() {
    alone(|t| {
        let (old, new) = (t.server.port(), ReservedPort::pick().0);
        t.check(["CONFIG", "SET", "port", &new.to_string()], OK);
        is_closed(at(old));
        serves(at(new));
        assert_eq!(t.info("server").number("tcp_port"), i64::from(new));
        t.check("CONFIG SET port 0", OK);
        is_closed(at(new));
        t.check("PING", "+PONG");
        t.check(["CONFIG", "SET", "port", &old.to_string()], OK);
        serves(at(old));
    });
}

#[test]
fn a_port_that_is_taken_leaves_everything_as_it_was() {
    alone(|t| {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let taken = taken.local_addr().map(|address| (address.port(), taken)).expect("its number");
        let before = t.server.port().to_string();
        t.check(
            ["CONFIG", "SET", "timeout", "77", "port", &taken.0.to_string(), "maxmemory", "1gb"],
            refused("port", PORT_REASON),
        );
        t.check("CONFIG GET timeout", map([("timeout", bulk("0"))]));
        t.check("CONFIG GET maxmemory", map([("maxmemory", bulk("0"))]));
        t.check("CONFIG GET port", map([("port", bulk(&before))]));
        serves(t.server.address());
    });
}

#[test]
fn one_port_is_not_two() {
    if !is_basalt() {
        return;
    }
    alone(|t| {
        let secured = support::Secured::open(t, "no");
        let port = secured.port.to_string();
        t.check(["CONFIG", "SET", "port", &port], refused("port", PORT_REASON));
        // Unless they change places.
        let own = t.server.port();
        t.check(["CONFIG", "SET", "port", &port, "tls-port", &own.to_string()], OK);
        serves(at(secured.port));
        let config = secured.authority.client(None);
        for _ in 0..CLIENTS {
            let client = Client::connect_tls(at(own), &config);
            client.expect("somebody listens").check("PING", "+PONG");
        }
    });
}

#[test]
fn addresses_change() {
    alone(|t| {
        let (port, second) = (t.server.port(), Ipv4Addr::new(127, 0, 0, 2));
        is_closed((second, port).into());
        t.check("CONFIG SET bind '127.0.0.1 127.0.0.2'", OK);
        serves((second, port).into());
        serves(at(port));
        t.check("CONFIG SET bind 127.0.0.2", OK);
        is_closed(at(port));
        serves((second, port).into());
        t.check("CONFIG SET bind 999.999.999.999", refused("bind", BIND_REASON));
        t.check("CONFIG GET bind", map([("bind", bulk("127.0.0.2"))]));
        serves((second, port).into());
        t.check("CONFIG SET bind ''", OK);
        is_closed((second, port).into());
        t.check("PING", "+PONG");
        t.check("CONFIG SET bind 127.0.0.1", OK);
        serves(at(port));
    });
}

#[test]
fn a_transaction_may_move_the_port() {
    alone(|t| {
        let new = ReservedPort::pick().0;
        t.check("MULTI", OK);
        t.check(["CONFIG", "SET", "port", &new.to_string()], "+QUEUED");
        t.check("EXEC", support::array([OK]));
        serves(at(new));
        is_closed(t.server.address());
    });
}

/// Symptom: a server that was started right after another one was killed on its port sometimes said
/// that the port was in use. Cause: the kernel takes the rings of a process down, and with them its
/// sockets, some milliseconds after it is gone. Fix: the port is tried for a second.
#[test]
fn a_start_waits_a_moment_for_its_port() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = taken.local_addr().expect("its address");
    let port = address.port().to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "verbose"];
    let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    let mut process = Process::start(TestDirectory::create(), &arguments, "");
    eventually("it has met the port taken", || process.output().contains("; trying again"));
    drop(taken);
    eventually("it serves", || {
        assert!(process.exit_status().is_none(), "{}", process.output());
        Client::connect(address).is_ok()
    });
    serves(address);
}
