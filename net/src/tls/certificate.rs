//! What a certificate says that the server wants to know: its name, its number, its end.
//!
//! Certificates of peers are looked at only after they were verified, but nothing here depends on
//! that: whatever cannot be read is `None`.

use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The number and the end of a certificate, as `INFO tls` shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Serial number, upper case hexadecimal digits.
    pub serial: String,
    /// Last moment of validity, seconds since 1970.
    pub expires_unix_seconds: i64,
}

/// Reads number and end of a certificate in DER.
pub fn facts(der: &[u8]) -> Option<CertificateFacts> {
    let certificate = Certificate::from_der(der).ok()?;
    let fields = certificate.tbs_certificate();
    let digits = fields.serial_number().as_bytes().iter().map(|byte| format!("{byte:02X}"));
    let end = fields.validity().not_after.to_unix_duration().as_secs();
    Some(CertificateFacts {
        serial: digits.collect(),
        expires_unix_seconds: i64::try_from(end).ok()?,
    })
}

/// The common name of the subject of a certificate in DER; the first, where there are several.
pub fn common_name(der: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(der).ok()?;
    let name = certificate.tbs_certificate().subject().common_name().ok()??;
    let name = name.value();
    // A zero byte would end the name for some readers and not for others.
    (!name.is_empty() && !name.contains('\0')).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Basalt");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.serial_number = Some(rcgen::SerialNumber::from(0x0a1b_u64));
        parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_numbers_and_ends() {
        let der = certificate("alice");
        assert_eq!(common_name(&der).as_deref(), Some("alice"));
        let facts = facts(&der).unwrap();
        assert_eq!((&facts.serial[..], facts.expires_unix_seconds), ("0A1B", 2_208_988_800));
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        let der = certificate("alice");
        assert_eq!(facts(b""), None);
        for len in 0..der.len() {
            assert_eq!(common_name(&der[..len]), None);
        }
        assert_eq!(common_name(&certificate("")), None);
    }
}
