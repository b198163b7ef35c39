//! Users and selectors written as the rules that would make them again: ACL LIST, ACL GETUSER,
//! ACL files. The order and the words are Redis'.

use super::selector::{KeyAccess, KeyPattern, Selector};
use super::user::User;
use super::{Acl, ChannelRights, KeyRights};

impl Acl {
    /// A line per user, in the order of names: `user alice on ...`.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = Vec<u8>> {
        self.users().map(|user| [b"user ", &*user.name, b" ", &user.rules()].concat())
    }
}

impl User {
    /// The words for its state, in the order of ACL LIST.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_enabled { "on" } else { "off" }];
        if self.needs_no_password {
            flags.push("nopass");
        }
        flags.push(match self.skips_sanitizing {
            true => "skip-sanitize-payload",
            false => "sanitize-payload",
        });
        flags
    }

    /// All its rules, as ACL SETUSER takes them.
    pub fn rules(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for flag in self.flags() {
            text.extend_from_slice(flag.as_bytes());
            text.push(b' ');
        }
        for hash in self.password_hashes() {
            text.extend_from_slice(format!("#{hash} ").as_bytes());
        }
        for (index, selector) in self.selectors().iter().enumerate() {
            match index {
                0 => selector.write(&mut text),
                _ => {
                    text.extend_from_slice(b" (");
                    selector.write(&mut text);
                    text.push(b')');
                }
            }
        }
        text
    }
}

impl Selector {
    fn write(&self, text: &mut Vec<u8>) {
        let keys = self.keys.text();
        text.extend_from_slice(&keys);
        if !keys.is_empty() {
            text.push(b' ');
        }
        let channels = self.channels.text();
        if !self.channels.is_all {
            text.extend_from_slice(b"resetchannels ");
        }
        text.extend_from_slice(&channels);
        if !channels.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&self.command_rules());
    }

    /// The rules about commands.
    pub fn command_rules(&self) -> Vec<u8> {
        let all: &[u8] = if self.has_future_commands { b"+@all" } else { b"-@all" };
        let mut text = all.to_vec();
        for rule in &self.rules {
            text.extend_from_slice(if rule.is_allowed { b" +" } else { b" -" });
            text.extend_from_slice(&rule.text);
        }
        text
    }
}

impl KeyRights {
    /// The patterns as rules, with spaces between them.
    pub fn text(&self) -> Vec<u8> {
        match self.is_all {
            true => b"~*".to_vec(),
            false => join(self.patterns.iter().map(KeyPattern::rule)),
        }
    }
}

impl KeyPattern {
    fn rule(&self) -> Vec<u8> {
        let sign: &[u8] = match self.access {
            KeyAccess { reads: true, writes: false } => b"%R~",
            KeyAccess { reads: false, writes: true } => b"%W~",
            _ => b"~",
        };
        [sign, &self.pattern].concat()
    }
}

impl ChannelRights {
    /// The patterns as rules, with spaces between them.
    pub fn text(&self) -> Vec<u8> {
        match self.is_all {
            true => b"&*".to_vec(),
            false => join(self.patterns().map(|pattern| [b"&", pattern].concat())),
        }
    }
}

fn join(rules: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    rules.collect::<Vec<_>>().join(&b' ')
}
