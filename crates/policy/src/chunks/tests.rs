use http::{HeaderMap, HeaderName, HeaderValue};

use super::Chunks;
use crate::keys::Secret;
use crate::signature::{Body, Family, Refusal, Request, Signed};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const NOW: u64 = 1_369_353_600_000; // 2013-05-24T00:00:00Z

/// The upload of AWS's documentation: 65,536 and 1,024 times `a`, with the signatures printed there.
fn documented(trailer: bool) -> (Chunks, Vec<u8>) {
    let (names, seed, extra, payload, signatures) = if trailer {
        (
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            Some(("x-amz-trailer", "x-amz-checksum-crc32c")),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
        )
    } else {
        (
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            Some(("content-length", "66824")),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
        )
    };
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={names},Signature={seed}"
    );
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", payload),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("authorization", &authorization),
    ]
    .into_iter()
    .chain(extra)
    {
        headers.insert(
            HeaderName::from_static(Box::leak(name.to_owned().into_boxed_str())),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let request =
        Request { method: "PUT", path: "/examplebucket/chunkObject.txt", query: "", headers: &headers };
    let signed = Signed::parse(&request).unwrap();
    let verified = signed.verify(&request, &Secret::new(SECRET), Family::S3, Body::Later, NOW).unwrap();
    let mut body = Vec::new();
    for (size, signature) in [65_536, 1_024, 0].into_iter().zip(signatures) {
        body.extend(format!("{size:x};chunk-signature={signature}\r\n").bytes());
        body.resize(body.len() + size, b'a');
        if size > 0 {
            body.extend(b"\r\n");
        }
    }
    if trailer {
        body.extend(b"x-amz-checksum-crc32c:sOO8/Q==\r\n");
        body.extend(
            b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
        );
    }
    body.extend(b"\r\n");
    (verified.chunks.unwrap(), body)
}

/// Content and trailers.
type Parts = (Vec<u8>, Vec<(String, String)>);

fn run(mut chunks: Chunks, body: &[u8], step: usize) -> Result<Parts, Refusal> {
    let mut out = Vec::new();
    for piece in body.chunks(step) {
        chunks.feed(piece, &mut out)?;
    }
    Ok((out, chunks.finish(Some(66_560))?))
}

#[test]
fn the_documented_upload_is_verified_however_it_is_cut() {
    for step in [1, 7, 86, 1000, usize::MAX] {
        let (chunks, body) = documented(false);
        let (content, trailers) = run(chunks, &body, step).unwrap();
        assert_eq!(content, vec![b'a'; 66_560]);
        assert_eq!(trailers, []);
    }
}

#[test]
fn the_documented_trailer_is_verified() {
    let (chunks, body) = documented(true);
    let (content, trailers) = run(chunks, &body, 333).unwrap();
    assert_eq!(content.len(), 66_560);
    assert_eq!(trailers, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
}

#[test]
fn any_changed_byte_is_found() {
    for trailer in [false, true] {
        let length = documented(trailer).1.len();
        for at in (0..length).step_by(997).chain(length - 320..length) {
            let (chunks, mut body) = documented(trailer);
            body[at] ^= 1;
            assert!(run(chunks, &body, 4096).is_err(), "byte {at} of {length}, trailer {trailer}");
        }
    }
}

#[test]
fn a_body_that_ends_early_or_goes_on_is_refused() {
    for trailer in [false, true] {
        let length = documented(trailer).1.len();
        for cut in (0..length).step_by(1009).chain(length - 320..length) {
            let (chunks, body) = documented(trailer);
            assert!(run(chunks, &body[..cut], 4096).is_err(), "{cut} of {length}");
        }
        let (chunks, mut body) = documented(trailer);
        body.push(b'x');
        assert!(run(chunks, &body, 4096).is_err());
    }
}

#[test]
fn trailers_that_were_not_announced_are_refused() {
    let (chunks, mut body) = documented(false);
    body.truncate(body.len() - 2);
    body.extend(b"x-evil:1\r\n\r\n");
    assert!(run(chunks, &body, 4096).is_err());
}

#[test]
fn unsigned_chunks_are_framed_and_lines_are_bounded() {
    let feed = |body: &[u8]| {
        let mut chunks = Chunks::new(None, true);
        let mut out = Vec::new();
        chunks.feed(body, &mut out)?;
        Ok::<_, Refusal>((out, chunks.finish(None)?))
    };
    let (out, trailers) =
        feed(b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-Amz-Checksum-Crc32: AA==\r\n\r\n").unwrap();
    assert_eq!(out, b"hello!");
    assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "AA==".to_owned())]);
    for bad in [
        &b"5\nhello\r\n0\r\n\r\n"[..],
        b"\r\n",
        b"-5\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"0\r\nnocolon\r\n\r\n",
    ] {
        assert!(feed(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
    let mut chunks = Chunks::new(None, false);
    assert!(chunks.feed(&vec![b'1'; 1 << 20], &mut Vec::new()).is_err());
    assert!(chunks.line.len() < 5000);
}
