//! Certificates and keys, from the contents of PEM files.
//!
//! Keys may be PKCS#8, also encrypted under a passphrase (PBES2, which is what OpenSSL writes since
//! 1.0; with AES and PBKDF2 or scrypt), PKCS#1 (RSA) or SEC1 (elliptic curves). The old encryption
//! of OpenSSL's own, within PKCS#1 and SEC1 files, is refused with advice.
//!
//! Unlike rustls, a certificate of X.509 version 1 is taken for the server's own: OpenSSL writes
//! them when it is told nothing else, and clients of OpenSSL accept them.

use std::sync::Arc;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

use super::TlsError;
use super::certificate::{self, CertificateFacts};

/// Authorities that may be trusted at most.
const AUTHORITIES_MAX: usize = 10_000;

/// The certificates of a PEM file.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.map_err(|error| TlsError::new(format!("not a PEM file: {error}")))
}

/// The server's chain of certificates with the key of the first.
///
/// # Errors
/// If there is no certificate or key, the key cannot be read, or is not that of the certificate.
pub(super) fn certified_key(
    chain_pem: &[u8],
    key_pem: &[u8],
    passphrase: Option<&[u8]>,
) -> Result<CertifiedKey, TlsError> {
    let failure = |error: TlsError| TlsError(format!("Failed to load certificate: {error}"));
    let chain = certificates(chain_pem).map_err(failure)?;
    if chain.is_empty() {
        return Err(failure(TlsError::new("no certificate in the file")));
    }
    let failure = |error: TlsError| TlsError(format!("Failed to load private key: {error}"));
    let key = private_key(key_pem, passphrase).map_err(failure)?;
    let key = any_supported_type(&key).map_err(|error| failure(error.into()))?;
    let certified = CertifiedKey { cert: chain, key, ocsp: None };
    match certified.keys_match() {
        Err(error @ Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(failure(error.into()))
        }
        // Whatever else rustls does not like about it is for its peers to judge.
        _ => Ok(certified),
    }
}

/// The key in a PEM file.
fn private_key(pem: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, TlsError> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED PRIVATE KEY";
    if contains(pem, ENCRYPTED) {
        let Some(passphrase) = passphrase else {
            return Err(TlsError::new("it is encrypted, and tls-key-file-pass is not set"));
        };
        // The PEM reader knows no such section, but its form is that of a plain one.
        let text = String::from_utf8_lossy(pem).replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY");
        return decrypted(&first_key(text.as_bytes())?, passphrase);
    }
    if contains(pem, b"Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::new(
            "its encryption is of the old form; 'openssl pkcs8 -topk8' writes the one that is \
             supported",
        ));
    }
    first_key(pem)
}

fn first_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| TlsError::new(error.to_string()))
}

fn decrypted(
    key: &PrivateKeyDer<'_>,
    passphrase: &[u8],
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(key.secret_der())
        .map_err(|error| TlsError::new(format!("no key encrypted by PBES2: {error}")))?;
    let plain = encrypted
        .decrypt(passphrase)
        .map_err(|_| TlsError::new("the passphrase is wrong, or the encryption not supported"))?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

/// The authorities whose clients are trusted, with the facts of the one that ends first.
///
/// `files` are contents of PEM files; those marked as optional (files of a directory) may be
/// anything.
///
/// # Errors
/// If a file that is not optional holds no authority, or there are none or too many in all.
pub(super) fn authorities(
    files: &[(Vec<u8>, bool)],
) -> Result<(Arc<RootCertStore>, Option<CertificateFacts>), TlsError> {
    let failure = |what: &str| {
        TlsError(format!("Failed to configure CA certificate(s) file/directory: {what}"))
    };
    let (mut store, mut ends_first) = (RootCertStore::empty(), None);
    for (pem, is_optional) in files {
        let found = match certificates(pem) {
            Ok(found) if !found.is_empty() || *is_optional => found,
            Ok(_) => return Err(failure("no certificate in the file")),
            Err(_) if *is_optional => continue,
            Err(error) => return Err(failure(&error.to_string())),
        };
        for certificate in found {
            let facts = certificate::facts(&certificate);
            match store.add(certificate) {
                Err(error) if !*is_optional => return Err(failure(&error.to_string())),
                Err(_) => continue,
                Ok(()) => ends_first = earlier(ends_first, facts),
            }
            if store.len() > AUTHORITIES_MAX {
                return Err(failure("more than 10,000 certificates"));
            }
        }
    }
    if store.is_empty() {
        return Err(failure("no certificate found"));
    }
    Ok((Arc::new(store), ends_first))
}

fn earlier(
    one: Option<CertificateFacts>,
    other: Option<CertificateFacts>,
) -> Option<CertificateFacts> {
    one.into_iter().chain(other).min_by_key(|facts| facts.expires_unix_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    /// `openssl genpkey -algorithm ED25519 -aes256 -pass pass:1234`: made for this test, used
    /// nowhere else.
    const ENCRYPTED_KEY: &str = include_str!("testdata/encrypted-key.pem");
    /// The same key without encryption.
    const PLAIN_KEY: &str = include_str!("testdata/plain-key.pem");

    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap();
        (certificate.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn error_of(chain: &str, key: &str) -> String {
        certified_key(chain.as_bytes(), key.as_bytes(), None).unwrap_err().to_string()
    }

    #[test]
    fn a_chain_needs_its_own_key() {
        let (chain, key) = made();
        assert!(certified_key(chain.as_bytes(), key.as_bytes(), None).is_ok());
        let (_, other) = made();
        assert!(error_of(&chain, &other).starts_with("Failed to load private key: "));
        assert!(error_of(&chain, "").starts_with("Failed to load private key: "));
        assert!(error_of(&key, &key).starts_with("Failed to load certificate: "));
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        assert!(error_of(&chain, old).contains("pkcs8 -topk8"));
    }

    #[test]
    fn encrypted_keys_need_their_passphrase() {
        let pem = ENCRYPTED_KEY.as_bytes();
        let plain = private_key(PLAIN_KEY.as_bytes(), None).unwrap();
        let opened = private_key(pem, Some(b"1234")).unwrap();
        assert_eq!(opened.secret_der(), plain.secret_der());
        assert!(private_key(pem, Some(b"wrong")).is_err());
        assert!(private_key(pem, None).unwrap_err().to_string().contains("tls-key-file-pass"));
        // A passphrase without need is ignored, as ever.
        assert!(private_key(PLAIN_KEY.as_bytes(), Some(b"1234")).is_ok());
    }

    #[test]
    fn a_directory_may_hold_other_files() {
        let (chain, key) = made();
        let (good, junk) = (chain.into_bytes(), b"hello".to_vec());
        let (store, facts) = authorities(&[(junk.clone(), true), (good.clone(), true)]).unwrap();
        assert!(store.len() == 1 && facts.is_some());
        assert!(authorities(&[(junk.clone(), true)]).is_err());
        assert!(authorities(&[(good, false), (junk, false)]).is_err());
        assert!(authorities(&[(key.into_bytes(), false)]).is_err());
    }
}
