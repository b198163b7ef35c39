//! Rows about who may do what.

use crate::config::table::{
    Directive, LONG_MAX, boolean, choice, integer, lines, optional_text, text,
};

const ALLOWED: &[&str] = &["no", "yes", "local"];

const ACL: &str = "ACL users are not built into Basalt yet";
/// How CONFIG REWRITE of other servers writes down that there are no users but the usual one.
const USUAL_USERS: &[&str] =
    &["default on nopass sanitize-payload ~* &* +@all", "default on nopass ~* &* +@all"];

pub(super) const ROWS: &[Directive] = &[
    optional_text("requirepass").sensitive().built(),
    lines("user", 1, usize::MAX).refused_unless(USUAL_USERS, ACL),
    text("aclfile", "").immutable().refused(ACL),
    integer("acllog-max-len", 0, LONG_MAX, "128").accepted(),
    choice("acl-pubsub-default", &["allchannels", "resetchannels"], "resetchannels").accepted(),
    choice("enable-protected-configs", ALLOWED, "no").immutable().built(),
    choice("enable-debug-command", ALLOWED, "no").immutable().built(),
    choice("enable-module-command", ALLOWED, "no").immutable().built(),
    boolean("enable-debug-assert", "no").immutable().hidden().accepted(),
];
