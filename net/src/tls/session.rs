//! One TLS connection, from its first byte to its last: [`TlsSession`].
//!
//! ```text
//!   received  -> incoming  (a record that is not complete; in the handshake, what waits for its turn)
//!             -> opened in place -> plain bytes, appended to a vector of the caller's
//!   replies   -> queue     (plain, long values by reference)
//!             -> sealed, as much as the caller asks for -> appended to a vector of the caller's
//! ```
//!
//! Until the handshake is over received bytes are only kept ([`TlsSession::hold`]), and the caller
//! says when to go on ([`TlsSession::advance`]): a step of a handshake may take a millisecond of
//! arithmetic, so it should not come as a surprise. After that bytes are opened where they lie
//! ([`TlsSession::receive`]); only a record that comes in several pieces is copied together.

use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};

use super::queue::{PlainQueue, RECORD_BYTES_MAX};
use super::server::TlsServer;
use super::{TlsError, certificate};

/// Received bytes that are kept at most: the largest handshake message rustls takes is half as long
/// (a chain of certificates of 64 KiB), and a record a quarter.
const INCOMING_BYTES_MAX: usize = 128 * 1024;

/// What is in front of the payload of a record: type, version and length.
const HEADER_BYTES: usize = 5;

/// What a record takes besides its plain bytes, at most: header, explicit nonce, type and tag.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// Memory kept for records that come in pieces, while none does.
const KEPT_BYTES_MAX: usize = 1024;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Established,
    /// The peer has said that it will send no more.
    PeerClosed,
    /// It cannot go on.
    Failed,
}

/// See the module's documentation.
pub struct TlsSession {
    connection: UnbufferedServerConnection,
    phase: Phase,
    incoming: Vec<u8>,
    /// So many bytes of it rustls has seen and needs again: records that hold the beginning of a
    /// message. Behind them is less than one record, once the handshake is over.
    seen_bytes: usize,
    queue: PlainQueue,
    gathered: Vec<u8>,
}

impl TlsSession {
    /// A connection that has received nothing yet.
    ///
    /// # Errors
    /// Only if the configuration does not fit together.
    pub fn new(server: &TlsServer) -> Result<TlsSession, TlsError> {
        Ok(TlsSession {
            connection: UnbufferedServerConnection::new(Arc::clone(&server.config))?,
            phase: Phase::Handshake,
            incoming: Vec::new(),
            seen_bytes: 0,
            queue: PlainQueue::default(),
            gathered: Vec::new(),
        })
    }

    /// Whether the handshake is under way.
    #[inline]
    pub fn is_handshaking(&self) -> bool {
        self.phase == Phase::Handshake
    }

    /// Whether the peer has said that it will send no more.
    #[inline]
    pub fn is_closed_by_peer(&self) -> bool {
        self.phase == Phase::PeerClosed
    }

    /// The common name in the certificate of the peer, once the handshake is over; `None` if it has
    /// none. A certificate that is there was verified.
    pub fn peer_common_name(&self) -> Option<String> {
        certificate::common_name(self.connection.peer_certificates()?.first()?)
    }

    /// Bytes of replies that are not sealed yet.
    #[inline]
    pub fn queued_bytes(&self) -> usize {
        self.queue.len()
    }

    /// Replies, to be sealed.
    #[inline]
    pub fn queue_mut(&mut self) -> &mut PlainQueue {
        &mut self.queue
    }

    /// Keeps bytes received during the handshake.
    ///
    /// # Errors
    /// If they are more than any handshake needs.
    pub fn hold(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        if self.incoming.len() + bytes.len() > INCOMING_BYTES_MAX {
            self.phase = Phase::Failed;
            return Err(TlsError::new("the handshake is too long"));
        }
        self.incoming.extend_from_slice(bytes);
        Ok(())
    }

