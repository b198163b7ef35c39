//! The configuration all TLS connections of a moment share.
//!
//! It is made whole or not at all, from the contents of files, and never changes: a new one takes
//! its place, and connections that are open keep theirs.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;

use super::cache::SessionCache;
use super::certificate::{self, CertificateFacts};
use super::{TlsError, identity, suites};

/// What is asked of clients: `tls-auth-clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    Ignored,
    /// They may bring one, which then has to be valid.
    Optional,
    /// They have to bring one.
    Required,
}

/// How many sessions are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCacheLimits {
    /// Not zero.
    pub entries_max: usize,
    /// Zero remembers none.
    pub lifetime_seconds: u32,
}

/// What a [`TlsServer`] is made from. Files are given by what is in them.
#[derive(Clone)]
pub struct TlsOptions {
    /// Certificates of the server, its own first.
    pub certificate_pem: Vec<u8>,
    /// The key of that one.
    pub key_pem: Vec<u8>,
    /// What the key is encrypted under.
    pub passphrase: Option<Vec<u8>>,
    /// Files of authorities that clients' certificates may be signed by, and whether each may hold
    /// something else instead.
    pub authority_pems: Vec<(Vec<u8>, bool)>,
    /// What is asked of clients.
    pub client_certificates: ClientCertificates,
    /// As `tls-protocols`.
    pub protocols: String,
    /// As `tls-ciphers`.
    pub ciphers: String,
    /// As `tls-ciphersuites`.
    pub ciphersuites: String,
    /// Whether the server's order of ciphers counts, not the client's.
    pub prefers_own_ciphers: bool,
    /// `None` remembers no sessions.
    pub session_cache: Option<SessionCacheLimits>,
}

/// See the module's documentation.
pub struct TlsServer {
    pub(super) config: Arc<ServerConfig>,
    /// Of the server's own certificate.
    pub certificate: Option<CertificateFacts>,
    /// Of the authority that ends first.
    pub authority: Option<CertificateFacts>,
}

impl TlsServer {
    /// Makes one.
    ///
    /// # Errors
    /// The first thing that is wrong with what it is made from.
    pub fn new(options: &TlsOptions) -> Result<TlsServer, TlsError> {
        let versions = suites::protocols(&options.protocols)?;
        let mut chosen = suites::cipher_suites(&options.ciphersuites)?;
        chosen.extend(suites::ciphers(&options.ciphers)?);
        let provider =
            Arc::new(CryptoProvider { cipher_suites: chosen, ..ring::default_provider() });
        let passphrase = options.passphrase.as_deref();
        let key = identity::certified_key(&options.certificate_pem, &options.key_pem, passphrase)?;
        let certificate = key.end_entity_cert().ok().and_then(|der| certificate::facts(der));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?;
        let (builder, authority) = match options.client_certificates {
            ClientCertificates::Ignored => (builder.with_no_client_auth(), None),
            wanted => {
                let (verifier, authority) = verifier(options, wanted, provider)?;
                (builder.with_client_cert_verifier(verifier), authority)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.ignore_client_order = options.prefers_own_ciphers;
        match options.session_cache {
            Some(limits) => config.session_storage = Arc::new(SessionCache::new(limits)),
            None => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        Ok(TlsServer { config: Arc::new(config), certificate, authority })
    }
}

type Verifier = Arc<dyn ClientCertVerifier>;

fn verifier(
    options: &TlsOptions,
    wanted: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<(Verifier, Option<CertificateFacts>), TlsError> {
    let (roots, facts) = identity::authorities(&options.authority_pems)?;
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let builder = match wanted {
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    let verifier = builder.build().map_err(|error| TlsError::new(error.to_string()))?;
    Ok((verifier, facts))
}
