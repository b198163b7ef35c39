//! Reactor, RESP parser and listeners of Basalt.
