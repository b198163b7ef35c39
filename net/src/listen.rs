//! Listening sockets and the addresses of connections, as Redis' configuration names them.
//!
//! TCP: every address of `bind` gets one socket per core, all bound to the same port with
//! SO_REUSEPORT, and the kernel spreads clients over them. Options set on a listening socket are
//! inherited by what it accepts, so TCP_NODELAY costs no call per client. IPv6 sockets take no
//! IPv4 clients; `*` and `::*` are two addresses.
//!
//! Unix: one socket, since paths cannot be bound twice.

use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Probes a peer may leave unanswered before it counts as gone.
const KEEPALIVE_PROBES: u32 = 3;

/// One word of the `bind` directive.
///
/// `*` is every IPv4 address, `::*` every IPv6 address; anything else is an address or a host
/// name. A leading `-` makes it optional: it is skipped if this machine does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// Without the dash.
    pub host: String,
    /// Whether it may be missing.
    pub optional: bool,
}

impl BindAddress {
    /// Reads one word. There is no wrong one: what no machine has fails when it is bound.
    pub fn parse(word: &str) -> BindAddress {
        let (host, optional) = match word.strip_prefix('-') {
            Some(host) => (host, true),
            None => (word, false),
        };
        BindAddress { host: host.to_owned(), optional }
    }

    /// The address to bind. Whatever has a colon is IPv6, the rest IPv4.
    ///
    /// # Errors
    /// If a host name cannot be resolved. Resolving one may block.
    pub fn resolve(&self, port: u16) -> io::Result<SocketAddr> {
        match self.host.as_str() {
            "*" => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
            "::*" => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
            host => {
                let wants_v6 = host.contains(':');
                let found = (host, port).to_socket_addrs()?.find(|it| it.is_ipv6() == wants_v6);
                found.ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL))
            }
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", if self.optional { "-" } else { "" }, self.host)
    }
}

/// An address that could not be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// As the configuration names it.
    pub address: String,
    /// The port, 0 for a path.
    pub port: u16,
    /// What the kernel said.
    pub error: io::Error,
}

impl fmt::Display for ListenError {
    /// The words of Redis' warnings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenError { address, port, error } = self;
        match port {
            0 => formatter.write_str("Failed opening Unix socket: ")?,
            _ => write!(
                formatter,
                "Could not create server TCP listening socket {address}:{port}: "
            )?,
        }
        let text = error.to_string();
        match text.split_once(" (os error") {
            Some((text, _)) => write!(formatter, "bind: {text}"),
            None => formatter.write_str(&text),
        }
    }
}

impl std::error::Error for ListenError {}

/// Listens on all `addresses`. Call it once per core with the same port.
///
/// Optional addresses this machine does not have are left out, and so are address families it
/// does not know at all. The result can be empty only if `addresses` is or all are left out.
///
/// # Errors
/// The first address that failed for another reason.
pub fn listen_tcp(
    addresses: &[BindAddress],
    port: u16,
    backlog: u32,
) -> Result<Vec<OwnedFd>, ListenError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for address in addresses {
        let result = address.resolve(port).and_then(|it| listen_tcp_on(it, backlog));
        match result {
            Ok(socket) => sockets.push(socket),
            Err(error) if may_skip(address, &error) => {}
            Err(error) => {
                return Err(ListenError { address: address.host.clone(), port, error });
            }
        }
    }
    Ok(sockets)
}

/// Which failures leave an address out rather than stop the server.
fn may_skip(address: &BindAddress, error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL) => address.optional,
        Some(libc::ENOPROTOOPT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) => true,
        Some(libc::EPFNOSUPPORT | libc::EAFNOSUPPORT) => true,
        _ => false,
    }
}

