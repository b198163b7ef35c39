//! placeholder while epoll is tested
use super::batch::*;
use super::event::*;
use super::options::*;
use super::output::*;
use std::io;
use std::ops::Range;
use std::os::fd::*;
use std::time::Duration;
pub(super) struct Uring {
    pub(super) batch: Batch,
}
#[allow(unused)]
impl Uring {
    pub(super) fn new(_: &ReactorOptions) -> io::Result<Uring> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(super) fn add_wake_source(&mut self, s: OwnedFd) -> io::Result<WakeSource> {
        unreachable!()
    }
    pub(super) fn add_listener(&mut self, s: OwnedFd) -> io::Result<ListenerId> {
        unreachable!()
    }
    pub(super) fn resume_accept(&mut self, s: ListenerId) -> io::Result<()> {
        unreachable!()
    }
    pub(super) fn remove_listener(&mut self, s: ListenerId) {
        unreachable!()
    }
    pub(super) fn add_connection(&mut self, s: OwnedFd) -> io::Result<ConnectionId> {
        unreachable!()
    }
    pub(super) fn connection_count(&self) -> usize {
        unreachable!()
    }
    pub(super) fn socket(&self, s: ConnectionId) -> Option<BorrowedFd<'_>> {
        unreachable!()
    }
    pub(super) fn poll(&mut self, s: Option<Duration>) -> io::Result<()> {
        unreachable!()
    }
    pub(super) fn has_work_hint(&self) -> bool {
        unreachable!()
    }
    pub(super) fn bytes(&self, b: BufferRef) -> &[u8] {
        unreachable!()
    }
    pub(super) fn release(&mut self) {
        unreachable!()
    }
    pub(super) fn send(&mut self, c: ConnectionId, b: &mut Vec<u8>) {
        unreachable!()
    }
    pub(super) fn send_shared(&mut self, c: ConnectionId, b: SharedBytes, r: Range<usize>) {
        unreachable!()
    }
    pub(super) fn queued_bytes(&self, c: ConnectionId) -> usize {
        unreachable!()
    }
    pub(super) fn set_suspended(&mut self, c: ConnectionId, b: bool) {
        unreachable!()
    }
    pub(super) fn receive_into(&mut self, c: ConnectionId, b: Vec<u8>, n: usize) {
        unreachable!()
    }
    pub(super) fn take_filled(&mut self, c: ConnectionId) -> Option<Vec<u8>> {
        unreachable!()
    }
    pub(super) fn close(&mut self, c: ConnectionId) {
        unreachable!()
    }
    pub(super) fn close_after_flush(&mut self, c: ConnectionId) {
        unreachable!()
    }
}
