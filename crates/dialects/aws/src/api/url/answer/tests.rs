use std::collections::BTreeMap;

use anyfn_types::{Code, Digest, FunctionName, Namespace, Version, VersionId, VersionState};
use http_body_util::BodyExt as _;

use super::*;
use crate::api::lambda::draft_defaults;

fn function() -> Function {
    let code = Code { digest: Digest([0; 32]), size: 1, unpacked: 1 };
    let latest = Version {
        id: VersionId(1),
        number: 0,
        code,
        config: draft_defaults(),
        modified: 0,
        revision: String::new(),
        state: VersionState::Active,
        notice: None,
    };
    Function {
        namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
        name: FunctionName::new("f").unwrap(),
        created: 0,
        latest,
        versions: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policy: Vec::new(),
        urls: BTreeMap::new(),
        async_configs: BTreeMap::new(),
        reserved: None,
        provisioned: BTreeMap::new(),
        tags: BTreeMap::new(),
        extra: BTreeMap::new(),
    }
}

/// Status, content type, and the body or that it was cut.
async fn given(stream: bool, result: Result<ReplyBody, Failure>) -> (u16, String, Result<String, ()>) {
    let (function, tasks) = (function(), Tasks::new());
    let answer = Answer { tasks: &tasks, function: &function, stream, limit: 32, id: InvocationId(1) };
    let reply = Reply { id: InvocationId(1), version: 0, result, head: None, billing: None, log_tail: None };
    let response = answer.give(reply).await;
    let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(drop);
    (status, kind, body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap()))
}

fn frames(kind: &str, all: Vec<Frame>) -> Result<ReplyBody, Failure> {
    let (sender, frames) = mpsc::channel(16);
    for frame in all {
        sender.try_send(frame).unwrap();
    }
    Ok(ReplyBody::Stream { content_type: Some(kind.to_owned()), frames })
}

fn data(text: &'static str) -> Frame {
    Frame::Data(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_prelude_may_come_in_pieces() {
    let all = || {
        vec![
            data("{\"statusCode\":201,\"headers\":{\"content-type\":\"text/x\"}}\0\0\0"),
            data("\0\0\0\0\0he"),
            data("llo"),
            Frame::End,
        ]
    };
    let wanted = (201, "text/x".to_owned(), Ok("hello".to_owned()));
    assert_eq!(given(true, frames(reply::PRELUDE_TYPE, all())).await, wanted);
    assert_eq!(given(false, frames(reply::PRELUDE_TYPE, all())).await, wanted);
}

#[tokio::test]
async fn streams_without_a_prelude_pass_and_a_failure_cuts_them() {
    let passed = given(true, frames("text/event-stream", vec![data("a"), data("b"), Frame::End])).await;
    assert_eq!(passed, (200, "text/event-stream".into(), Ok("ab".into())));
    let cut = given(true, frames("text/plain", vec![data("a")])).await;
    assert_eq!(cut, (200, "text/plain".into(), Err(())));
}

#[tokio::test]
async fn an_address_that_does_not_stream_collects_within_its_limit() {
    let whole = given(false, frames("x", vec![data("{\"statusCode\":202"), data("}"), Frame::End])).await;
    assert_eq!(whole, (202, "application/json".into(), Ok(String::new())));
    let long = given(false, frames("x", vec![data("0123456789"); 4])).await;
    assert_eq!(long, (502, "application/json".into(), Ok(BROKEN.into())));
}

#[tokio::test]
async fn b8_a_malformed_answer_is_a_502() {
    let broken = (502, "application/json".to_owned(), Ok(BROKEN.to_owned()));
    let bad = Bytes::from_static(br#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#);
    assert_eq!(given(false, Ok(ReplyBody::Whole(bad))).await, broken);
    let prelude = vec![data("{\"statusCode\":999}\0\0\0\0\0\0\0\0x"), Frame::End];
    assert_eq!(given(true, frames(reply::PRELUDE_TYPE, prelude)).await, broken);
    let endless = vec![Frame::Data(Bytes::from(vec![b'a'; reply::PRELUDE_MAX + 1]))];
    assert_eq!(given(true, frames(reply::PRELUDE_TYPE, endless)).await, broken);
    let failure = Failure { handled_by_runtime: true, error_type: "E".into(), payload: Bytes::new() };
    assert_eq!(given(true, Err(failure)).await, broken);
}
