//! A certificate for servers under measurement by TLS: P-256, signed by itself, made anew for every
//! run. The generator takes any.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{BenchError, Outcome};
use crate::harness::server::Scratch;

/// The files of a certificate and its key, removed with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(Arc<Scratch>);

impl Certificate {
    /// Makes one.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub(crate) fn new() -> Outcome<Self> {
        let certificate = Self(Arc::new(Scratch::new()?));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("localhost is a host name");
        for (path, text) in [
            (certificate.path("crt"), made.cert.pem()),
            (certificate.path("key"), made.signing_key.serialize_pem()),
        ] {
            fs::write(path, text).map_err(BenchError::io("write a certificate"))?;
        }
        Ok(certificate)
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.0.path().join(format!("server.{extension}"))
    }

    /// What makes a server with Redis' directives listen by TLS alone.
    pub(crate) fn arguments(&self, port: &str) -> Vec<String> {
        let (certificate, key) = (self.path("crt"), self.path("key"));
        let words = [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_owned()),
            ("--tls-cert-file", certificate.display().to_string()),
            ("--tls-key-file", key.display().to_string()),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}