/// Listens on one TCP address; port 0 picks a free one.
///
/// # Errors
/// What the kernel refused.
pub fn listen_tcp_on(address: SocketAddr, backlog: u32) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Takes a TCP address for itself without listening there. Whoever connects meanwhile is refused,
/// as before the server was started; by a socket that listens and is closed it would be reset.
///
/// # Errors
/// What the kernel refused, `AddrInUse` if somebody else listens there.
pub fn reserve_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of an earlier server that still linger are no obstacle.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Listens on a path. A socket left behind there by an earlier run is replaced; any other file is
/// not. `permissions` (0: leave them to the umask) are those of `unixsocketperm`.
///
/// # Errors
/// What the kernel refused; a path is at most 107 bytes long.
pub fn listen_unix(path: &Path, permissions: u32, backlog: u32) -> Result<OwnedFd, ListenError> {
    try_listen_unix(path, permissions, backlog).map_err(|error| ListenError {
        address: path.display().to_string(),
        port: 0,
        error,
    })
}

fn try_listen_unix(path: &Path, permissions: u32, backlog: u32) -> io::Result<OwnedFd> {
    let address = SockAddr::unix(path)?;
    if fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    if permissions != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Has the kernel ask a silent TCP peer whether it is alive after `interval_s` seconds, then
/// every third of that (`tcp-keepalive`). 0 turns it off.
///
/// # Errors
/// What the kernel refused, for instance because it is no TCP socket.
pub fn set_keepalive(socket: impl AsFd, interval_s: u32) -> io::Result<()> {
    let socket = SockRef::from(&socket);
    if interval_s == 0 {
        return socket.set_keepalive(false);
    }
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(interval_s.into()))
        .with_interval(Duration::from_secs((interval_s / 3).max(1).into()))
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)
}

/// An end of a connection as `CLIENT LIST` prints it: `127.0.0.1:5000`, `[::1]:5000`, `/path:0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// TCP.
    Inet(IpAddr, u16),
    /// Unix; the path is the server's for both ends, for clients have none.
    Unix(PathBuf),
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketAddress::Inet(IpAddr::V4(ip), port) => write!(formatter, "{ip}:{port}"),
            SocketAddress::Inet(IpAddr::V6(ip), port) => write!(formatter, "[{ip}]:{port}"),
            SocketAddress::Unix(path) => write!(formatter, "{}:0", path.display()),
        }
    }
}

/// The server's end of a connection, or the address of a listening socket.
///
/// # Errors
/// What the kernel refused.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddress> {
    let address = SockRef::from(&socket).local_addr()?;
    match address.as_socket() {
        Some(address) => Ok(SocketAddress::Inet(address.ip(), address.port())),
        None => Ok(SocketAddress::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned())),
    }
}

