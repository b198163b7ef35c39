//! The harness tested against itself: what it reports about a server must be beyond doubt.

mod support;

use support::{
    Fields, NIL, NIL_ARRAY, Reply, Resp, argument_vector, array, bulk, double, encode, key_in_slot,
    map, measure, parse, set, slot_of, verbatim,
};

#[test]
fn arguments_split_at_blanks_and_keep_quoted_bytes() {
    assert_eq!(argument_vector("  SET  k v "), [b"SET".to_vec(), b"k".into(), b"v".into()]);
    assert_eq!(
        argument_vector(r#"a "b c" '' "\x00\xff\n\"" 'it\'s'"#),
        [b"a".to_vec(), b"b c".into(), b"".into(), b"\x00\xff\n\"".into(), b"it's".into(),]
    );
    assert!(argument_vector("").is_empty());
}

#[test]
#[should_panic(expected = "unbalanced")]
fn an_open_quote_is_a_mistake_in_the_test() {
    argument_vector("SET \"k v");
}

#[test]
fn commands_become_arrays_of_bulk_strings() {
    assert_eq!(encode("GET k"), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    assert_eq!(encode(["SET", "", "a b"]), b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\na b\r\n");
}

#[test]
fn expectations_render_to_either_protocol() {
    let expected = map([("a", NIL), ("b", set([bulk("x")])), ("c", double("1.5"))]);
    let resp2 = b"*6\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n*1\r\n$1\r\nx\r\n$1\r\nc\r\n$3\r\n1.5\r\n";
    let resp3 = b"%3\r\n$1\r\na\r\n_\r\n$1\r\nb\r\n~1\r\n$1\r\nx\r\n$1\r\nc\r\n,1.5\r\n";
    assert_eq!(expected.render(Resp::Two), resp2);
    assert_eq!(expected.render(Resp::Three), resp3);
    assert_eq!(NIL_ARRAY.render(Resp::Two), b"*-1\r\n");
    assert_eq!(NIL_ARRAY.render(Resp::Three), b"_\r\n");
    assert_eq!(verbatim("hi").render(Resp::Two), b"$2\r\nhi\r\n");
    assert_eq!(verbatim("hi").render(Resp::Three), b"=6\r\ntxt:hi\r\n");
    assert_eq!(array([1, 2]).render(Resp::Two), b"*2\r\n:1\r\n:2\r\n");
}

/// One reply of every kind, nested.
const EVERY_KIND: &[u8] = b"|1\r\n+a\r\n:1\r\n%1\r\n$1\r\nk\r\n*9\r\n+s\r\n:-7\r\n$2\r\n\r\n\r\n\
    _\r\n,1.5\r\n#t\r\n(123\r\n=5\r\ntxt:x\r\n~1\r\n>1\r\n-ERR no\r\n";

#[test]
fn the_parser_reads_every_kind() {
    let (reply, length) = parse(EVERY_KIND).expect("complete");
    assert_eq!(length, EVERY_KIND.len());
    let Reply::Attributed(attributes, inner) = reply else { panic!("{reply:?}") };
    assert_eq!(attributes, [(Reply::Simple("a".into()), Reply::Integer(1))]);
    let value = inner.field("k").expect("the entry k");
    assert_eq!(value.elements().len(), 9);
    assert_eq!(value.elements()[2], Reply::Bulk(b"\r\n".into()));
    let push = Reply::Push(vec![Reply::Error("ERR no".into())]);
    assert_eq!(value.elements()[8], Reply::Set(vec![push]));
}

#[test]
fn an_incomplete_reply_is_no_reply_at_any_length() {
    assert_eq!(measure(EVERY_KIND), Some(EVERY_KIND.len()));
    for length in 0..EVERY_KIND.len() {
        assert_eq!(measure(&EVERY_KIND[..length]), None, "at {length}");
        assert_eq!(parse(&EVERY_KIND[..length]), None, "at {length}");
    }
}

#[test]
fn slots_agree_with_the_published_examples() {
    assert_eq!(slot_of(b"123456789"), 0x31c3);
    assert_eq!(slot_of(b"foo{bar}baz"), slot_of(b"bar"));
    assert_eq!(slot_of(b"foo{}{bar}"), slot_of(b"foo{}{bar}"));
    assert_ne!(slot_of(b"{}bar"), slot_of(b"bar"));
    assert_eq!(slot_of(key_in_slot(16_383, "name").as_bytes()), 16_383);
}

#[test]
fn fields_keep_values_with_separators_inside() {
    let info = Fields::of_info("# Server\r\nredis_version:7.0.15\r\nos:a:b\r\n\r\n# X\r\nn:12\r\n");
    assert_eq!(info.names(), ["redis_version", "os", "n"]);
    assert_eq!(info.text("os"), "a:b");
    assert_eq!(info.number("n"), 12);
    let client = Fields::of_client("id=3 addr=127.0.0.1:1 name= cmd=client|list\n");
    assert_eq!((client.text("addr"), client.text("name")), ("127.0.0.1:1", ""));
}
