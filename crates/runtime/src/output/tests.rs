//! Cutting, whatever the pieces in which the bytes come.

use bytes::Bytes;

use super::cut::{Lines, Records};

fn lines(limit: usize, pieces: &[&[u8]]) -> Vec<Bytes> {
    let (mut lines, mut out) = (Lines::new(limit), Vec::new());
    pieces.iter().for_each(|piece| lines.feed(piece, &mut out));
    lines.flush(&mut out);
    out
}

fn record(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0xA5, 0x5A, 0x00, 0x03][..], &length, &[0; 8], text.as_bytes()].concat()
}

fn records(limit: usize, bytes: &[u8], piece: usize) -> Vec<Bytes> {
    let (mut records, mut out) = (Records::new(limit), Vec::new());
    bytes.chunks(piece).for_each(|piece| records.feed(piece, &mut out));
    records.flush(&mut out);
    out
}

#[test]
fn lines_end_where_they_end() {
    let table: [(&[&[u8]], &[&str]); 7] = [
        (&[b""], &[]),
        (&[b"a\nb\n"], &["a", "b"]),
        (&[b"a\n\nb"], &["a", "", "b"]),
        (&[b"a", b"b", b"\nc"], &["ab", "c"]),
        (&[b"12345678\n"], &["12345678"]),
        (&[b"123456789\nx\n"], &["12345678[truncated]", "x"]),
        (&[b"12345678", b"9", b"0", b"\n\xff\n"], &["12345678[truncated]", "\u{fffd}"]),
    ];
    for (pieces, expected) in table {
        assert_eq!(lines(8, pieces), expected, "{pieces:?}");
    }
}

#[test]
fn records_are_one_event_each_in_pieces_of_any_size() {
    let bytes = [record("one\ntwo\n"), record("3"), record(""), record("123456789")].concat();
    for piece in [1, 2, 7, 16, 17, 1000] {
        // An empty record has nothing to say.
        assert_eq!(records(8, &bytes, piece), ["one\ntwo", "3", "12345678[truncated]"], "pieces of {piece}");
    }
}

#[test]
fn what_is_no_record_is_taken_as_lines_for_good() {
    let bytes = [record("one"), b"plain\ntext ".to_vec(), record("two")].concat();
    for piece in [1, 5, 1000] {
        let out = records(100, &bytes, piece);
        assert_eq!(out[..2], ["one", "plain"]);
        assert!(out[2].starts_with(b"text "));
    }
}
