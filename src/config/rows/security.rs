//! Rows about who may do what.

use crate::config::checks;
use crate::config::table::{
    Directive, LONG_MAX, boolean, checked_text, choice, integer, lines, optional_text, text,
};

const ALLOWED: &[&str] = &["no", "yes", "local"];

pub(super) const ROWS: &[Directive] = &[
    optional_text("requirepass").sensitive().built(),
    lines("user", 1, usize::MAX).built(),
    text("aclfile", "").immutable().built(),
    checked_text("user-rate-limit", checks::user_rate_limit, "").built(),
    integer("acllog-max-len", 0, LONG_MAX, "128").built(),
    choice("acl-pubsub-default", &["allchannels", "resetchannels"], "resetchannels").built(),
    choice("enable-protected-configs", ALLOWED, "no").immutable().built(),
    choice("enable-debug-command", ALLOWED, "no").immutable().built(),
    choice("enable-module-command", ALLOWED, "no").immutable().built(),
    boolean("enable-debug-assert", "no").immutable().hidden().accepted(),
];