    /// Goes on with the handshake. What is to be sent is appended to `sealed`; bytes that came
    /// behind the end of the handshake are opened into `plain`. Takes up to some milliseconds.
    ///
    /// # Errors
    /// If the peer does not keep to the protocol, or its certificate is no good. Then `sealed` says
    /// so to the peer.
    pub fn advance(&mut self, plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Result<(), TlsError> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let whole = self.seen_bytes + whole_records(&incoming[self.seen_bytes..]);
        let used = self.open(&mut incoming, plain, sealed)?;
        incoming.drain(..used);
        self.seen_bytes = whole.saturating_sub(used);
        if !incoming.is_empty() || incoming.capacity() <= KEPT_BYTES_MAX {
            self.incoming = incoming;
        }
        Ok(())
    }

    /// Opens received bytes in place, once the handshake is over: appends plain bytes to `plain`,
    /// and to `sealed` what the protocol itself has to say. What comes behind the peer's word that
    /// it will send no more is dropped.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn receive(
        &mut self,
        mut bytes: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        while !self.incoming.is_empty() && !bytes.is_empty() {
            let missing = missing_bytes(&self.incoming[self.seen_bytes..]);
            let (head, rest) = bytes.split_at_mut(missing.min(bytes.len()));
            self.hold(head)?;
            bytes = rest;
            if whole_records(&self.incoming[self.seen_bytes..]) > 0 {
                self.advance(plain, sealed)?;
            }
        }
        if !bytes.is_empty() {
            let whole = whole_records(bytes);
            let used = self.open(bytes, plain, sealed)?;
            self.seen_bytes = whole.saturating_sub(used);
            self.hold(&bytes[used..])?;
        }
        Ok(())
    }

    /// Seals up to `bytes_max` bytes of what is queued, whole records at a time.
    ///
    /// # Errors
    /// If the connection cannot go on.
    pub fn seal(&mut self, bytes_max: usize, sealed: &mut Vec<u8>) -> Result<(), TlsError> {
        let (mut queue, mut gathered) =
            (std::mem::take(&mut self.queue), std::mem::take(&mut self.gathered));
        let mut left = bytes_max;
        let mut result = Ok(());
        while left > 0 && !queue.is_empty() && result.is_ok() {
            let record = queue.next_record(&mut gathered);
            let len = record.len();
            result = self.seal_record(record, sealed);
            queue.advance(len);
            left = left.saturating_sub(len);
        }
        if !queue.is_empty() {
            self.gathered = gathered;
        }
        self.queue = queue;
        result
    }

    /// Seals bytes at once, without queueing them, where none are queued: the way of short replies.
    ///
    /// # Errors
    /// If the connection cannot go on.
    ///
    /// # Panics
    /// If others wait, whose turn it would be.
    pub fn seal_now(&mut self, bytes: &[u8], sealed: &mut Vec<u8>) -> Result<(), TlsError> {
        assert!(self.queue.is_empty(), "overtaking what is queued");
        bytes.chunks(RECORD_BYTES_MAX).try_for_each(|record| self.seal_record(record, sealed))
    }

    fn seal_record(&mut self, record: &[u8], sealed: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(sealed, record.len() + RECORD_OVERHEAD_BYTES, |traffic, out| {
            traffic.encrypt(record, out)
        })
    }

    /// Says to the peer that nothing more will come.
    pub fn close(&mut self, sealed: &mut Vec<u8>) {
        if matches!(self.phase, Phase::Established | Phase::PeerClosed) {
            let close = |traffic: &mut Traffic<'_>, out: &mut [u8]| traffic.queue_close_notify(out);
            // A connection that is beyond that ends without it.
            let _ = self.write(sealed, RECORD_OVERHEAD_BYTES, close);
        }
    }

    /// Opens all complete records of `bytes`; how many of them are done with.
    fn open(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<usize, TlsError> {
        let mut used = 0;
        loop {
            if self.phase == Phase::PeerClosed {
                return Ok(bytes.len());
            }
            let status = self.connection.process_tls_records(&mut bytes[used..]);
            let UnbufferedStatus { discard, state } = status;
            used += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        used += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, sealed)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(_)) => {
                    if self.phase == Phase::Handshake {
                        self.phase = Phase::Established;
                    }
                    return Ok(used);
                }
                Ok(ConnectionState::BlockedHandshake) => return Ok(used),
                Ok(ConnectionState::PeerClosed) => self.phase = Phase::PeerClosed,
                Ok(ConnectionState::Closed) => return Ok(bytes.len()),
                Ok(state) => {
                    self.phase = Phase::Failed;
                    return Err(TlsError::new(format!("unexpected state {state:?}")));
                }
                Err(error) => {
                    self.phase = Phase::Failed;
                    self.tell_failure(&mut bytes[used..], sealed);
                    return Err(error.into());
                }
            }
        }
    }

    /// Appends the alert that says what went wrong. Asks once only: rustls would look at input
    /// again if it had nothing more to say.
    fn tell_failure(&mut self, rest: &mut [u8], sealed: &mut Vec<u8>) {
        let status = self.connection.process_tls_records(rest);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
            // A peer that broke the protocol may as well do without being told.
            let _ = encode(&mut data, sealed);
        }
    }

    /// Appends what `act` writes, which takes `bytes_max` bytes at most unless it says otherwise,
    /// and in front of it what the protocol has to say first.
    ///
    /// rustls keeps places in the input it has seen and not used up, so it is shown that again.
    fn write(
        &mut self,
        sealed: &mut Vec<u8>,
        bytes_max: usize,
        mut act: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), TlsError> {
        loop {
            let status = self.connection.process_tls_records(&mut self.incoming);
            if status.discard > 0 {
                // All of it was looked at when it came, so there can be no more to do with it.
                return Err(TlsError::new("input that was used up came back"));
            }
            match status.state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return append(sealed, bytes_max, |out| act(&mut traffic, out));
                }
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, sealed)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.phase = Phase::PeerClosed,
                state => return Err(TlsError::new(format!("nothing can be sent in {state:?}"))),
            }
        }
    }
}

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

