//! Reactor, RESP parser, inboxes and listeners of Basalt: everything between a socket and a core.
//!
//! ```text
//!            kernel                         one core thread
//!   socket <--------> reactor  --bytes-->  (TLS)  --bytes-->  resp  --arguments-->  commands
//!                        ^                                                             |
//!                        +---------------------------- reply bytes --------------------+
//!                        ^
//!                     doorbell  <-- inbox <-- other cores
//! ```
//!
//! * [`reactor`] moves bytes. It knows sockets and buffers and nothing of what the bytes mean.
//!   Two drivers, io_uring and epoll, stand behind one type.
//! * [`resp`] finds the arguments of requests in bytes, each byte looked at once.
//! * [`inbox`] is the queue other cores put messages in; [`doorbell`] wakes a core that sleeps.
//! * [`listen`] opens listening sockets the way Redis' `bind` and `unixsocket` describe them.
//!
//! **Where TLS goes.** Between reactor and parser, as a transformation of byte strings: received
//! bytes of a TLS connection are fed to its session, the plain text that comes out goes to the
//! parser; reply bytes are sealed into the vector that is then handed to
//! [`Reactor::send`](reactor::Reactor::send). Neither the reactor nor the parser changes. The two
//! shortcuts for big values, [`Reactor::receive_into`](reactor::Reactor::receive_into) and
//! [`Reactor::send_shared`](reactor::Reactor::send_shared), carry plain bytes past that place, so
//! a TLS connection does not use them.
//!
//! Deliberately absent: futures, threads of our own, timers, logging. `unsafe` is confined to the
//! system calls and the ring of the reactor and to the slots of the inbox.

pub mod doorbell;
pub mod inbox;
pub mod listen;
pub mod reactor;
pub mod resp;
pub mod sys;
pub mod tls;
