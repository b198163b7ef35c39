//! The TLS adapter against a client of rustls, over pieces of any size in both directions.

use std::io::{Read, Write};
use std::sync::Arc;

use basalt_net::tls::queue::RECORD_BYTES_MAX;
use basalt_net::tls::{
    ClientCertificates, SessionCacheLimits, TlsError, TlsOptions, TlsServer, TlsSession,
};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

/// An authority, a server signed by it, and a client named alice.
struct Certificates {
    authority_pem: String,
    server: (String, KeyPair),
    client: (rcgen::Certificate, KeyPair),
}

fn certificates() -> Certificates {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let signed = |name: &str| {
        let mut parameters = CertificateParams::new(vec!["localhost".into()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, key) = signed("server");
    Certificates { authority_pem, server: (server.pem(), key), client: signed("alice") }
}

fn options(certificates: &Certificates) -> TlsOptions {
    TlsOptions {
        certificate_pem: certificates.server.0.clone().into_bytes(),
        key_pem: certificates.server.1.serialize_pem().into_bytes(),
        passphrase: None,
        authority_pems: vec![(certificates.authority_pem.clone().into_bytes(), false)],
        client_certificates: ClientCertificates::Optional,
        protocols: String::new(),
        ciphers: String::new(),
        ciphersuites: String::new(),
        prefers_own_ciphers: false,
        session_cache: Some(SessionCacheLimits { entries_max: 100, lifetime_seconds: 300 }),
    }
}

type Version = &'static SupportedProtocolVersion;

fn client_config(
    certificates: &Certificates,
    version: Version,
    has_certificate: bool,
) -> Arc<ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    let authority =
        rustls::pki_types::CertificateDer::from_pem_slice(certificates.authority_pem.as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let (certificate, key) = &certificates.client;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Arc::new(match has_certificate {
        true => builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap(),
        false => builder.with_no_client_auth(),
    })
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    client.set_buffer_limit(None);
    client
}

/// Both ends, and the bytes between them.
struct Link {
    client: ClientConnection,
    server: TlsSession,
    /// What the server has opened.
    plain: Vec<u8>,
    /// What the client has opened.
    received: Vec<u8>,
    /// What the server has sealed and the client has not read.
    sealed: Vec<u8>,
}

impl Link {
    fn new(options: &TlsOptions, config: &Arc<ClientConfig>) -> Link {
        Link::to(&TlsServer::new(options).unwrap(), config)
    }

    fn to(server: &TlsServer, config: &Arc<ClientConfig>) -> Link {
        Link {
            client: client(config),
            server: TlsSession::new(server).unwrap(),
            plain: Vec::new(),
            received: Vec::new(),
            sealed: Vec::new(),
        }
    }

    /// The server takes bytes in, as its core would.
    fn feed(&mut self, bytes: &mut [u8]) -> Result<(), TlsError> {
        if self.server.is_handshaking() {
            self.server.hold(bytes)?;
            return self.server.advance(&mut self.plain, &mut self.sealed);
        }
        self.server.receive(bytes, &mut self.plain, &mut self.sealed)
    }

    /// Moves everything that is under way, in pieces of the lengths `next_len` says.
    fn settle(&mut self, mut next_len: impl FnMut() -> usize) -> Result<(), TlsError> {
        loop {
            let mut bytes = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            let is_still = bytes.is_empty() && self.sealed.is_empty();
            let mut rest = &mut bytes[..];
            while !rest.is_empty() {
                let len = next_len().clamp(1, rest.len());
                let (piece, behind) = rest.split_at_mut(len);
                self.feed(piece)?;
                rest = behind;
            }
            let sealed = std::mem::take(&mut self.sealed);
            let mut sealed = &sealed[..];
            while !sealed.is_empty() {
                self.client.read_tls(&mut sealed).unwrap();
                self.client.process_new_packets().map_err(|_| refused())?;
                // Ends with an error while the connection is open: there is no more for now.
                let _ = self.client.reader().read_to_end(&mut self.received);
            }
            if is_still {
                return Ok(());
            }
        }
    }
}

/// The client gave up.
fn refused() -> TlsError {
    TlsServer::new(&TlsOptions { protocols: "none".into(), ..options(&certificates()) })
        .err()
        .unwrap()
}

/// Text no two places of which look alike.
fn text(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|index| (index / 251) as u8 ^ (index % 251) as u8 ^ salt).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_pieces_the_bytes_are_the_same(
        lens in proptest::collection::vec(1_usize..20_000, 1..40),
        is_small in any::<bool>(),
        is_new in any::<bool>(),
        requests in proptest::collection::vec(0_usize..70_000, 1..5),
        replies in proptest::collection::vec(0_usize..70_000, 1..5),
        budget in 1_usize..100_000,
    ) {
        let certificates = certificates();
        let version = if is_new { &version::TLS13 } else { &version::TLS12 };
        let mut link = Link::new(&options(&certificates), &client_config(&certificates, version, true));
        let mut turn = 0;
        let mut next_len = move || {
            turn += 1;
            let len = lens[turn % lens.len()];
            if is_small { len % 7 + 1 } else { len }
        };
        link.settle(&mut next_len).unwrap();
        prop_assert!(!link.server.is_handshaking());
        prop_assert_eq!(link.server.peer_common_name(), Some("alice".to_owned()));
        for (index, len) in requests.into_iter().enumerate() {
            let sent = text(len, index as u8);
            link.client.writer().write_all(&sent).unwrap();
            link.settle(&mut next_len).unwrap();
            prop_assert!(std::mem::take(&mut link.plain) == sent);
            if is_new {
                // Asks the server to change its keys as well, in front of its next reply.
                link.client.refresh_traffic_keys().unwrap();
            }
        }
        for (index, len) in replies.into_iter().enumerate() {
            let sent = text(len, index as u8);
            let queue = link.server.queue_mut();
            queue.push(&sent[..len / 3]);
            queue.push_shared(Arc::new(sent[len / 3..].to_vec()));
            while link.server.queued_bytes() > 0 {
                let before = link.server.queued_bytes();
                link.server.seal(budget, &mut link.sealed).unwrap();
                let sealed = before - link.server.queued_bytes();
                prop_assert!(sealed > 0 && sealed < budget + RECORD_BYTES_MAX);
                link.settle(&mut next_len).unwrap();
            }
            prop_assert!(std::mem::take(&mut link.received) == sent);
        }
        link.server.close(&mut link.sealed);
        link.client.send_close_notify();
        link.settle(&mut next_len).unwrap();
        prop_assert!(link.server.is_closed_by_peer());
        prop_assert_eq!(link.client.reader().read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn junk_is_an_error_and_never_a_panic(
        junk in proptest::collection::vec(any::<u8>(), 1..2000),
        place in 0_usize..400,
        is_established in any::<bool>(),
    ) {
        let certificates = certificates();
        let config = client_config(&certificates, &version::TLS13, false);
        let mut link = Link::new(&options(&certificates), &config);
        if is_established {
            link.settle(|| usize::MAX).unwrap();
        }
        link.client.writer().write_all(b"PING\r\n").unwrap();
        let mut bytes = Vec::new();
        link.client.write_tls(&mut bytes).unwrap();
        let place = place.min(bytes.len());
        bytes.splice(place..place, junk);
        // Junk may read as the head of a record that is not complete: then nothing happens yet.
        if link.feed(&mut bytes).is_err() {
            prop_assert!(link.plain.is_empty() || link.plain == b"PING\r\n");
        }
    }
}

#[test]
fn plain_text_is_refused_with_an_alert() {
    let certificates = certificates();
    let config = client_config(&certificates, &version::TLS13, false);
    let mut link = Link::new(&options(&certificates), &config);
    assert!(link.feed(&mut b"PING\r\nPING\r\n".to_vec()).is_err());
    assert_eq!(link.sealed[0], 21, "an alert");
    assert!(link.plain.is_empty());
}

#[test]
fn a_handshake_that_goes_on_for_ever_ends() {
    let certificates = certificates();
    let config = client_config(&certificates, &version::TLS13, false);
    let mut link = Link::new(&options(&certificates), &config);
    // The head of a record of the greatest length, whose end never comes.
    let mut sent = 0;
    let mut piece = vec![22, 3, 1, 0x3f, 0xff];
    while link.server.hold(&piece).is_ok() {
        sent += piece.len();
        assert!(sent < 1 << 20);
        piece = vec![1; 1000];
    }
}

#[test]
fn clients_without_a_certificate_come_in_unless_one_is_required() {
    let certificates = certificates();
    let config = client_config(&certificates, &version::TLS13, false);
    for (wanted, comes_in) in [
        (ClientCertificates::Ignored, true),
        (ClientCertificates::Optional, true),
        (ClientCertificates::Required, false),
    ] {
        let options = TlsOptions { client_certificates: wanted, ..options(&certificates) };
        let mut link = Link::new(&options, &config);
        assert_eq!(link.settle(|| usize::MAX).is_ok(), comes_in, "{wanted:?}");
        if comes_in {
            assert_eq!(link.server.peer_common_name(), None);
        }
    }
}

#[test]
fn sessions_are_resumed_only_if_they_are_remembered() {
    let certificates = certificates();
    for version in [&version::TLS12, &version::TLS13] {
        for remembers in [true, false] {
            let mut options = options(&certificates);
            if !remembers {
                options.session_cache = None;
            }
            let server = TlsServer::new(&options).unwrap();
            let config = client_config(&certificates, version, true);
            for round in 0..2 {
                let mut link = Link::to(&server, &config);
                link.settle(|| usize::MAX).unwrap();
                let is_resumed =
                    link.client.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
                assert_eq!(is_resumed, remembers && round == 1, "{version:?}");
                // A session that is resumed still says whose it is.
                assert_eq!(link.server.peer_common_name().as_deref(), Some("alice"));
            }
        }
    }
}

#[test]
fn messages_of_a_handshake_may_come_in_many_records() {
    let certificates = certificates();
    for version in [&version::TLS12, &version::TLS13] {
        let mut config = (*client_config(&certificates, version, true)).clone();
        config.max_fragment_size = Some(32);
        for piece in [1, 7, 50, 1000] {
            let mut link = Link::new(&options(&certificates), &Arc::new(config.clone()));
            link.settle(|| piece).unwrap();
            assert_eq!(link.server.peer_common_name().as_deref(), Some("alice"));
            link.client.writer().write_all(&text(1000, 1)).unwrap();
            link.settle(|| piece).unwrap();
            assert!(link.plain == text(1000, 1));
        }
    }
}

#[test]
fn the_server_may_choose_the_cipher() {
    let certificates = certificates();
    let mut config = (*client_config(&certificates, &version::TLS13, false)).clone();
    let names = |link: &Link| format!("{:?}", link.client.negotiated_cipher_suite().unwrap());
    config.alpn_protocols = Vec::new();
    let config = Arc::new(config);
    let mut options = options(&certificates);
    options.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384".into();
    for (prefers_own, expected) in [(false, "AES_256_GCM"), (true, "CHACHA20")] {
        options.prefers_own_ciphers = prefers_own;
        let mut link = Link::new(&options, &config);
        link.settle(|| usize::MAX).unwrap();
        assert!(names(&link).contains(expected), "{}", names(&link));
    }
}
