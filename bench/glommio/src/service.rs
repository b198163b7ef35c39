//! What both servers do with the bytes: requests in, replies out, a hash map in between.

use std::collections::HashMap;

use basalt_net::resp::{ArgRange, Limits, Parsed, ProtocolError, RequestParser};

const VALUE_REPLY: &[u8] = b"$16\r\nxxxxxxxxxxxxxxxx\r\n";
const NIL_REPLY: &[u8] = b"$-1\r\n";
const OK_REPLY: &[u8] = b"+OK\r\n";

/// The keys, or none where every GET is to be answered alike.
pub(crate) struct Store(Option<HashMap<Vec<u8>, Vec<u8>>>);

impl Default for Store {
    fn default() -> Self {
        Self(Some(HashMap::new()))
    }
}

impl Store {
    /// A server without keys.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    fn answer(&mut self, words: &[ArgRange], text: &[u8], replies: &mut Vec<u8>) {
        let word = |index: usize| words.get(index).map(|word| word.of(text));
        let name = word(0).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"GET") {
            match (&self.0, word(1)) {
                (Some(keys), Some(key)) => match keys.get(key) {
                    Some(value) => append_bulk(value, replies),
                    None => replies.extend_from_slice(NIL_REPLY),
                },
                _ => replies.extend_from_slice(VALUE_REPLY),
            }
            return;
        }
        if name.eq_ignore_ascii_case(b"SET")
            && let (Some(keys), Some(key), Some(value)) = (&mut self.0, word(1), word(2))
        {
            keys.insert(key.to_vec(), value.to_vec());
        }
        replies.extend_from_slice(OK_REPLY);
    }
}

fn append_bulk(bytes: &[u8], replies: &mut Vec<u8>) {
    replies.push(b'$');
    replies.extend_from_slice(bytes.len().to_string().as_bytes());
    replies.extend_from_slice(b"\r\n");
    replies.extend_from_slice(bytes);
    replies.extend_from_slice(b"\r\n");
}

/// What is known about one client.
#[derive(Default)]
pub(crate) struct Client {
    parser: RequestParser,
    /// The beginning of a request whose rest has not come.
    partial: Vec<u8>,
    args: Vec<ArgRange>,
    /// Replies that have not been sent.
    pub(crate) replies: Vec<u8>,
}

impl Client {
    /// Answers all requests that are complete with `bytes`.
    pub(crate) fn receive(&mut self, bytes: &[u8], store: &mut Store) -> Result<(), ProtocolError> {
        if self.partial.is_empty() {
            let consumed = self.serve(bytes, store)?;
            self.partial.extend_from_slice(&bytes[consumed..]);
            return Ok(());
        }
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(bytes);
        let consumed = self.serve(&input, store)?;
        input.drain(..consumed);
        self.partial = input;
        Ok(())
    }

    fn serve(&mut self, input: &[u8], store: &mut Store) -> Result<usize, ProtocolError> {
        let limits = Limits::default();
        let mut start = 0;
        while start < input.len() {
            self.args.clear();
            let request = &input[start..];
            let (text, consumed) = match self.parser.parse(request, &limits, &mut self.args)? {
                Parsed::Complete { consumed } => (request, consumed),
                Parsed::Unquoted { consumed } => (self.parser.unquoted(), consumed),
                Parsed::Incomplete { .. } => break,
            };
            start += consumed;
            if !self.args.is_empty() {
                store.answer(&self.args, text, &mut self.replies);
            }
        }
        Ok(start)
    }
}
