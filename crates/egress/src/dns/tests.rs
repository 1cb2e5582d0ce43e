use proptest::prelude::*;

use super::message::{Code, Question, truncated};

type Spoil = fn(&mut Vec<u8>);

fn query(name: &str) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.').filter(|l| !l.is_empty()) {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]); // EDNS
    message
}

#[test]
fn e1_metadata_names_are_denied_in_any_case_and_below() {
    let denied = crate::Options::default().denied_names;
    let rows = [
        ("metadata.google.internal", true),
        ("METADATA.Google.Internal", true),
        ("x.metadata.google.internal", true),
        ("instance-data", true),
        ("notmetadata.google.internal", false),
        ("metadata.google.internal.example.com", false),
        ("example.com", false),
        ("", false),
    ];
    for (name, wanted) in rows {
        let message = query(name);
        assert_eq!(Question::parse(&message).unwrap().is_below(&denied), wanted, "{name}");
    }
}

#[test]
fn a_refusal_is_an_answer_to_the_question_and_nothing_more() {
    let message = query("Example.com");
    let question = Question::parse(&message).unwrap();
    let answer = question.refuse(Code::NoSuchName);
    assert_eq!(answer[..12], [0xab, 0xcd, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answer.len(), message.len() - 11);
    let mut lower = answer.clone();
    lower[12..].make_ascii_lowercase();
    assert!(question.is_answered_by(&answer) && question.is_answered_by(&lower));
}

#[test]
fn another_id_or_question_is_no_answer() {
    let (message, other) = (query("a.example"), query("b.example"));
    let question = Question::parse(&message).unwrap();
    let good = question.refuse(Code::ServerFailure);
    assert!(question.is_answered_by(&good));
    assert!(!question.is_answered_by(&Question::parse(&other).unwrap().refuse(Code::ServerFailure)));
    let mut wrong_id = good.clone();
    wrong_id[0] ^= 1;
    assert!(!question.is_answered_by(&wrong_id) && !question.is_answered_by(&message));
    assert!(!question.is_answered_by(&good[..good.len() - 1]));
}

#[test]
fn what_is_no_plain_query_is_not_read() {
    let spoiled: [(&str, Spoil); 6] = [
        ("short", |m| m.truncate(11)),
        ("an answer", |m| m[2] |= 0x80),
        ("an update", |m| m[2] |= 0x28),
        ("two questions", |m| m[5] = 2),
        ("a compressed name", |m| m[12] = 0xc0),
        ("no end", |m| m.truncate(20)),
    ];
    for (name, spoil) in spoiled {
        let mut message = query("www.example.com");
        spoil(&mut message);
        assert_eq!(Question::parse(&message), None, "{name}");
    }
    assert_eq!(Question::parse(&query(&"abcdefgh.".repeat(30))), None);
}

#[test]
fn an_answer_that_does_not_fit_says_ask_again_over_tcp() {
    let message = query("example.com");
    let mut long = Question::parse(&message).unwrap().refuse(Code::Refused);
    long[7] = 9;
    long.extend([7; 2000]);
    let cut = truncated(&long).unwrap();
    assert_eq!((cut.len(), cut[2] & 2, cut[7]), (29, 2, 0));
}

proptest! {
    #[test]
    fn strange_messages_do_not_panic(tail in prop::collection::vec(any::<u8>(), 0..400), plain: bool) {
        let mut message = if plain { vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] } else { Vec::new() };
        message.extend(tail);
        if let Some(question) = Question::parse(&message) {
            prop_assert!(question.is_answered_by(&question.refuse(Code::Refused)));
        }
        let _ = truncated(&message);
    }
}
