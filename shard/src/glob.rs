//! Glob patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL key rules understand them.
//!
//! The dialect is that of Redis' `stringmatchlen`, oddities included, because applications have
//! learned to rely on them:
//!
//! ```text
//! *        any run of bytes, empty runs included; several in a row count as one
//! ?        exactly one byte
//! [abc]    one byte of the set; ranges `a-z` may stand either way round; `[^...]` negates;
//!          a set that is never closed reaches to the end of the pattern
//! \x       the byte x itself, in and out of sets; a lone backslash at the end is a backslash
//! ```
//!
//! * The empty text is matched by the empty pattern only, not even by `*`. The commands that
//!   promise "everything" for `*` test for it before they come here, in Redis too.
//! * Ranges compare *signed* bytes, as Redis does on x86-64: `[a-\xff]` holds 0xff up to `a`.
//! * Ignoring case folds ASCII letters only, and never a byte escaped inside a set.
//!
//! Cost. A `*` is only ever retried at later positions of the text while no later `*` was reached:
//! once one was, a longer run for the earlier star can add no match. So only the last star seen
//! is remembered, there is no recursion, and a call takes at most O(pattern * text) steps, against
//! the exponential time of the obvious recursive matcher on `*a*a*a*a*b`. Redis also refuses
//! patterns with more than 1,000 stars in force at once; so does this, for the same answers.

/// Stars that may wait for more text at once; one more makes the pattern match nothing.
const STARS_MAX: usize = 1000;

/// Whether upper and lower case ASCII letters are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Bytes must be equal.
    Sensitive,
    /// ASCII letters are equal whatever their case.
    Insensitive,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Case::Sensitive => byte,
            Case::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Where matching resumes when it fails after a star.
struct Star {
    /// Offset of what follows the star in the pattern.
    pattern: usize,
    /// Offset of the text at which the rest of the pattern is tried.
    text: usize,
}

/// Tells whether `pattern` matches the whole of `text`.
///
/// Takes at most O(`pattern.len()` * `text.len()`) steps and no memory.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let mut at_pattern = 0;
    let mut at_text = 0;
    let mut star: Option<Star> = None;
    let mut stars_count = 0;

    if text.is_empty() {
        return pattern.is_empty();
    }
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            at_pattern = skip_stars(pattern, at_pattern);
            if at_pattern == pattern.len() {
                return true;
            }
            stars_count += 1;
            if stars_count > STARS_MAX {
                return false;
            }
            star = Some(Star { pattern: at_pattern, text: at_text });
            continue;
        }
        if let Some(next) = match_one(pattern, at_pattern, text[at_text], case) {
            at_pattern = next;
            at_text += 1;
            continue;
        }
        let Some(last) = &mut star else { return false };
        last.text += 1;
        at_pattern = last.pattern;
        at_text = last.text;
    }
    skip_stars(pattern, at_pattern) == pattern.len()
}

/// Returns the offset of the first byte at or after `at` that is no star.
fn skip_stars(pattern: &[u8], at: usize) -> usize {
    at + pattern[at..].iter().take_while(|&&byte| byte == b'*').count()
}

/// Matches one byte against the element of the pattern at `at`, which is no star.
///
/// Returns the offset of the next element, or nothing where the byte does not fit.
fn match_one(pattern: &[u8], at: usize, byte: u8, case: Case) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => match_set(pattern, at + 1, byte, case),
        b'\\' if at + 1 < pattern.len() => {
            (case.fold(pattern[at + 1]) == case.fold(byte)).then_some(at + 2)
        }
        literal => (case.fold(literal) == case.fold(byte)).then_some(at + 1),
    }
}

/// Matches one byte against the set whose first byte after the bracket is at `at`.
fn match_set(pattern: &[u8], mut at: usize, byte: u8, case: Case) -> Option<usize> {
    let is_negated = pattern.get(at) == Some(&b'^');
    if is_negated {
        at += 1;
    }
    let mut is_member = false;
    loop {
        match &pattern[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                is_member |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                is_member |= is_in_range(*first, *last, byte, case);
                at += 3;
            }
            [member, ..] => {
                is_member |= case.fold(*member) == case.fold(byte);
                at += 1;
            }
        }
    }
    (is_member != is_negated).then_some(at)
}

/// Tells whether a byte lies in a range of a set, whichever way round its ends were written.
///
/// The ends are put in order before their case is folded, as Redis does. So `[Z-a]` without
/// regard to case is the range from `z` to `a`, which holds nothing.
fn is_in_range(first: u8, last: u8, byte: u8, case: Case) -> bool {
    let signed = |byte: u8| i8::from_ne_bytes([byte]);
    let (low, high) = if signed(first) > signed(last) { (last, first) } else { (first, last) };
    let byte = signed(case.fold(byte));
    signed(case.fold(low)) <= byte && byte <= signed(case.fold(high))
}

