//! Requests from lines of text, and replies cut apart.

use crate::Request;

/// Splits a line into arguments as `redis-cli` does: at blanks, except within double quotes, where
/// `\xHH`, `\n`, `\r`, `\t`, `\"` and `\\` stand for single bytes.
pub fn split_line(line: &str) -> Request {
    let mut arguments = Request::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted),
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), &rest[end..])
            }
        };
        arguments.push(argument);
        rest = after.trim_start();
    }
    arguments
}

fn split_quoted(text: &str) -> (Vec<u8>, &str) {
    let mut bytes = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (bytes, &text[at + 1..]),
            '\\' => {
                let (at, escaped) = characters.next().expect("something is escaped");
                bytes.push(match escaped {
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'x' => {
                        characters.nth(1).expect("two digits follow");
                        u8::from_str_radix(&text[at + 1..at + 3], 16).expect("they are hexadecimal")
                    }
                    other => u8::try_from(other).expect("escapes are ASCII"),
                });
            }
            other => bytes.extend(other.to_string().as_bytes()),
        }
    }
    panic!("a quote is not closed: {text}");
}

/// A request on the wire.
pub fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for argument in request {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Length of the first reply in `bytes`, or `None` when it is not complete.
pub fn reply_length(bytes: &[u8]) -> Option<usize> {
    let line_end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let count = || {
        let text = std::str::from_utf8(&bytes[1..line_end]).expect("a count is ASCII");
        text.parse::<i64>().expect("a count is a number")
    };
    let mut length = line_end + 2;
    let children = match bytes[0] {
        b'$' | b'=' if count() >= 0 => {
            length += count() as usize + 2;
            0
        }
        b'*' | b'~' | b'>' => count().max(0),
        b'%' => 2 * count(),
        b'|' => 2 * count() + 1,
        _ => 0,
    };
    for _ in 0..children {
        length += reply_length(bytes.get(length..)?)?;
    }
    (length <= bytes.len()).then_some(length)
}

/// Cuts `bytes` into replies; all of it must be whole replies.
pub fn split_replies(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let length = reply_length(bytes).expect("replies are complete");
        replies.push(bytes[..length].to_vec());
        bytes = &bytes[length..];
    }
    replies
}

/// The elements of an array or a set.
pub fn elements(reply: &[u8]) -> Vec<Vec<u8>> {
    let line_end = reply.windows(2).position(|pair| pair == b"\r\n").expect("a reply has a line");
    split_replies(&reply[line_end + 2..])
}

/// A reply whose elements, if it is an array or a set, are put in order.
pub fn sorted_elements(reply: &[u8]) -> Vec<u8> {
    if !matches!(reply[0], b'*' | b'~') || reply.starts_with(b"*-1") {
        return reply.to_vec();
    }
    let mut elements = elements(reply);
    let header = reply.len() - elements.iter().map(Vec::len).sum::<usize>();
    elements.sort();
    [reply[..header].to_vec(), elements.concat()].concat()
}

/// The texts of an array or a set of bulk strings.
#[track_caller]
pub fn texts(reply: &[u8]) -> Vec<String> {
    let text = |element: Vec<u8>| {
        let shown = String::from_utf8(element).expect("the texts of tests are UTF-8");
        shown.split_once("\r\n").expect("a bulk string has two lines").1.trim_end().to_owned()
    };
    elements(reply).into_iter().map(text).collect()
}

/// Bytes in a form that can be read in a terminal; of long ones, both ends.
pub fn show(bytes: &[u8]) -> String {
    if bytes.len() <= 400 {
        return bytes.escape_ascii().to_string();
    }
    let (start, end) = (&bytes[..200], &bytes[bytes.len() - 100..]);
    let left_out = bytes.len() - 300;
    format!("{} ..({left_out}).. {}", start.escape_ascii(), end.escape_ascii())
}

/// A request in a form that can be read in a terminal.
pub fn show_request(request: &[Vec<u8>]) -> String {
    let quoted = |argument: &Vec<u8>| match argument.iter().all(u8::is_ascii_graphic) {
        true if !argument.is_empty() => show(argument),
        _ => format!("\"{}\"", show(argument)),
    };
    request.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
