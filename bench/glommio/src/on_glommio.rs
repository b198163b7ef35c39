//! The server on glommio: an executor pinned to the processor, a task for each connection.
//!
//! This is the plain way to write it, and the fastest of those tried: buffered streams, queues that
//! care for latency, and spinning before parking were no better.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement, spawn_local};

use crate::service::{Client, Store};

/// As large as a receive buffer of Basalt's reactor.
const BUFFER_BYTES: usize = 16 * 1024;

/// Serves until the process is ended.
pub(crate) fn run(port: u16, cpu: usize, store: Store) -> Result<(), Box<dyn Error>> {
    let executor = LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .make()
        .map_err(|error| format!("glommio makes no executor: {error}"))?;
    executor.run(async move {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .map_err(|error| format!("glommio does not listen: {error}"))?;
        let store = Rc::new(RefCell::new(store));
        loop {
            let stream = listener
                .accept()
                .await
                .map_err(|error| format!("glommio does not accept: {error}"))?;
            let store = Rc::clone(&store);
            spawn_local(async move {
                // A client that fails is a client that left.
                let _ = serve(stream, &store).await;
            })
            .detach();
        }
    })
}

async fn serve(mut stream: TcpStream, store: &RefCell<Store>) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true).map_err(|error| format!("no TCP_NODELAY: {error}"))?;
    let mut client = Client::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let received = stream.read(&mut buffer).await?;
        if received == 0 {
            return Ok(());
        }
        client.receive(&buffer[..received], &mut store.borrow_mut())?;
        stream.write_all(&client.replies).await?;
        client.replies.clear();
    }
}
