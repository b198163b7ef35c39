//! Where a server listens, and how a socket to it is opened.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::{BenchError, Outcome};
use crate::resp::wire::Wire;

/// A server on loopback answers at once; one that does not within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Host and port, resolved.
    Tcp(SocketAddr),
    /// The same, by TLS.
    Tls(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Tls(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Looks a host name up; the first address wins.
    pub(crate) fn resolve(host: &str, port: u16) -> Outcome<Self> {
        let doing = || format!("resolve {host}:{port}");
        let mut addresses = (host, port).to_socket_addrs().map_err(BenchError::io(doing()))?;
        let first = addresses.next().ok_or(io::ErrorKind::NotFound.into());
        first.map(Self::Tcp).map_err(BenchError::io(doing()))
    }

    /// Whether the server may share this machine, so that `/proc` can tell about it.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The same place, by TLS. A Unix socket stays what it is.
    pub(crate) fn by_tls(self) -> Self {
        match self {
            Self::Tcp(address) => Self::Tls(address),
            other => other,
        }
    }

    /// Opens a blocking connection; small requests leave at once (no Nagle delay).
    pub(crate) fn connect(&self) -> io::Result<Wire> {
        match self {
            Self::Tls(_) => Wire::tls(self.connect_socket()?),
            Self::Tcp(_) | Self::Unix(_) => Ok(Wire::Plain(self.connect_socket()?)),
        }
    }

    fn connect_socket(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(address) | Self::Tls(address) => {
                let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                socket.connect_timeout(&(*address).into(), CONNECT_TIMEOUT)?;
                socket.set_tcp_nodelay(true)?;
                Ok(socket)
            }
            Self::Unix(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.connect(&SockAddr::unix(path)?)?;
                Ok(socket)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_unix_are_local() {
        let remote = Endpoint::resolve("192.0.2.7", 6379).expect("an address");
        assert!(!remote.is_local());
        assert_eq!(remote.to_string(), "192.0.2.7:6379");
        assert!(Endpoint::resolve("127.0.0.1", 1).expect("an address").is_local());
        assert!(Endpoint::Unix(PathBuf::from("/tmp/x.sock")).is_local());
    }
}
