//! Rows about encrypted connections.
//!
//! What concerns links to other servers is taken, and switching those links to TLS refused.

use crate::config::table::{Directive, INT_MAX, boolean, choice, integer, optional_text};

const LINKS: &str = "links to other servers are not built into Basalt yet";

pub(super) const ROWS: &[Directive] = &[
    integer("tls-port", 0, 65535, "0").built(),
    boolean("tls-replication", "no").refused(LINKS),
    boolean("tls-cluster", "no").refused(LINKS),
    optional_text("tls-cert-file").built(),
    optional_text("tls-key-file").built(),
    optional_text("tls-key-file-pass").sensitive().built(),
    optional_text("tls-client-cert-file").accepted(),
    optional_text("tls-client-key-file").accepted(),
    optional_text("tls-client-key-file-pass").sensitive().accepted(),
    // Parameters of a key exchange that only ciphers use which are not built.
    optional_text("tls-dh-params-file").accepted(),
    optional_text("tls-ca-cert-file").built(),
    optional_text("tls-ca-cert-dir").built(),
    choice("tls-auth-clients", &["no", "yes", "optional"], "yes").built(),
    choice("tls-auth-clients-user", &["off", "CN"], "off").built(),
    optional_text("tls-protocols").built(),
    optional_text("tls-ciphers").built(),
    optional_text("tls-ciphersuites").built(),
    boolean("tls-prefer-server-ciphers", "no").built(),
    boolean("tls-session-caching", "yes").built(),
    integer("tls-session-cache-size", 0, INT_MAX, "20480").built(),
    integer("tls-session-cache-timeout", 0, INT_MAX, "300").built(),
    integer("tls-auto-reload-interval", 0, INT_MAX, "0").built(),
];