#[cfg(test)]
mod tests {
    use super::{Case, matches};
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
        assert_eq!(found, expected, "pattern {pattern:?}, text {text:?}");
    }

    #[test]
    fn answers_as_redis_does() {
        // Each row was put to a Redis server as a key and a KEYS pattern.
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("**", "", false),
            ("a*", "a", true),
            ("*a", "a", true),
            ("a**", "a", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("[^b-a]", "a", false),
            ("[a-]", "]", true),
            ("[a-]", "-", false),
            ("[a", "a", true),
            ("[a", "b", false),
            ("[^", "a", true),
            ("[", "a", false),
            ("[]", "]", false),
            ("[]a]", "]a]", false),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("[a\\-z]", "-", true),
            ("[a\\-z]", "b", false),
            ("\\", "\\", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("*a*b*c", "xaxbxbc", true),
            ("*a*b*c", "xaxbxb", false),
            ("a?", "a", false),
            ("?*", "a", true),
            ("*?", "a", true),
            ("*[a]*?", "ab", true),
            ("*[a]*?", "ba", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn star_alone_does_not_match_the_empty_text() {
        check("*", "", false);
        check("*", "a", true);
    }

    #[test]
    fn case_is_folded_where_redis_folds_it() {
        let check = |pattern: &str, text: &str, expected| {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Case::Insensitive), expected);
        };
        check("SLOWLOG-*", "slowlog-max-len", true);
        check("[a-c]", "B", true);
        check("\\A", "a", true);
        check("[\\A]", "a", false);
        check("[Z-a]", "q", false);
        check("[A-z]", "Q", true);
        check("\u{c4}", "\u{e4}", false);
    }

    #[test]
    fn ranges_compare_signed_bytes() {
        assert!(matches(b"[a-\xff]", b"\x00", Case::Sensitive));
        assert!(!matches(b"[a-\xff]", b"b", Case::Sensitive));
        assert!(matches(b"[\x80-\xff]", b"\xc3", Case::Sensitive));
    }

    #[test]
    fn hostile_patterns_are_cheap() {
        // The recursive matcher would need more steps here than there are atoms.
        let pattern = "*a".repeat(900) + "b";
        let text = "a".repeat(10_000);
        check(&pattern, &text, false);
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = "a".repeat(2000);
        check(&"*a".repeat(1000), &text, true);
        check(&"*a".repeat(1001), &text, false);
        check(&("*a".repeat(1000) + "*"), &text, true);
    }

    /// The dialect written down as plainly as possible: recursion, no thought of cost.
    fn reference(pattern: &[u8], text: &[u8]) -> bool {
        if text.is_empty() {
            return pattern.is_empty();
        }
        let rest_matches = |rest: &[u8], text: &[u8]| {
            let only_stars_left = rest.iter().all(|&byte| byte == b'*');
            if text.is_empty() { only_stars_left } else { reference(rest, text) }
        };
        match (pattern, text) {
            ([], _) => false,
            ([b'*'], _) => true,
            ([b'*', rest @ ..], _) => (0..text.len()).any(|start| reference(rest, &text[start..])),
            ([b'?', rest @ ..], [_, text @ ..]) => rest_matches(rest, text),
            ([b'[', rest @ ..], [byte, text @ ..]) => {
                let (is_member, rest) = reference_set(rest, *byte);
                is_member && rest_matches(rest, text)
            }
            ([b'\\', literal, rest @ ..] | [literal, rest @ ..], [byte, text @ ..]) => {
                literal == byte && rest_matches(rest, text)
            }
            (_, []) => unreachable!("the empty text was answered above"),
        }
    }

    fn reference_set(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
        let (is_negated, mut rest) = match pattern {
            [b'^', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut members = std::collections::BTreeSet::new();
        while !rest.is_empty() {
            let (found, after): (Vec<u8>, &[u8]) = match rest {
                [b'\\', escaped, after @ ..] => (vec![*escaped], after),
                [b']', after @ ..] => {
                    rest = after;
                    break;
                }
                [first, b'-', last, after @ ..] => {
                    ((*first.min(last)..=*first.max(last)).collect(), after)
                }
                [member, after @ ..] => (vec![*member], after),
                [] => unreachable!("the loop ended"),
            };
            members.extend(found);
            rest = after;
        }
        (members.contains(&byte) != is_negated, rest)
    }

    proptest! {
        #![proptest_config(ProptestConfig { fork: false, ..ProptestConfig::with_cases(4000) })]

        #[test]
        fn equals_the_plain_matcher(
            pattern in proptest::collection::vec(prop::sample::select(&b"ab*?[]^-\\"[..]), 0..10),
            text in proptest::collection::vec(prop::sample::select(&b"ab]-^\\"[..]), 0..8),
        ) {
            let expected = reference(&pattern, &text);
            prop_assert_eq!(matches(&pattern, &text, Case::Sensitive), expected);
        }

        #[test]
        fn never_panics(
            pattern in proptest::collection::vec(any::<u8>(), 0..40),
            text in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = matches(&pattern, &text, Case::Sensitive);
            let _ = matches(&pattern, &text, Case::Insensitive);
        }

        #[test]
        fn a_text_without_special_bytes_matches_itself(text in "[a-zA-Z0-9:._-]{0,40}") {
            prop_assert!(matches(text.as_bytes(), text.as_bytes(), Case::Sensitive));
            let upper = text.to_uppercase();
            prop_assert!(matches(upper.as_bytes(), text.as_bytes(), Case::Insensitive));
        }
    }
}
