//! A blocking client for everything around a measurement: greeting, prefill checks, INFO,
//! CLUSTER SLOTS. It also greets the sockets that are then handed to the load engine.

use std::io::{self, BufReader, Write};
use std::time::Duration;

use crate::error::{BenchError, Outcome};
use crate::resp::endpoint::Endpoint;
use crate::resp::value::Value;
use crate::resp::wire::Wire;

/// Control commands answer within this time or the run is given up. FLUSHALL of a large data set
/// is the slowest of them.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// What every connection says before its first command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// User for AUTH; the default user when absent.
    pub(crate) user: Option<String>,
    /// Password for AUTH; no AUTH when absent.
    pub(crate) password: Option<String>,
    /// Database for SELECT; 0 needs none.
    pub(crate) database: u32,
    /// Speak RESP3.
    pub(crate) resp3: bool,
}

/// One blocking connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<Wire>,
    endpoint: Endpoint,
}

impl Client {
    /// Connects and greets: AUTH, HELLO 3 and SELECT as the session wants.
    pub(crate) fn connect(endpoint: &Endpoint, session: &Session) -> Outcome<Self> {
        let doing = || format!("connect to {endpoint}");
        let wire = endpoint.connect().map_err(BenchError::io(doing()))?;
        wire.set_read_timeout(REPLY_TIMEOUT).map_err(BenchError::io(doing()))?;
        let mut client = Self { stream: BufReader::new(wire), endpoint: endpoint.clone() };
        if let Some(password) = &session.password {
            match &session.user {
                Some(user) => client.call(&["AUTH", user, password])?,
                None => client.call(&["AUTH", password])?,
            };
        }
        if session.resp3 {
            client.call(&["HELLO", "3"])?;
        }
        if session.database != 0 {
            client.call(&["SELECT", &session.database.to_string()])?;
        }
        Ok(client)
    }

    /// Sends one command and reads its reply. An error reply is an error here.
    pub(crate) fn call(&mut self, arguments: &[&str]) -> Outcome<Value> {
        match self.call_raw(arguments)? {
            // The first word only: arguments may be passwords.
            Value::Error(text) => Err(BenchError::Reply { command: arguments[0].into(), text }),
            value => Ok(value),
        }
    }

    /// Sends one command and reads its reply, whatever it is.
    pub(crate) fn call_raw(&mut self, arguments: &[&str]) -> Outcome<Value> {
        let mut replies = self.pipeline(&[arguments])?;
        Ok(replies.pop().expect("one reply for one command"))
    }

    /// Sends several commands at once and reads all replies.
    pub(crate) fn pipeline(&mut self, commands: &[&[&str]]) -> Outcome<Vec<Value>> {
        let mut bytes = Vec::new();
        for command in commands {
            encode(command, &mut bytes);
        }
        self.send(&bytes)?;
        commands.iter().map(|_| self.receive()).collect()
    }

    /// Sends prepared commands. Each one's reply has to be received.
    pub(crate) fn send(&mut self, commands: &[u8]) -> Outcome<()> {
        let wire = self.stream.get_mut();
        let sent = wire.write_all(commands).and_then(|()| wire.flush());
        sent.map_err(|source| self.failed("write to", source))
    }

    /// Reads the next reply, whatever it is.
    pub(crate) fn receive(&mut self) -> Outcome<Value> {
        Value::read(&mut self.stream).map_err(|source| self.failed("read from", source))
    }

    fn failed(&self, doing: &str, source: io::Error) -> BenchError {
        BenchError::io(format!("{doing} {}", self.endpoint))(source)
    }

    /// Text of one `field:value` line of INFO.
    pub(crate) fn info_field(&mut self, section: &str, field: &str) -> Outcome<Option<String>> {
        let info = self.call(&["INFO", section])?.text();
        Ok(info_line(&info, field).map(str::to_owned))
    }

    /// Hands the greeted connection over, ready for the load engine (non-blocking). By TLS it
    /// says a word first, lest the handshake be part of what is measured.
    pub(crate) fn into_wire(mut self) -> Outcome<Wire> {
        if matches!(self.endpoint, Endpoint::Tls(_)) {
            self.call_raw(&["PING"])?;
        }
        assert!(self.stream.buffer().is_empty(), "a reply was left unread");
        let wire = self.stream.into_inner();
        wire.set_nonblocking().map_err(BenchError::io("make a socket non-blocking"))?;
        Ok(wire)
    }
}

/// Text behind the colon of a `field:value` line of INFO.
pub(crate) fn info_line<'a>(info: &'a str, field: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
}

/// Appends a command as a RESP array of bulk strings.
pub(crate) fn encode(arguments: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        out.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_become_arrays() {
        let mut bytes = Vec::new();
        encode(&["GET", "", "k"], &mut bytes);
        assert_eq!(bytes, b"*3\r\n$3\r\nGET\r\n$0\r\n\r\n$1\r\nk\r\n");
    }

    #[test]
    fn info_fields_match_whole_names() {
        let info = "# Server\r\nprocess_id_x:9\r\nprocess_id:42\r\n";
        assert_eq!(info_line(info, "process_id"), Some("42"));
        assert_eq!(info_line(info, "process"), None);
    }
}
