//! Certificates of a test's own, and clients that come by TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use super::client::Client;
use super::matrix::Test;
use super::server::ReservedPort;

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate_pem: String,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names are fine");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Authority {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(parameters, key),
        }
    }

    /// Signs a certificate for somebody.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_for(name, KeyPair::generate().expect("a key"))
    }

    /// Signs a certificate for the key in a PEM file.
    pub(crate) fn issue_for_pem(&self, name: &str, key_pem: &str) -> Identity {
        self.issue_for(name, KeyPair::from_pem(key_pem).expect("a key"))
    }

    fn issue_for(&self, name: &str, key: KeyPair) -> Identity {
        let names = vec!["localhost".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("a host name");
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    /// What a client needs that trusts this authority and shows `identity`, if any.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        self.client_of(identity, &[&version::TLS13, &version::TLS12])
    }

    /// As [`Authority::client`], with these versions of TLS only.
    pub(crate) fn client_of(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
                let chain = vec![identity.certificate.clone()];
                builder.with_client_auth_cert(chain, key).expect("a key and its certificate")
            }
        })
    }
}

/// A server of the matrix with a TLS port beside its own.
pub(crate) struct Secured {
    pub(crate) authority: Authority,
    pub(crate) port: u16,
}

impl Secured {
    /// Opens a TLS port that asks clients for a certificate as `auth_clients` says.
    #[track_caller]
    pub(crate) fn open(t: &mut Test<'_>, auth_clients: &str) -> Secured {
        let authority = Authority::new();
        let port = ReservedPort::pick().0;
        let server = authority.issue("server");
        let files = [
            ("tls-cert-file", &server.certificate_pem),
            ("tls-key-file", &server.key_pem),
            ("tls-ca-cert-file", &authority.certificate_pem),
        ];
        let mut command = vec!["CONFIG".to_owned(), "SET".to_owned()];
        for (name, content) in files {
            let path = t.server.file(name);
            std::fs::write(&path, content).expect("a file");
            command.extend([name.to_owned(), path]);
        }
        for (name, value) in [("tls-auth-clients", auth_clients), ("tls-port", &port.to_string())] {
            command.extend([name.to_owned(), value.to_owned()]);
        }
        t.check(&command[..], super::expect::OK);
        Secured { authority, port }
    }

    /// Closes the port again and forgets its files.
    #[track_caller]
    pub(crate) fn close(self, t: &mut Test<'_>) {
        t.check(
            "CONFIG SET tls-port 0 tls-auth-clients yes tls-cert-file '' tls-key-file '' \
             tls-key-file-pass '' tls-ca-cert-file ''",
            super::expect::OK,
        );
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A connection without a certificate.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        self.connect_as(&self.authority.client(None))
    }

    #[track_caller]
    pub(crate) fn connect_as(&self, config: &Arc<ClientConfig>) -> Client {
        Client::connect_tls(self.address(), config).expect("the server accepts connections")
    }
}
