//! A user: who it is, how it proves that, and what it may do.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::rules::RuleError;
use super::selector::Selector;

/// Names a user in messages between cores; stays the same when its rules change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub(super) u32);

/// A password as it is kept: its SHA-256.
pub(super) type PasswordHash = [u8; 32];

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its id.
    pub id: UserId,
    /// Whether it may log in. Who is logged in already stays so.
    pub is_enabled: bool,
    /// Whether any password will do.
    pub needs_no_password: bool,
    /// Whether payloads it restores are trusted. Kept and shown; every payload is checked.
    pub skips_sanitizing: bool,
    pub(super) passwords: Vec<PasswordHash>,
    /// The root selector first.
    pub(super) selectors: Vec<Selector>,
}

impl User {
    /// A user that may not log in and do nothing, but perhaps use any channel.
    pub(super) fn new(name: &[u8], id: UserId, all_channels: bool) -> Self {
        Self {
            name: name.into(),
            id,
            is_enabled: false,
            needs_no_password: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            selectors: vec![Selector::new(all_channels)],
        }
    }

    /// A user that may do everything and needs no password.
    pub(super) fn omnipotent(name: &[u8], id: UserId) -> Self {
        let selectors = vec![Selector::everything()];
        let user = Self::new(name, id, true);
        Self { is_enabled: true, needs_no_password: true, selectors, ..user }
    }

    /// Whether nothing this user does has to be checked.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::allows_everything)
    }

    /// The sets of rights, the root selector first.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The passwords, as SHA-256 in hexadecimal.
    pub fn password_hashes(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(hexadecimal)
    }

    /// Whether it can log in with a password. Takes the same time wherever passwords differ.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if self.needs_no_password {
            return true;
        }
        let given = hash(password);
        let mut found = subtle::Choice::from(0);
        for known in &self.passwords {
            found |= known.ct_eq(&given);
        }
        found.into()
    }

    /// Leaves it one password, or none at all and no need of one.
    pub(super) fn set_only_password(&mut self, password: &[u8]) {
        self.passwords.clear();
        self.needs_no_password = password.is_empty();
        if !password.is_empty() {
            self.passwords.push(hash(password));
        }
    }

    pub(super) fn add_password(&mut self, password: PasswordHash) {
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
        self.needs_no_password = false;
    }

    pub(super) fn remove_password(&mut self, password: PasswordHash) -> Result<(), RuleError> {
        let index = self.passwords.iter().position(|known| *known == password);
        self.passwords.remove(index.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }
}

/// SHA-256 of a password.
pub(super) fn hash(password: &[u8]) -> PasswordHash {
    Sha256::digest(password).into()
}

/// Reads a hash written as 64 lower-case hexadecimal digits.
pub(super) fn parse_hash(text: &[u8]) -> Result<PasswordHash, RuleError> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(RuleError::BadHash),
    };
    let mut hash = PasswordHash::default();
    if text.len() != 2 * hash.len() {
        return Err(RuleError::BadHash);
    }
    for (byte, digits) in hash.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Ok(hash)
}

fn hexadecimal(hash: &PasswordHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
