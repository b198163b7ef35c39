//! The endpoint for operators: `GET /metrics` for Prometheus, `GET /health` for whoever starts and
//! stops servers. On with `metrics-port`, at `metrics-bind`.
//!
//! A few threads with blocking sockets answer, so there are never more connections under way than
//! threads, and others wait in the backlog. They ask the cores the way INFO does, by a gathering
//! tour, and write the text themselves; no core ever waits for them. A health check asks no core.
//!
//! There is no password: what is told is told to everybody who can connect, which is why the
//! default address is loopback.

mod catalogue;
mod exposition;
mod http;
mod report;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use self::http::{Answer, Request};
use crate::config::Settings;
use crate::server::host;
use crate::server::process::Process;
use crate::{banner, json, notice, verbose, warning};

/// Connections that are answered at a time.
const THREADS: usize = 4;

/// Stack of such a thread.
const STACK_BYTES: usize = 512 * 1024;

/// How long the cores may take to be asked. A script or a large command stops them for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// After an accept that failed, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket of the endpoint, if there is to be one.
///
/// # Errors
/// It cannot listen there.
pub fn listen(settings: &Settings) -> io::Result<Option<TcpListener>> {
    let observation = &settings.observation;
    if observation.metrics_port == 0 {
        return Ok(None);
    }
    let address: IpAddr = observation
        .metrics_bind
        .parse()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "metrics-bind is no address"))?;
    TcpListener::bind(SocketAddr::new(address, observation.metrics_port)).map(Some)
}

/// Answers from now on, until the process ends.
///
/// # Errors
/// A thread cannot be started.
pub fn serve(listener: &TcpListener, process: &Arc<Process>) -> io::Result<()> {
    for _ in 0..THREADS {
        let (listener, process) = (listener.try_clone()?, Arc::clone(process));
        std::thread::Builder::new()
            .name("metrics".into())
            .stack_size(STACK_BYTES)
            .spawn(move || answer_all(&listener, &process))?;
    }
    notice!("Metrics are told at http://{}/metrics", listener.local_addr()?);
    Ok(())
}

fn answer_all(listener: &TcpListener, process: &Process) {
    loop {
        match listener.accept() {
            Ok((mut stream, peer)) => {
                if let Err(error) = answer(&mut stream, process) {
                    verbose!("Metrics client {peer}: {error}");
                }
            }
            Err(error) => {
                warning!("Accepting a metrics connection: {error}");
                std::thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn answer(stream: &mut TcpStream, process: &Process) -> io::Result<()> {
    match http::read(stream)? {
        Ok(request) => http::write(stream, &answer_to(&request, process), request.is_head),
        Err(refusal) => http::write(stream, &refusal.into(), false),
    }
}

fn answer_to(request: &Request, process: &Process) -> Answer {
    match request.path.as_str() {
        "/metrics" => match process.survey(PATIENCE) {
            Some(survey) => Answer {
                status: "200 OK",
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: report::metrics(&survey.text(host::facts(process))),
            },
            None => Answer::plain("503 Service Unavailable"),
        },
        "/health" => health(process),
        _ => Answer::plain("404 Not Found"),
    }
}

/// Whether the server can be used, and what goes wrong in the background.
fn health(process: &Process) -> Answer {
    let facts = host::persistence_facts(process);
    let append_only = &facts.append_only;
    let state = |is_ok: bool| if is_ok { "ok" } else { "err" };
    let is_well = facts.was_last_save_ok && append_only.was_last_write_ok;
    let (status, word) = match () {
        () if process.is_stopping() => ("503 Service Unavailable", "stopping"),
        () if facts.is_loading => ("503 Service Unavailable", "loading"),
        () if !is_well => ("200 OK", "degraded"),
        () => ("200 OK", "ok"),
    };
    let now_seconds = crate::server::clock::now().unix_seconds();
    let body = format!(
        "{{\"status\":\"{word}\",\"version\":{},\"uptime_seconds\":{},\"loading\":{},\
         \"rdb_last_bgsave_status\":\"{}\",\"aof_enabled\":{},\"aof_last_write_status\":\"{}\",\
         \"aof_last_bgrewrite_status\":\"{}\"}}\n",
        json::quote(banner::VERSION.as_bytes()),
        (now_seconds - process.started_unix_seconds).max(0),
        facts.is_loading,
        state(facts.was_last_save_ok),
        append_only.is_enabled,
        state(append_only.was_last_write_ok),
        state(append_only.was_last_rewrite_ok),
    );
    Answer { status, content_type: "application/json", body }
}