/// The client's end of a connection.
///
/// # Errors
/// What the kernel refused, for instance because the client is gone.
pub fn peer_address(socket: impl AsFd) -> io::Result<SocketAddress> {
    match SockRef::from(&socket).peer_addr()?.as_socket() {
        Some(address) => Ok(SocketAddress::Inet(address.ip(), address.port())),
        None => local_address(socket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    const BACKLOG: u32 = 511;

    fn binds(words: &[&str]) -> Vec<BindAddress> {
        words.iter().map(|word| BindAddress::parse(word)).collect()
    }

    fn port_of(socket: &OwnedFd) -> u16 {
        match local_address(socket).unwrap() {
            SocketAddress::Inet(_, port) => port,
            SocketAddress::Unix(path) => panic!("{path:?}"),
        }
    }

    /// A path of this test's own.
    fn temporary_path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("basalt-{}-{name}.sock", std::process::id()))
    }

    /// Symptom: a client that connected while the server started was reset now and then. Cause: the
    /// look whether a port is taken listened there, and closed what it had accepted.
    #[test]
    fn a_reserved_port_accepts_nobody() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let reserved = reserve_tcp(any).expect("there is a free port");
        let address = Socket::from(reserved.try_clone().expect("descriptors are left"))
            .local_addr()
            .expect("it is bound")
            .as_socket()
            .expect("it is no path");
        let refused = TcpStream::connect(address).expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(reserved);
        let listener = listen_tcp_on(address, 16).expect("it is free again");
        let taken = reserve_tcp(address).expect_err("somebody listens");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
    }

    #[test]
    fn bind_words() {
        let all = BindAddress::parse("-::*");
        assert!(all.optional && all.host == "::*" && all.to_string() == "-::*");
        assert_eq!(all.resolve(7).unwrap().to_string(), "[::]:7");
        assert_eq!(BindAddress::parse("*").resolve(7).unwrap().to_string(), "0.0.0.0:7");
        assert_eq!(BindAddress::parse("::1").resolve(7).unwrap().to_string(), "[::1]:7");
        assert!(BindAddress::parse("no such host").resolve(7).is_err());
    }

    #[test]
    fn cores_share_a_port() {
        let first = listen_tcp(&binds(&["127.0.0.1"]), 0, BACKLOG).unwrap();
        let port = port_of(&first[0]);
        let second = listen_tcp(&binds(&["127.0.0.1"]), port, BACKLOG).unwrap();
        assert_eq!(port_of(&second[0]), port);
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(peer_address(&client).unwrap().to_string(), format!("127.0.0.1:{port}"));
    }

    #[test]
    fn both_families_are_separate_sockets() {
        let v4 = listen_tcp(&binds(&["*"]), 0, BACKLOG).unwrap();
        let both = listen_tcp(&binds(&["*", "-::*"]), port_of(&v4[0]), BACKLOG).unwrap();
        let addresses: Vec<String> =
            both.iter().map(|it| local_address(it).unwrap().to_string()).collect();
        assert!(addresses[0].starts_with("0.0.0.0:"));
        assert!(addresses.iter().skip(1).all(|address| address.starts_with("[::]:")));
    }

    #[test]
    fn only_optional_addresses_may_be_missing() {
        // 192.0.2.0/24 is for documentation: no machine has it.
        assert!(listen_tcp(&binds(&["-192.0.2.1"]), 7, BACKLOG).unwrap().is_empty());
        let error = listen_tcp(&binds(&["192.0.2.1"]), 7, BACKLOG).unwrap_err();
        let text = "Could not create server TCP listening socket 192.0.2.1:7: \
                    bind: Cannot assign requested address";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn accepted_sockets_inherit_nodelay_and_take_keepalive() {
        let listener = listen_tcp(&binds(&["127.0.0.1"]), 0, BACKLOG).unwrap().remove(0);
        let _client = TcpStream::connect(("127.0.0.1", port_of(&listener))).unwrap();
        let (accepted, _) = SockRef::from(&listener).accept().unwrap();
        assert!(accepted.tcp_nodelay().unwrap());
        set_keepalive(&accepted, 300).unwrap();
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(300));
        assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(100));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 3);
        set_keepalive(&accepted, 1).unwrap();
        assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(1));
        set_keepalive(&accepted, 0).unwrap();
        assert!(!accepted.keepalive().unwrap());
    }

    #[test]
    fn unix_sockets_replace_stale_ones_only() {
        let path = temporary_path("stale");
        drop(listen_unix(&path, 0o700, BACKLOG).unwrap());
        let listener = listen_unix(&path, 0o600, BACKLOG).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let _client = UnixStream::connect(&path).unwrap();
        let (accepted, _) = SockRef::from(&listener).accept().unwrap();
        let expected = format!("{}:0", path.display());
        assert_eq!(peer_address(&accepted).unwrap().to_string(), expected);
        assert_eq!(local_address(&accepted).unwrap().to_string(), expected);
        fs::remove_file(&path).unwrap();

        let file = temporary_path("file");
        fs::write(&file, "precious").unwrap();
        let error = listen_unix(&file, 0, BACKLOG).unwrap_err();
        let text = "Failed opening Unix socket: bind: Address already in use";
        assert_eq!(error.to_string(), text);
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        fs::remove_file(&file).unwrap();
        assert!(listen_unix(Path::new(&"x".repeat(200)), 0, BACKLOG).is_err());
    }

    #[test]
    fn addresses_print_as_in_client_list() {
        let v6 = SocketAddress::Inet(Ipv6Addr::LOCALHOST.into(), 5000);
        assert_eq!(v6.to_string(), "[::1]:5000");
        assert_eq!(SocketAddress::Unix("/tmp/s".into()).to_string(), "/tmp/s:0");
    }
}
