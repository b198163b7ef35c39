//! Rows about encrypted connections.
//!
//! Files and ciphers promise nothing while no port uses them, so they are taken; the directives
//! that would switch encryption on are refused.

use crate::config::table::{Directive, INT_MAX, boolean, choice, integer, optional_text};

const TLS: &str = "TLS is not built into Basalt yet";

pub(super) const ROWS: &[Directive] = &[
    integer("tls-port", 0, 65535, "0").refused(TLS),
    boolean("tls-replication", "no").refused(TLS),
    boolean("tls-cluster", "no").refused(TLS),
    optional_text("tls-cert-file").accepted(),
    optional_text("tls-key-file").accepted(),
    optional_text("tls-key-file-pass").sensitive().accepted(),
    optional_text("tls-client-cert-file").accepted(),
    optional_text("tls-client-key-file").accepted(),
    optional_text("tls-client-key-file-pass").sensitive().accepted(),
    optional_text("tls-dh-params-file").accepted(),
    optional_text("tls-ca-cert-file").accepted(),
    optional_text("tls-ca-cert-dir").accepted(),
    choice("tls-auth-clients", &["no", "yes", "optional"], "yes").accepted(),
    choice("tls-auth-clients-user", &["off", "CN", "URI"], "off").accepted(),
    optional_text("tls-protocols").accepted(),
    optional_text("tls-ciphers").accepted(),
    optional_text("tls-ciphersuites").accepted(),
    boolean("tls-prefer-server-ciphers", "no").accepted(),
    boolean("tls-session-caching", "yes").accepted(),
    integer("tls-session-cache-size", 0, INT_MAX, "20480").accepted(),
    integer("tls-session-cache-timeout", 0, INT_MAX, "300").accepted(),
    integer("tls-auto-reload-interval", 0, INT_MAX, "0").accepted(),
];
