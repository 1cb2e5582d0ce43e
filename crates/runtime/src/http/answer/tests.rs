use bytes::{Bytes, BytesMut};

use super::{Body, Framed, Garbled, Head, Piece, Reader};

fn read(text: &str, asked_head: bool) -> Result<Option<Head>, Garbled> {
    Reader::default().read(&mut BytesMut::from(text), asked_head)
}

#[test]
fn a_head_is_read_once_it_is_whole_however_it_comes() {
    let text = b"HTTP/1.1 200 OK\r\nA: 1\r\nConnection: close, x-gone\r\nX-Gone: 2\r\ncontent-length: 5\r\n\r\nhello";
    for step in [1, 2, 7, text.len()] {
        let (mut reader, mut buffer, mut heads) = (Reader::default(), BytesMut::new(), Vec::new());
        for piece in text.chunks(step) {
            buffer.extend_from_slice(piece);
            if heads.is_empty() {
                heads.extend(reader.read(&mut buffer, false).unwrap());
            }
        }
        let headers = vec![
            ("a".to_owned(), Bytes::from_static(b"1")),
            ("content-length".to_owned(), Bytes::from_static(b"5")),
        ];
        assert_eq!(
            heads,
            [Head { status: 200, headers, body: Framed::Length(5), keep: false }],
            "steps of {step}"
        );
        assert_eq!(&buffer[..], b"hello");
    }
}

#[test]
fn b1_heads_that_two_readers_could_read_differently_are_garbled() {
    let table = [
        ("HTTP/1.1 200 OK\nA: 1\r\n\r\n", "line_end"),
        ("HTTP/1.1 200 OK\r\nA: 1\r2\r\n\r\n", "line_end"),
        ("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "line_end"),
        ("HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\n\r\n", "folded_line"),
        ("HTTP/1.1 200 OK\r\nA : 1\r\n\r\n", "head"),
        ("HTTP/1.1 200 OK\r\n: 1\r\n\r\n", "head"),
        ("HTTP/2.0 200 OK\r\n\r\n", "head"),
        ("HTTP/1.1 99 Odd\r\n\r\n", "head"),
        ("HTTP/1.1 600 Odd\r\n\r\n", "status"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", "content_length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "content_length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", "content_length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", "content_length"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "transfer_encoding"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "transfer_encoding",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "two_lengths"),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "two_lengths"),
    ];
    for (text, why) in table {
        assert_eq!(read(text, false), Err(Garbled(why)), "{text:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(70_000));
    assert_eq!(read(&long, false), Err(Garbled("head_too_large")));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(129));
    assert_eq!(read(&many, false), Err(Garbled("headers")));
}

#[test]
fn the_length_follows_rfc_9112() {
    let framed = |text: &str, asked_head| read(text, asked_head).unwrap().map(|head| (head.body, head.keep));
    let five = "content-length: 5\r\n\r\n";
    for (text, asked_head, body, keep) in [
        (format!("HTTP/1.1 200 OK\r\n{five}"), false, Framed::Length(5), true),
        (format!("HTTP/1.1 200 OK\r\n{five}"), true, Framed::Nothing, true),
        (format!("HTTP/1.1 304 Same\r\n{five}"), false, Framed::Nothing, true),
        ("HTTP/1.1 204 No\r\n\r\n".to_owned(), false, Framed::Nothing, true),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), false, Framed::UntilClose, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n".to_owned(), false, Framed::Chunked, true),
        (format!("HTTP/1.0 200 OK\r\n{five}"), false, Framed::Length(5), false),
        (format!("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n{five}"), false, Framed::Length(5), true),
    ] {
        assert_eq!(framed(&text, asked_head), Some((body, keep)), "{text:?}");
    }
}

/// All of a body, fed in steps; what is left over; and whether it ended.
fn body(framed: Framed, bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), Garbled> {
    let (mut body, mut buffer, mut out, mut ended) = (Body::new(framed), BytesMut::new(), Vec::new(), false);
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match body.next(&mut buffer)? {
                Piece::Data(data) => out.extend_from_slice(&data),
                Piece::End => ended = true,
                Piece::More => {}
            }
            if ended || buffer.is_empty() || matches!(framed, Framed::Chunked) && !ended {
                break;
            }
        }
    }
    while !ended {
        match body.next(&mut buffer)? {
            Piece::Data(data) => out.extend_from_slice(&data),
            Piece::End => ended = true,
            Piece::More => break,
        }
    }
    Ok((out, buffer.to_vec(), ended))
}

#[test]
fn chunks_are_read_however_they_come() {
    let bytes = b"5\r\nhello\r\n1;ext=1\r\n \r\nA\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\nnext";
    for step in 1..bytes.len() {
        let (out, _, ended) = body(Framed::Chunked, bytes, step).unwrap();
        assert_eq!((out.as_slice(), ended), (&b"hello 0123456789"[..], true), "steps of {step}");
    }
    assert_eq!(body(Framed::Chunked, bytes, 1000).unwrap().1, b"next");
    assert!(!body(Framed::Chunked, b"5\r\nhel", 3).unwrap().2);
}

#[test]
fn b1_chunks_that_two_readers_could_read_differently_are_garbled() {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(300));
    let table: [(&[u8], &str); 8] = [
        (b"5\nhello\r\n0\r\n\r\n", "chunk_line"),
        (b"5\r\nhelloX\r\n0\r\n\r\n", "chunk_end"),
        (b"+5\r\nhello\r\n0\r\n\r\n", "chunk_size"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "chunk_size"),
        (b" 5\r\nhello\r\n0\r\n\r\n", "chunk_size"),
        (b"\r\nhello\r\n0\r\n\r\n", "chunk_size"),
        (b"1000000000000000\r\n", "chunk_size"),
        (long.as_bytes(), "chunk_line"),
    ];
    for (bytes, why) in table {
        assert_eq!(
            body(Framed::Chunked, bytes, 1000),
            Err(Garbled(why)),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(4000));
    assert_eq!(body(Framed::Chunked, trailers.as_bytes(), 100_000), Err(Garbled("trailers")));
}

#[test]
fn a_close_is_an_end_only_where_nothing_else_is() {
    assert!(Body::new(Framed::UntilClose).closed());
    assert!(Body::new(Framed::Nothing).closed());
    assert!(!Body::new(Framed::Length(3)).closed());
    assert!(!Body::new(Framed::Chunked).closed());
}
