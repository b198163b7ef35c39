//! The reactor over loopback sockets, every test on both drivers.
//!
//! Tests speak through one harness: [`serve`] runs a handler of events on this thread's reactor
//! against a client on another thread, until the client is done and all connections are closed. A
//! test that hangs fails after [`PATIENCE`].

#![expect(clippy::print_stdout, reason = "seeds of failing runs, and tests that were not run")]

use basalt_net::doorbell::Doorbell;
use basalt_net::inbox::inbox;
use basalt_net::reactor::{
    Backend, BackendChoice, CloseReason, ConnectionId, Event, Reactor, ReactorOptions, WakeSource,
};
use socket2::SockRef;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// After this a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Defines each test once per driver. Where io_uring is forbidden, its half says so and passes,
/// unless `BASALT_REQUIRE_URING` is set.
macro_rules! on_both_drivers {
    ($($(#[$attribute:meta])* fn $name:ident($options:ident) $body:block)*) => {
        $($(#[$attribute])* fn $name($options: ReactorOptions) $body)*

        mod epoll {
            use super::*;
            $(#[test] fn $name() {
                super::$name(options(BackendChoice::Epoll));
            })*
        }

        mod uring {
            use super::*;
            $(#[test] fn $name() {
                if uring_is_there() {
                    super::$name(options(BackendChoice::Uring));
                }
            })*
        }
    };
}

fn options(backend: BackendChoice) -> ReactorOptions {
    ReactorOptions { backend, ring_entries: 256, ..ReactorOptions::default() }
}

fn uring_is_there() -> bool {
    let reactor = Reactor::new(&options(BackendChoice::Auto)).unwrap();
    if let Some(reason) = reactor.fallback_reason() {
        println!("not run: {reason}");
        assert!(std::env::var_os("BASALT_REQUIRE_URING").is_none(), "{reason}");
    }
    reactor.backend() == Backend::Uring
}

/// Runs `client` on a thread of its own against a reactor that listens and whose events go to
/// `handler`. Returns what the client returned, once no connection is left.
fn serve<T: Send>(
    options: &ReactorOptions,
    client: impl FnOnce(SocketAddr) -> T + Send,
    mut handler: impl FnMut(&mut Reactor, Event),
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut reactor = Reactor::new(options).unwrap();
    reactor.add_listener(OwnedFd::from(listener)).unwrap();
    let waker = reactor.waker();
    let deadline = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let result = client(address);
            waker.wake();
            result
        });
        while !client.is_finished() || reactor.connection_count() > 0 {
            assert!(Instant::now() < deadline, "stuck, {} left", reactor.connection_count());
            reactor.poll(Some(Duration::from_millis(100))).unwrap();
            for place in 0..reactor.events().len() {
                let event = reactor.events()[place];
                handler(&mut reactor, event);
            }
        }
        client.join().unwrap()
    })
}

/// Adds the connection of an `Accepted` event.
fn admit(reactor: &mut Reactor, event: Event) -> Option<ConnectionId> {
    let Event::Accepted { socket, .. } = event else {
        return None;
    };
    let socket = reactor.take_accepted(socket).expect("taken once");
    Some(reactor.add_connection(socket).unwrap())
}

