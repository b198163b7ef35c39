//! Names of protocols and ciphers, as the configuration writes them and OpenSSL spells them.
//!
//! `tls-ciphers` is a cipher string of OpenSSL (`ciphers(1)`): words that add ciphers, in order of
//! preference, or take some away. A word is the name of a cipher or of a family, or several of
//! these joined by `+`. As with OpenSSL a word that means nothing here is passed over, and it is an
//! error only if no cipher is left. There are six ciphers for TLS 1.2, all of them ECDHE with an
//! AEAD; ciphers in CBC mode, with RSA key exchange or without encryption do not exist here.

use rustls::crypto::ring::cipher_suite as ring;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::TlsError;

/// A cipher of TLS 1.2, and the names it answers to besides those of all.
struct Cipher {
    suite: SupportedCipherSuite,
    names: &'static [&'static str],
}

/// What every cipher here is called.
const FAMILY: &[&str] =
    &["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2", "AEAD"];

const CIPHERS: &[Cipher] = &[
    Cipher {
        suite: ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        names: &[
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "AESGCM",
            "AES",
            "AES256",
            "ECDSA",
            "aECDSA",
        ],
    },
    Cipher {
        suite: ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        names: &[
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "AESGCM",
            "AES",
            "AES256",
            "aRSA",
        ],
    },
    Cipher {
        suite: ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        names: &[
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "CHACHA20",
            "ECDSA",
            "aECDSA",
        ],
    },
    Cipher {
        suite: ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        names: &[
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "CHACHA20",
            "aRSA",
        ],
    },
    Cipher {
        suite: ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        names: &[
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "AESGCM",
            "AES",
            "AES128",
            "ECDSA",
            "aECDSA",
        ],
    },
    Cipher {
        suite: ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        names: &[
            "ECDHE-RSA-AES128-GCM-SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "AESGCM",
            "AES",
            "AES128",
            "aRSA",
        ],
    },
];

impl Cipher {
    /// Whether a word without its sign means it.
    fn answers_to(&self, word: &str) -> bool {
        word.split('+').all(|name| self.names.contains(&name) || FAMILY.contains(&name))
    }
}

/// The ciphers of TLS 1.2 that a cipher string selects, best first; all for an empty one.
///
/// # Errors
/// If it selects none.
pub(super) fn ciphers(text: &str) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let mut selected: Vec<usize> = Vec::new();
    let mut banned: Vec<usize> = Vec::new();
    let text = if text.is_empty() { "DEFAULT" } else { text };
    for word in text.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let (sign, name) = match word.strip_prefix(['!', '-', '+']) {
            Some(name) => (&word[..1], name),
            None => ("", word),
        };
        let meant = (0..CIPHERS.len()).filter(|&index| CIPHERS[index].answers_to(name));
        let meant: Vec<usize> = meant.collect();
        match sign {
            "" => {
                let new = meant.iter().filter(|it| !selected.contains(it) && !banned.contains(it));
                let new: Vec<usize> = new.copied().collect();
                selected.extend(new);
            }
            "+" => {
                let moved = selected.iter().filter(|it| meant.contains(it));
                let moved: Vec<usize> = moved.copied().collect();
                selected.retain(|it| !meant.contains(it));
                selected.extend(moved);
            }
            removes => {
                selected.retain(|it| !meant.contains(it));
                if removes == "!" {
                    banned.extend(meant);
                }
            }
        }
    }
    if selected.is_empty() {
        return Err(TlsError::new(format!(
            "Failed to configure ciphers: none is left of '{text}'"
        )));
    }
    Ok(selected.into_iter().map(|index| CIPHERS[index].suite).collect())
}

