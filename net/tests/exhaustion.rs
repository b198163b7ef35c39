//! What happens when descriptors run out. A process of its own: it takes all there are.

use basalt_net::reactor::{BackendChoice, Event, Reactor, ReactorOptions};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Opens files until no more can be opened.
fn take_all_descriptors() -> Vec<File> {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return files;
            }
        }
    }
}

fn check(backend: BackendChoice) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = ReactorOptions { backend, ..ReactorOptions::default() };
    let mut reactor = Reactor::new(&options).unwrap();
    let listener = reactor.add_listener(OwnedFd::from(listener)).unwrap();
    reactor.poll(Some(Duration::ZERO)).unwrap();

    let mut files = take_all_descriptors();
    // One for the client; none is left to accept it with.
    files.pop();
    let _client = TcpStream::connect(address).unwrap();
    reactor.poll(Some(PATIENCE)).unwrap();
    assert_eq!(reactor.events(), [Event::AcceptFailed { listener, errno: libc::EMFILE }]);
    // The listener rests: an unaccepted client must not make polls return for nothing.
    reactor.poll(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(reactor.events(), []);

    drop(files);
    reactor.resume_accept(listener).unwrap();
    reactor.poll(Some(PATIENCE)).unwrap();
    assert!(matches!(reactor.events(), [Event::Accepted { .. }]), "{:?}", reactor.events());
}

/// One test for both drivers, since they share the descriptors.
#[test]
fn accepting_rests_while_descriptors_are_short() {
    check(BackendChoice::Epoll);
    check(BackendChoice::Auto);
}