/// The handler of an echo server.
fn echo(reactor: &mut Reactor, event: Event) {
    match event {
        Event::Accepted { .. } => drop(admit(reactor, event)),
        Event::Received { connection, buffer } => {
            let mut bytes = reactor.bytes(buffer).to_vec();
            reactor.send(connection, &mut bytes);
        }
        Event::Closed { connection, .. } => reactor.close_after_flush(connection),
        Event::Drained { .. } | Event::Woken { .. } => {}
        Event::AcceptFailed { .. } | Event::Filled { .. } => panic!("unexpected {event:?}"),
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Bytes that tell where they belong.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// Sends `bytes` and reads as many back, both at once.
fn round_trip(stream: &TcpStream, bytes: &[u8]) {
    let mut back = vec![0; bytes.len()];
    thread::scope(|scope| {
        scope.spawn(|| (&*stream).write_all(bytes).unwrap());
        (&*stream).read_exact(&mut back).unwrap();
    });
    assert!(back == bytes, "{} bytes came back changed", bytes.len());
}

fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

on_both_drivers! {
    fn echoes_any_length(options) {
        serve(&options, |address| {
            let stream = connect(address);
            for len in [1, 2, 100, 16_383, 16_384, 16_385, 65_537, 1 << 20, 10 << 20] {
                round_trip(&stream, &pattern(len as u64, len));
            }
        }, echo);
    }

    fn serves_many_connections(options) {
        serve(&options, |address| {
            let streams: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
            for round in 0..20 {
                for (place, mut stream) in streams.iter().enumerate() {
                    stream.write_all(&pattern(place as u64 + round, 50 + place)).unwrap();
                }
                for (place, mut stream) in streams.iter().enumerate() {
                    let mut back = vec![0; 50 + place];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, pattern(place as u64 + round, 50 + place));
                }
            }
        }, echo);
    }

    /// With two buffers and hardly any ring, everything runs out all the time, and yet arrives.
    fn little_room_suffices(options) {
        let options =
            ReactorOptions { buffer_count: 2, buffer_bytes: 512, ring_entries: 4, ..options };
        serve(&options, |address| {
            thread::scope(|scope| {
                for client in 0..40 {
                    scope.spawn(move || round_trip(&connect(address), &pattern(client, 50_000)));
                }
            });
        }, echo);
    }

    fn answers_after_half_close(options) {
        let bytes = pattern(1, 3 << 20);
        let back = serve(&options, |address| {
            let stream = connect(address);
            thread::scope(|scope| {
                scope.spawn(|| {
                    (&stream).write_all(&bytes).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                });
                read_to_end(&stream)
            })
        }, echo);
        assert!(back == bytes);
    }

    fn reports_closing_once(options) {
        let mut reasons = Vec::new();
        serve(&options, |address| {
            let reset = connect(address);
            (&reset).write_all(b"x").unwrap();
            (&reset).read_exact(&mut [0]).unwrap();
            SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
            drop(reset);
            let polite = connect(address);
            polite.shutdown(Shutdown::Write).unwrap();
            assert!(read_to_end(&polite).is_empty());
        }, |reactor, event| {
            if let Event::Closed { reason, .. } = event {
                reasons.push(reason);
            }
            echo(reactor, event);
        });
        assert_eq!(reasons.len(), 2);
        assert!(reasons.contains(&CloseReason::PeerClosed));
        assert!(reasons.contains(&CloseReason::Failed(libc::ECONNRESET)));
    }

    fn a_slow_reader_is_seen_and_drains(options) {
        let bytes = pattern(2, 32 << 20);
        let (start_reading, may_read) = mpsc::channel();
        let (mut queued_most, mut drained) = (0, 0);
        let back = serve(&options, move |address| {
            let stream = connect(address);
            may_read.recv().unwrap();
            read_to_end(&stream)
        }, |reactor, event| {
            if let Some(connection) = admit(reactor, event) {
                reactor.send(connection, &mut bytes.clone());
                assert_eq!(reactor.queued_bytes(connection), bytes.len());
                // This wakes nobody, but makes the loop turn.
                reactor.waker().wake();
            }
            if let Event::Woken { .. } = event {
                let connection = ConnectionId { index: 0, generation: 0 };
                queued_most = queued_most.max(reactor.queued_bytes(connection));
                let _ = start_reading.send(());
            }
            if let Event::Drained { connection } = event {
                drained += 1;
                assert_eq!(reactor.queued_bytes(connection), 0);
                reactor.close(connection);
            }
        });
        assert!(back == bytes);
        assert!(queued_most > 1 << 20 && queued_most < bytes.len(), "{queued_most} queued");
        assert_eq!(drained, 1);
    }

    fn suspending_leaves_bytes_in_the_kernel(options) {
        let mut received = 0;
        let len = 1 << 20;
        let (suspended, is_suspended) = mpsc::channel();
        let mut turns_suspended = 0;
        serve(&options, move |address| {
            let mut stream = connect(address);
            stream.write_all(b"first").unwrap();
            is_suspended.recv().unwrap();
            thread::scope(|scope| {
                let reader = scope.spawn(|| (&stream).read(&mut [0]).unwrap());
                let _ = (&stream).write_all(&pattern(3, len));
                assert_eq!(reader.join().unwrap(), 0);
            });
        }, |reactor, event| match event {
            Event::Received { connection, .. } if received == 0 => {
                received = 5;
                reactor.suspend_receive(connection);
                reactor.waker().wake();
            }
            Event::Received { connection, buffer } => {
                assert!(turns_suspended > 10, "bytes came after suspending");
                received += buffer.len();
                if received == 5 + len {
                    reactor.close(connection);
                }
            }
            Event::Woken { .. } => {
                turns_suspended += 1;
                let connection = ConnectionId { index: 0, generation: 0 };
                match turns_suspended {
                    2 => suspended.send(()).unwrap(),
                    200 => reactor.resume_receive(connection),
                    _ => {}
                }
                if turns_suspended < 200 {
                    reactor.waker().wake();
                }
            }
            Event::Accepted { .. } => drop(admit(reactor, event)),
            _ => panic!("unexpected {event:?}"),
        });
        assert_eq!(received, 5 + len);
    }

    fn closing_drops_output_and_tells_nobody(options) {
        let mut closed = false;
        let (tell_closed, is_closed) = mpsc::channel();
        let got = serve(&options, move |address| {
            let mut stream = connect(address);
            // Whoever reads at once may have everything before the reactor gets to closing.
            is_closed.recv().unwrap();
            let mut got = 0;
            let mut piece = vec![0; 1 << 16];
            loop {
                match stream.read(&mut piece) {
                    Ok(0) => return got,
                    Ok(len) => got += len,
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return got,
                    Err(error) => panic!("{error}"),
                }
            }
        }, |reactor, event| match event {
            Event::Accepted { .. } => {
                let connection = admit(reactor, event).unwrap();
                reactor.send(connection, &mut vec![b'x'; 64 << 20]);
                reactor.waker().wake();
            }
            Event::Woken { .. } if !closed => {
                closed = true;
                let connection = ConnectionId { index: 0, generation: 0 };
                assert!(reactor.queued_bytes(connection) > 0);
                reactor.close(connection);
                assert_eq!(reactor.queued_bytes(connection), 0);
                reactor.send(connection, &mut b"to nobody".to_vec());
                reactor.close(connection);
                tell_closed.send(()).unwrap();
            }
            Event::Woken { .. } => {}
            _ => panic!("unexpected {event:?}"),
        });
        assert!(closed && got < 64 << 20);
    }

    fn closing_after_flush_sends_everything(options) {
        let bytes = pattern(4, 16 << 20);
        let back = serve(&options, |address| {
            let stream = connect(address);
            // Nobody reads this, and it must not hurt the answer.
            (&stream).write_all(&[b'x'; 10_000]).unwrap();
            read_to_end(&stream)
        }, |reactor, event| match event {
            Event::Received { connection, .. } => {
                reactor.send(connection, &mut bytes.clone());
                reactor.close_after_flush(connection);
            }
            Event::Closed { .. } => panic!("the caller closed it"),
            _ => drop(admit(reactor, event)),
        });
        assert!(back == bytes);
    }

    fn survives_an_accept_storm(options) {
        let mut accepted = 0;
        serve(&options, |address| {
            thread::scope(|scope| {
                for client in 0..4 {
                    scope.spawn(move || {
                        for round in 0..100 {
                            round_trip(&connect(address), &pattern(client * 1000 + round, 10));
                        }
                    });
                }
            });
        }, |reactor, event| {
            accepted += usize::from(matches!(event, Event::Accepted { .. }));
            echo(reactor, event);
        });
        assert_eq!(accepted, 400);
    }

    fn sockets_nobody_takes_are_closed(options) {
        serve(&options, |address| assert!(read_to_end(&connect(address)).is_empty()), |_, _| {});
    }

    fn a_removed_listener_refuses(options) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut reactor = Reactor::new(&options).unwrap();
        let id = reactor.add_listener(OwnedFd::from(listener)).unwrap();
        let _waiting = connect(address);
        reactor.poll(Some(PATIENCE)).unwrap();
        assert!(matches!(reactor.events(), [Event::Accepted { listener, .. }] if *listener == id));
        reactor.remove_listener(id);
        reactor.resume_accept(id).unwrap();
        reactor.poll(Some(Duration::ZERO)).unwrap();
        reactor.poll(Some(Duration::ZERO)).unwrap();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    /// Connections are closed from both sides at random while bytes are under way, so indices are
    /// reused all the time and completions are late. Every byte must reach the connection it was
    /// sent to: each client sends nothing but a byte of its own.
    fn late_completions_do_not_reach_the_next_connection(options) {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut owners: HashMap<ConnectionId, u8> = HashMap::new();
        let mut highest = 0;
        serve(&options, |address| {
            thread::scope(|scope| {
                for client in 1..=4_u8 {
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed + u64::from(client));
                        for _ in 0..150 {
                            let mut stream = connect(address);
                            let _ = stream.write_all(&vec![client; random.usize(1..40_000)]);
                            let mut back = vec![0; random.usize(1..20_000)];
                            let len = stream.read(&mut back).unwrap_or(0);
                            assert!(back[..len].iter().all(|&byte| byte == client));
                        }
                    });
                }
            });
        }, |reactor, event| match event {
            Event::Accepted { .. } => {
                let connection = admit(reactor, event).unwrap();
                highest = highest.max(connection.index);
                assert_eq!(owners.insert(connection, 0), None, "an id was used twice");
            }
            Event::Received { connection, buffer } => {
                let mut bytes = reactor.bytes(buffer).to_vec();
                let Some(owner) = owners.get_mut(&connection) else { return };
                if *owner == 0 {
                    *owner = bytes[0];
                }
                assert!(bytes.iter().all(|byte| byte == owner));
                reactor.send(connection, &mut bytes);
                if random.u8(..4) == 0 {
                    owners.remove(&connection);
                    match random.bool() {
                        true => reactor.close(connection),
                        false => reactor.close_after_flush(connection),
                    }
                }
            }
            Event::Closed { connection, .. } => {
                owners.remove(&connection);
                reactor.close(connection);
            }
            _ => {}
        });
        assert!(highest < 64, "indices are not reused: {highest}");
    }

    /// A big argument lands in a buffer of the caller's, and what follows it is reported as usual.
    fn receives_into_a_given_buffer(options) {
        let big = pattern(5, 5 << 20);
        let (head, tail) = (b"head".to_vec(), b"tail".to_vec());
        for pause in [false, true] {
            let (mut front, mut filled, mut rest) = (Vec::new(), Vec::new(), Vec::new());
            serve(&options, |address| {
                let mut stream = connect(address);
                stream.write_all(&head).unwrap();
                if pause {
                    // Wait for the server to have asked, so that nothing of it was buffered.
                    stream.read_exact(&mut [0; 2]).unwrap();
                }
                stream.write_all(&big).unwrap();
                stream.write_all(&tail).unwrap();
                assert!(read_to_end(&stream).len() <= 2);
            }, |reactor, event| match event {
                Event::Received { connection, buffer } if filled.is_empty() => {
                    front.extend_from_slice(reactor.bytes(buffer));
                    // What was reported already must be taken along first.
                    let mut latest_first = reactor.events().iter().rev();
                    let last = latest_first.find(|it| matches!(it, Event::Received { .. }));
                    if last == Some(&event) {
                        let wanted = head.len() + big.len() - front.len();
                        reactor.receive_into(connection, std::mem::take(&mut front), wanted);
                        reactor.send(connection, &mut b"go".to_vec());
                    }
                }
                Event::Filled { connection } => {
                    filled = reactor.take_filled(connection).unwrap();
                    assert!(reactor.take_filled(connection).is_none());
                }
                Event::Received { connection, buffer } => {
                    rest.extend_from_slice(reactor.bytes(buffer));
                    if rest.len() == tail.len() {
                        reactor.close(connection);
                    }
                }
                Event::Drained { .. } | Event::Woken { .. } => {}
                _ => drop(admit(reactor, event)),
            });
            assert!(filled == [&head[..], &big].concat(), "pause {pause}");
            assert_eq!(rest, tail);
        }
    }

    /// After a given buffer is full, the connection goes on as before, also when it had to wait.
    fn goes_on_after_a_given_buffer(options) {
        let rounds = 20;
        let mut filled = 0;
        serve(&options, |address| {
            let mut stream = connect(address);
            for round in 0..rounds {
                stream.write_all(b"small").unwrap();
                stream.read_exact(&mut [0; 2]).unwrap();
                stream.write_all(&vec![round as u8; 300_000]).unwrap();
                stream.read_exact(&mut [0; 2]).unwrap();
            }
        }, |reactor, event| match event {
            Event::Received { connection, buffer } => {
                assert_eq!(reactor.bytes(buffer), b"small");
                reactor.receive_into(connection, Vec::new(), 300_000);
                reactor.send(connection, &mut b"go".to_vec());
            }
            Event::Filled { connection } => {
                let bytes = reactor.take_filled(connection).unwrap();
                assert!(bytes.iter().all(|byte| *byte == filled as u8));
                filled += 1;
                reactor.send(connection, &mut b"go".to_vec());
            }
            Event::Closed { connection, .. } => reactor.close(connection),
            Event::Drained { .. } | Event::Woken { .. } => {}
            _ => drop(admit(reactor, event)),
        });
        assert_eq!(filled, rounds);
    }

    fn a_given_buffer_is_dropped_when_the_peer_goes(options) {
        let mut closed = 0;
        serve(&options, |address| {
            let mut stream = connect(address);
            stream.write_all(&[b'x'; 1000]).unwrap();
            stream.read_exact(&mut [0; 2]).unwrap();
            stream.write_all(&[b'x'; 1000]).unwrap();
        }, |reactor, event| match event {
            Event::Received { connection, .. } => {
                reactor.receive_into(connection, Vec::new(), 1 << 20);
                reactor.send(connection, &mut b"go".to_vec());
            }
            Event::Closed { connection, reason } => {
                assert_eq!(reason, CloseReason::PeerClosed);
                assert!(reactor.take_filled(connection).is_none());
                closed += 1;
                reactor.close(connection);
            }
            Event::Filled { .. } => panic!("it cannot be full"),
            _ => drop(admit(reactor, event)),
        });
        assert_eq!(closed, 1);
    }

    fn closing_during_a_direct_receive_is_safe(options) {
        serve(&options, |address| {
            let mut stream = connect(address);
            let _ = stream.write_all(&[b'x'; 4096]);
            let _ = stream.read(&mut [0]);
        }, |reactor, event| match event {
            Event::Received { connection, .. } => {
                reactor.receive_into(connection, vec![1, 2, 3], 1 << 20);
                reactor.waker().wake();
            }
            Event::Woken { .. } => reactor.close(ConnectionId { index: 0, generation: 0 }),
            _ => drop(admit(reactor, event)),
        });
    }

    fn shared_and_owned_output_keep_their_order(options) {
        let shared = Arc::new(pattern(6, 300_000));
        let mut expected = Vec::new();
        for round in 0..50_usize {
            expected.extend_from_slice(format!("${}\r\n", round * 1000).as_bytes());
            expected.extend_from_slice(&shared[round..round + round * 1000]);
            expected.extend_from_slice(b"\r\n");
        }
        let back = serve(&options, |address| read_to_end(&connect(address)), |reactor, event| {
            let Some(connection) = admit(reactor, event) else { return };
            for round in 0..50_usize {
                let mut reply = format!("${}\r\n", round * 1000).into_bytes();
                reactor.send(connection, &mut reply);
                let range = round..round + round * 1000;
                reactor.send_shared(connection, shared.clone(), range);
                reply.extend_from_slice(b"\r\n");
                reactor.send(connection, &mut reply);
            }
            assert_eq!(reactor.queued_bytes(connection), expected.len());
            reactor.close_after_flush(connection);
        });
        assert!(back == expected);
        assert_eq!(Arc::strong_count(&shared), 1, "references are dropped when sent");
    }

    fn unix_sockets_work_too(options) {
        let mut reactor = Reactor::new(&options).unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        // Whatever mode the socket was in, the reactor copes.
        far.set_nonblocking(true).unwrap();
        let connection = reactor.add_connection(OwnedFd::from(far)).unwrap();
        assert!(reactor.socket(connection).is_some());
        near.write_all(b"ping").unwrap();
        reactor.poll(Some(PATIENCE)).unwrap();
        let [Event::Received { buffer, .. }] = *reactor.events() else {
            panic!("{:?}", reactor.events());
        };
        assert_eq!(reactor.bytes(buffer), b"ping");
        reactor.send(connection, &mut b"pong".to_vec());
        assert!(reactor.has_work_hint());
        reactor.poll(Some(Duration::ZERO)).unwrap();
        let mut back = [0; 4];
        near.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"pong");
        drop(near);
        reactor.poll(Some(PATIENCE)).unwrap();
        let reason = CloseReason::PeerClosed;
        assert_eq!(reactor.events(), [Event::Closed { connection, reason }]);
        reactor.close(connection);
        reactor.poll(Some(Duration::ZERO)).unwrap();
        assert_eq!((reactor.events().len(), reactor.connection_count()), (0, 0));
        assert!(reactor.socket(connection).is_none());
    }

    /// A peer that is gone while nobody wants to read must not make polls return for nothing.
    fn a_dead_peer_of_a_suspended_connection_is_quiet(options) {
        let mut reactor = Reactor::new(&options).unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        let connection = reactor.add_connection(OwnedFd::from(far)).unwrap();
        reactor.suspend_receive(connection);
        reactor.poll(Some(Duration::ZERO)).unwrap();
        near.write_all(b"last words").unwrap();
        drop(near);
        let start = Instant::now();
        reactor.poll(Some(Duration::from_millis(30))).unwrap();
        assert_eq!(reactor.events(), []);
        assert!(start.elapsed() >= Duration::from_millis(30));
        reactor.resume_receive(connection);
        let (mut heard, mut closed) = (Vec::<u8>::new(), false);
        while !closed {
            reactor.poll(Some(PATIENCE)).unwrap();
            assert!(!reactor.events().is_empty());
            for event in reactor.events() {
                match *event {
                    Event::Received { buffer, .. } => heard.extend(reactor.bytes(buffer)),
                    Event::Closed { .. } => closed = true,
                    _ => panic!("unexpected {event:?}"),
                }
            }
        }
        assert_eq!(heard, b"last words");
    }

    fn waits_as_long_as_it_is_told(options) {
        let mut reactor = Reactor::new(&options).unwrap();
        let start = Instant::now();
        reactor.poll(Some(Duration::ZERO)).unwrap();
        assert!(!reactor.has_work_hint());
        reactor.poll(Some(Duration::from_millis(20))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(reactor.events(), []);
        let waker = reactor.waker();
        waker.wake();
        waker.wake();
        reactor.poll(None).unwrap();
        assert_eq!(reactor.events(), [Event::Woken { source: WakeSource::WAKER }]);
        thread::spawn(move || waker.wake());
        reactor.poll(None).unwrap();
        assert_eq!(reactor.events(), [Event::Woken { source: WakeSource::WAKER }]);
        reactor.poll(Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.events(), []);
    }

    /// Messages from two threads to a core that sleeps whenever it has nothing to do: a lost
    /// wake-up would leave it asleep.
    fn no_wake_up_is_lost(options) {
        const MESSAGES: u64 = 5_000;
        let mut reactor = Reactor::new(&options).unwrap();
        let bell = Doorbell::new(reactor.waker());
        let (sender, mut receiver) = inbox(2 * MESSAGES as usize);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (sender, bell) = (sender.clone(), bell.clone());
                scope.spawn(move || {
                    for number in 0..MESSAGES {
                        sender.push(number);
                        bell.ring_if_asleep();
                        if number % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut sum = 0;
            while receiver.position() < 2 * MESSAGES {
                while let Some(number) = receiver.pop() {
                    sum += number;
                }
                bell.prepare_sleep();
                if receiver.is_empty() && receiver.position() < 2 * MESSAGES {
                    let start = Instant::now();
                    reactor.poll(Some(PATIENCE)).unwrap();
                    assert!(start.elapsed() < PATIENCE, "a wake-up was lost");
                }
                bell.cancel_sleep();
            }
            assert_eq!(sum, MESSAGES * (MESSAGES - 1));
        });
    }

    fn released_buffers_cannot_be_read(options) {
        let mut reactor = Reactor::new(&options).unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        reactor.add_connection(OwnedFd::from(far)).unwrap();
        near.write_all(b"ping").unwrap();
        reactor.poll(Some(PATIENCE)).unwrap();
        let [Event::Received { buffer, .. }] = *reactor.events() else {
            panic!("{:?}", reactor.events());
        };
        reactor.release();
        let read = std::panic::AssertUnwindSafe(|| reactor.bytes(buffer).len());
        let panic = std::panic::catch_unwind(read).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the buffer was released"));
    }

    fn can_be_dropped_at_work(options) {
        let mut reactor = Reactor::new(&options).unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let (mut direct, direct_far) = UnixStream::pair().unwrap();
        let connection = reactor.add_connection(OwnedFd::from(far)).unwrap();
        reactor.send(connection, &mut vec![b'x'; 8 << 20]);
        let connection = reactor.add_connection(OwnedFd::from(direct_far)).unwrap();
        reactor.receive_into(connection, Vec::new(), 1 << 20);
        reactor.poll(Some(Duration::ZERO)).unwrap();
        direct.write_all(&[b'x'; 1000]).unwrap();
        reactor.poll(Some(Duration::ZERO)).unwrap();
        drop(reactor);
        let error = (&near).write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn falls_back_to_epoll_and_says_why() {
    let impossible = ReactorOptions { ring_entries: 1 << 20, ..options(BackendChoice::Auto) };
    let reactor = Reactor::new(&impossible).unwrap();
    assert_eq!(reactor.backend(), Backend::Epoll);
    assert_eq!(reactor.backend().to_string(), "epoll");
    assert!(reactor.fallback_reason().is_some());
    let forced = ReactorOptions { backend: BackendChoice::Uring, ..impossible };
    assert!(Reactor::new(&forced).is_err());
}