/// The ciphers of TLS 1.3 in `tls-ciphersuites`, best first; all for an empty text.
///
/// # Errors
/// If a name is none of TLS 1.3, or none of those here is among them.
pub(super) fn cipher_suites(text: &str) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    const SUITES: &[(&str, SupportedCipherSuite)] = &[
        ("TLS_AES_256_GCM_SHA384", ring::TLS13_AES_256_GCM_SHA384),
        ("TLS_CHACHA20_POLY1305_SHA256", ring::TLS13_CHACHA20_POLY1305_SHA256),
        ("TLS_AES_128_GCM_SHA256", ring::TLS13_AES_128_GCM_SHA256),
    ];
    // In the standard, but meant for small devices; not built into ring.
    const UNSUPPORTED: &[&str] = &["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"];
    if text.is_empty() {
        return Ok(SUITES.iter().map(|(_, suite)| *suite).collect());
    }
    let failure = |what: String| TlsError(format!("Failed to configure ciphersuites: {what}"));
    let mut selected: Vec<SupportedCipherSuite> = Vec::new();
    for name in text.split(':').filter(|name| !name.is_empty()) {
        match SUITES.iter().find(|(known, _)| *known == name) {
            Some((_, suite)) if !selected.contains(suite) => selected.push(*suite),
            Some(_) => {}
            None if UNSUPPORTED.contains(&name) => {}
            None => return Err(failure(format!("'{name}' is no cipher of TLS 1.3"))),
        }
    }
    if selected.is_empty() {
        return Err(failure(format!("none is left of '{text}'")));
    }
    Ok(selected)
}

/// The versions `tls-protocols` allows; all for an empty text. Versions before 1.2 are not built,
/// so naming them beside others does nothing.
///
/// # Errors
/// If a word is no version, or only old ones are named.
pub(super) fn protocols(text: &str) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let mut versions = Vec::new();
    let mut words = text.split_ascii_whitespace().peekable();
    if words.peek().is_none() {
        return Ok(vec![&TLS13, &TLS12]);
    }
    for word in words {
        match &word.to_ascii_lowercase()[..] {
            "tlsv1.3" => versions.push(&TLS13),
            "tlsv1.2" => versions.push(&TLS12),
            "tlsv1" | "tlsv1.1" => {}
            _ => {
                return Err(TlsError::new(
                    "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', \
                     'TLSv1.2' and 'TLSv1.3'.",
                ));
            }
        }
    }
    if versions.is_empty() {
        return Err(TlsError::new("TLS before version 1.2 is not built into Basalt"));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let suites = ciphers(text).unwrap();
        let known = suites.iter().map(|suite| CIPHERS.iter().find(|it| it.suite == *suite));
        known.map(|cipher| cipher.unwrap().names[0]).collect()
    }

    #[test]
    fn cipher_strings() {
        assert_eq!(names("").len(), 6);
        assert_eq!(names("DEFAULT").len(), 6);
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA256:ECDHE-RSA-AES256-GCM-SHA384"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(names("ECDHE+AESGCM+aRSA:!AES256"), ["ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(
            names("CHACHA20+aRSA:AES128+aRSA:+CHACHA20"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]
        );
        assert_eq!(names("!ECDSA:DEFAULT:-CHACHA20:@STRENGTH").len(), 2);
        for nothing in ["AES128-SHA256", "!ALL", "DEFAULT:-ALL", ":"] {
            let said = ciphers(nothing).unwrap_err().to_string();
            assert!(said.starts_with("Failed to configure ciphers"), "{said}");
        }
    }

    #[test]
    fn names_of_suites_are_those_of_the_suites() {
        for cipher in CIPHERS {
            let name = format!("{:?}", cipher.suite.suite());
            assert_eq!(cipher.names[1], name);
        }
    }

    #[test]
    fn cipher_suites_and_protocols() {
        let suites =
            cipher_suites("TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256");
        assert_eq!(suites.unwrap(), [ring::TLS13_AES_128_GCM_SHA256]);
        assert_eq!(cipher_suites("").unwrap().len(), 3);
        assert!(cipher_suites("TLS_AES_128_CCM_SHA256").is_err());
        assert!(cipher_suites("AES128").is_err());
        assert_eq!(protocols("").unwrap(), [&TLS13, &TLS12]);
        assert_eq!(protocols("tlsv1 TLSv1.2").unwrap(), [&TLS12]);
        assert!(protocols("TLSv1.1").is_err() && protocols("SSLv3").is_err());
    }
}
