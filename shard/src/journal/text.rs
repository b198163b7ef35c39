//! The text of a journal: commands as clients send them, and lines that Redis skips.

/// Longest annotation line written. Redis reads lines of up to 1024 bytes.
const LINE_BYTES_MAX: usize = 900;

/// Adds `number:value` to a line of kind `kind`, which is written out once it is long.
pub(super) fn append_pair(
    line: &mut String,
    kind: char,
    number: u64,
    value: u64,
    to: &mut Vec<u8>,
) {
    use std::fmt::Write;
    if line.len() > LINE_BYTES_MAX {
        end_line(line, to);
    }
    let opening = if line.is_empty() { format!("#{kind}:") } else { ",".to_owned() };
    line.push_str(&opening);
    let _ = write!(line, "{number}:{value}");
}

/// Writes a line out, if there is one.
pub(super) fn end_line(line: &mut String, to: &mut Vec<u8>) {
    if !line.is_empty() {
        to.extend_from_slice(line.as_bytes());
        to.extend_from_slice(b"\r\n");
        line.clear();
    }
}

/// Writes the line of a record that depends on one slot.
pub(super) fn write_sequence(slot: u64, sequence: u64, to: &mut Vec<u8>) {
    to.extend_from_slice(b"#S:");
    to.extend_from_slice(itoa::Buffer::new().format(slot).as_bytes());
    to.push(b':');
    to.extend_from_slice(itoa::Buffer::new().format(sequence).as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// Writes a command as a client would send it.
pub fn write_command<'a>(
    to: &mut Vec<u8>,
    count: usize,
    parts: impl Iterator<Item = &'a [u8]> + Clone,
) {
    let text_bytes: usize = parts.clone().map(|part| part.len() + LENGTH_BYTES_MAX + 2).sum();
    to.reserve(LENGTH_BYTES_MAX + text_bytes);
    write_length(b'*', count, to);
    for part in parts {
        write_length(b'$', part.len(), to);
        to.extend_from_slice(part);
        to.extend_from_slice(b"\r\n");
    }
}

/// Bytes of a mark, a number and the end of the line.
const LENGTH_BYTES_MAX: usize = 23;

/// Short ones, as most are, in one piece.
#[inline]
fn write_length(mark: u8, length: usize, to: &mut Vec<u8>) {
    let digit = |number: usize| b'0' + (number % 10) as u8;
    match length {
        0..10 => to.extend_from_slice(&[mark, digit(length), b'\r', b'\n']),
        10..100 => {
            to.extend_from_slice(&[mark, digit(length / 10), digit(length), b'\r', b'\n']);
        }
        _ => {
            to.push(mark);
            to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            to.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_many_pairs_is_written_as_several() {
        let (mut line, mut text) = (String::new(), Vec::new());
        for number in 0..500 {
            append_pair(&mut line, 'S', number, u64::MAX, &mut text);
        }
        end_line(&mut line, &mut text);
        let text = String::from_utf8(text).expect("lines are ASCII");
        let pairs = text.lines().flat_map(|line| line[3..].split(','));
        assert_eq!(pairs.count(), 500);
        assert!(text.lines().all(|line| line.starts_with("#S:") && line.len() < 1000));
    }

    #[test]
    fn lengths_of_all_sizes_are_written_in_full() {
        for length in (0..1200).chain([99_999, 1 << 29]) {
            let mut text = Vec::new();
            write_length(b'$', length, &mut text);
            assert_eq!(text, format!("${length}\r\n").into_bytes());
        }
    }
}
