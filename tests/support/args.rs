//! Command lines for tests: text with quotes to argument vectors, argument vectors to RESP.
//!
//! Tests read best when a command stands in one string, as one would type it. Arguments are
//! separated by blanks; `"..."` takes the escapes `\n \r \t \b \a \\ \" \xHH`, `'...'` takes
//! everything as it is except `\'`. A mistake here is a mistake in a test, so it panics.

/// Anything a test may send as one command.
pub(crate) trait Command {
    /// The arguments, command name first.
    fn arguments(&self) -> Vec<Vec<u8>>;
}

impl Command for &str {
    fn arguments(&self) -> Vec<Vec<u8>> {
        argument_vector(self)
    }
}

impl Command for String {
    fn arguments(&self) -> Vec<Vec<u8>> {
        argument_vector(self)
    }
}

impl Command for &String {
    fn arguments(&self) -> Vec<Vec<u8>> {
        argument_vector(self)
    }
}

impl<Argument: AsRef<[u8]>, const COUNT: usize> Command for [Argument; COUNT] {
    fn arguments(&self) -> Vec<Vec<u8>> {
        self.iter().map(|argument| argument.as_ref().to_vec()).collect()
    }
}

impl<Argument: AsRef<[u8]>> Command for Vec<Argument> {
    fn arguments(&self) -> Vec<Vec<u8>> {
        self.iter().map(|argument| argument.as_ref().to_vec()).collect()
    }
}

impl<Argument: AsRef<[u8]>> Command for &[Argument] {
    fn arguments(&self) -> Vec<Vec<u8>> {
        self.iter().map(|argument| argument.as_ref().to_vec()).collect()
    }
}

/// Splits `text` as described at the head of this file. Panics on an unbalanced quote.
pub(crate) fn argument_vector(text: &str) -> Vec<Vec<u8>> {
    let mut arguments = Vec::new();
    let mut rest = text.trim_start().as_bytes();
    while let Some(&first) = rest.first() {
        let (argument, length) = match first {
            b'"' => double_quoted(rest),
            b'\'' => single_quoted(rest),
            _ => bare(rest),
        };
        arguments.push(argument);
        rest = rest[length..].trim_ascii_start();
    }
    arguments
}

/// One argument and the count of bytes of `text` it took, quotes included.
type Taken = (Vec<u8>, usize);

fn bare(text: &[u8]) -> Taken {
    let length = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (text[..length].to_vec(), length)
}

fn single_quoted(text: &[u8]) -> Taken {
    let mut argument = Vec::new();
    let mut index = 1;
    loop {
        match text[index..] {
            [b'\\', b'\'', ..] => {
                argument.push(b'\'');
                index += 2;
            }
            [b'\'', ..] => return (argument, index + 1),
            [byte, ..] => {
                argument.push(byte);
                index += 1;
            }
            [] => panic!("unbalanced ' in {}", text.escape_ascii()),
        }
    }
}

fn double_quoted(text: &[u8]) -> Taken {
    let mut argument = Vec::new();
    let mut index = 1;
    loop {
        match text[index..] {
            [b'\\', b'x', high, low, ..] => {
                argument.push(hex_digit(high) << 4 | hex_digit(low));
                index += 4;
            }
            [b'\\', escaped, ..] => {
                argument.push(unescaped(escaped));
                index += 2;
            }
            [b'"', ..] => return (argument, index + 1),
            [byte, ..] => {
                argument.push(byte);
                index += 1;
            }
            [] => panic!("unbalanced \" in {}", text.escape_ascii()),
        }
    }
}

fn unescaped(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex_digit(digit: u8) -> u8 {
    let value = char::from(digit).to_digit(16).expect("a hexadecimal digit after \\x");
    u8::try_from(value).expect("one hexadecimal digit fits a byte")
}

/// The command as a RESP array of bulk strings.
pub(crate) fn encode(command: impl Command) -> Vec<u8> {
    let arguments = command.arguments();
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(&argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
