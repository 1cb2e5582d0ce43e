//! Tables over the states of a guest.

use std::sync::Arc;

use bytes::Bytes;

use super::{Event, Machine, Phase, Refusal};
use crate::answer::Call;

fn call(id: &str) -> Arc<Call> {
    Arc::new(Call {
        id: id.to_owned(),
        body: Bytes::new(),
        deadline_ms: 0,
        arn: String::new(),
        trace: String::new(),
        client_context: String::new(),
    })
}

/// What a runtime does, one letter each: `n`ext, `b`egin (the platform), `t`ake, `r`esponse begins, `e`nds, `i`nit error,
/// `w`rong id. A step that must be refused is upper case.
fn walk(steps: &str) -> Phase {
    let mut machine = Machine::new(Vec::new());
    for (at, step) in steps.chars().enumerate() {
        let done = match step.to_ascii_lowercase() {
            'n' => machine.next().is_ok(),
            'b' => {
                machine.begin(call("id"));
                true
            }
            't' => machine.take().is_some(),
            'r' => machine.answer("id").is_ok(),
            'w' => machine.answer("other") != Err(Refusal::InvalidRequestId),
            'e' => {
                machine.answered();
                true
            }
            'i' => machine.init_error().is_ok(),
            other => panic!("no step `{other}`"),
        };
        assert_eq!(done, step.is_ascii_lowercase(), "step {at} of `{steps}`");
    }
    machine.phase()
}

#[test]
fn a_runtime_walks_its_states_and_no_others() {
    let table = [
        ("", Phase::Init),
        ("n", Phase::Ready),
        ("nn", Phase::Ready),
        ("nT", Phase::Ready),
        ("nb", Phase::Invoking),
        ("nbtT", Phase::Invoking),
        ("nbtr", Phase::Answering),
        ("nbtre", Phase::Answered),
        ("nbtren", Phase::Ready),
        ("nbtrenbtren", Phase::Ready),
        ("i", Phase::InitError),
        // refused
        ("R", Phase::Init),
        ("W", Phase::Init),
        ("iN", Phase::InitError),
        ("iI", Phase::InitError),
        ("nI", Phase::Ready),
        ("nbN", Phase::Invoking),
        ("nbWr", Phase::Answering),
        ("nbrR", Phase::Answering),
        ("nbrN", Phase::Answering),
        ("nbreR", Phase::Answered),
        ("nbreI", Phase::Answered),
        ("nbrenR", Phase::Ready),
    ];
    for (steps, phase) in table {
        assert_eq!(walk(steps), phase, "`{steps}`");
    }
}

#[test]
fn refusals_name_both_states() {
    let mut machine = Machine::new(Vec::new());
    machine.next().unwrap();
    machine.begin(call("id"));
    assert_eq!(machine.next(), Err(Refusal::InvalidState { from: "Running", to: "Ready" }));
}

/// An external extension `a` that is registered for both events under the id `A`.
fn with_extension() -> Machine {
    let mut machine = Machine::new(vec!["a".to_owned()]);
    machine.extensions.register("a", &["INVOKE".to_owned(), "SHUTDOWN".to_owned()], "A".to_owned()).unwrap();
    machine
}

#[test]
fn a_guest_rests_when_the_runtime_and_all_extensions_ask_for_more() {
    let mut machine = with_extension();
    machine.next().unwrap();
    assert!(!machine.at_rest(), "the extension has not asked");
    machine.extensions.next("A").unwrap();
    assert!(machine.at_rest());
    machine.begin(call("id"));
    machine.answer("id").unwrap();
    machine.answered();
    machine.next().unwrap();
    assert!(!machine.at_rest(), "an event is on its way");
    assert!(matches!(machine.extensions.take("A"), Some(Event::Invoke(call)) if call.id == "id"));
    assert!(machine.extensions.take("A").is_none(), "once");
    assert!(!machine.at_rest(), "it works on the event");
    machine.extensions.next("A").unwrap();
    assert!(machine.at_rest());
}

#[test]
fn only_subscribers_are_told() {
    let mut machine = Machine::new(vec!["a".to_owned(), "b".to_owned()]);
    assert!(!machine.extensions.registered());
    machine.extensions.register("a", &[], "A".to_owned()).unwrap();
    machine.extensions.register("b", &["SHUTDOWN".to_owned()], "B".to_owned()).unwrap();
    assert!(machine.extensions.registered());
    for id in ["A", "B"] {
        machine.extensions.next(id).unwrap();
    }
    machine.next().unwrap();
    machine.begin(call("id"));
    assert!(machine.extensions.take("A").is_none() && machine.extensions.take("B").is_none());
    assert!(machine.extensions.shutdown("spindown", 7));
    assert!(machine.extensions.take("A").is_none());
    assert!(matches!(
        machine.extensions.take("B"),
        Some(Event::Shutdown { reason: "spindown", deadline_ms: 7 })
    ));
    assert!(machine.extensions.wants_shutdown("b") && !machine.extensions.wants_shutdown("a"));
}

#[test]
fn at_most_ten_extensions() {
    let mut machine = Machine::new(Vec::new());
    for n in 0..10 {
        machine.extensions.register(&format!("inner{n}"), &[], n.to_string()).unwrap();
    }
    let eleventh = machine.extensions.register("inner10", &[], "10".to_owned());
    assert!(matches!(eleventh, Err(Refusal::Extension { error_type: "Extension.TooManyExtensions", .. })));
    let twice = machine.extensions.register("inner1", &[], "x".to_owned());
    assert!(matches!(twice, Err(Refusal::Extension { error_type: "Extension.InvalidExtensionState", .. })));
}

#[test]
fn exits_have_the_type_of_what_was_said_before() {
    let mut machine = with_extension();
    assert_eq!(machine.extensions.exit_type("a"), "Extension.Crash");
    machine.extensions.error("A", true).unwrap();
    assert_eq!(machine.extensions.exit_type("a"), "Extension.InitError");
    let mut machine = with_extension();
    machine.extensions.next("A").unwrap();
    assert!(machine.extensions.error("A", true).is_err(), "its init phase is over");
    machine.extensions.error("A", false).unwrap();
    assert_eq!(machine.extensions.exit_type("a"), "Extension.ExitError");
}