fn append(
    sealed: &mut Vec<u8>,
    bytes_max: usize,
    mut act: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), TlsError> {
    let start = sealed.len();
    let mut room = bytes_max;
    loop {
        sealed.resize(start + room, 0);
        match act(&mut sealed[start..]) {
            Ok(written) => {
                sealed.truncate(start + written);
                return Ok(());
            }
            // A change of keys goes in front of it.
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
            }
            Err(error) => {
                sealed.truncate(start);
                return Err(TlsError::new(error.to_string()));
            }
        }
    }
}

fn encode(
    data: &mut rustls::unbuffered::EncodeTlsData<'_, ServerConnectionData>,
    sealed: &mut Vec<u8>,
) -> Result<(), TlsError> {
    // Only the message itself knows how long it is, and says so when it does not fit.
    let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) else { return Ok(()) };
    let start = sealed.len();
    sealed.resize(start + needed.required_size, 0);
    let written =
        data.encode(&mut sealed[start..]).map_err(|error| TlsError::new(error.to_string()))?;
    sealed.truncate(start + written);
    Ok(())
}

/// The length of the complete records at the front of `bytes`.
fn whole_records(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((header, payload)) = rest.split_at_checked(HEADER_BYTES)
        && let Some(behind) = payload.get(payload_bytes(header)..)
    {
        rest = behind;
    }
    bytes.len() - rest.len()
}

/// How many bytes the record lacks that `bytes` are the beginning of, as far as can be told: those
/// of its header, if that is not there yet.
fn missing_bytes(bytes: &[u8]) -> usize {
    match bytes.split_at_checked(HEADER_BYTES) {
        Some((header, payload)) => payload_bytes(header).saturating_sub(payload.len()),
        None => HEADER_BYTES - bytes.len(),
    }
}

fn payload_bytes(header: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([header[3], header[4]]))
}
