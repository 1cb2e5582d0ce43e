use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::Fair;

#[test]
fn d1_a_crowd_of_one_group_does_not_hold_up_another() {
    let mut fair = Fair::new(100);
    (0..1000).for_each(|n| fair.push(&"crowd", n));
    let first: Vec<_> = (0..4).filter_map(|_| fair.take()).collect();
    assert_eq!(first, [("crowd", 0), ("crowd", 1), ("crowd", 2), ("crowd", 3)]);
    fair.push(&"other", 7);
    assert_eq!(fair.take(), Some(("other", 7)), "it holds nothing yet, so it is next");
    assert_eq!(fair.take(), Some(("crowd", 4)));
}

#[test]
fn groups_that_hold_as_much_take_turns() {
    let mut fair = Fair::new(100);
    for n in 0..3 {
        fair.push(&"a", n);
        fair.push(&"b", n);
    }
    let order: Vec<_> = std::iter::from_fn(|| fair.take()).map(|(group, _)| group).collect();
    assert_eq!(order, ["a", "b", "a", "b", "a", "b"]);
}

#[test]
fn a_group_holds_no_more_than_its_share_and_then_leaves_nothing_behind() {
    let mut fair = Fair::new(2);
    (0..5).for_each(|n| fair.push(&"a", n));
    assert_eq!((fair.take(), fair.take(), fair.take()), (Some(("a", 0)), Some(("a", 1)), None));
    fair.give_back(&"a");
    assert_eq!(fair.take(), Some(("a", 2)));
    for _ in 0..4 {
        fair.give_back(&"a");
        fair.take();
    }
    fair.give_back(&"a");
    fair.give_back(&"a");
    assert_eq!(fair.groups(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Take,
    GiveBack(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8).prop_map(Step::Push),
        3 => proptest::prelude::Just(Step::Take),
        2 => (0..5_u8).prop_map(Step::GiveBack),
    ]
}

proptest! {
    #[test]
    fn the_next_is_always_of_a_group_that_holds_fewest(steps in prop::collection::vec(step(), 0..300)) {
        let mut fair = Fair::new(3);
        let (mut held, mut waiting): (BTreeMap<u8, usize>, BTreeMap<u8, VecDeque<usize>>) = Default::default();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(group) => {
                    fair.push(&group, n);
                    waiting.entry(group).or_default().push_back(n);
                }
                Step::GiveBack(group) => {
                    fair.give_back(&group);
                    let held = held.entry(group).or_default();
                    *held = held.saturating_sub(1);
                }
                Step::Take => {
                    let holds = |group: &u8| held.get(group).copied().unwrap_or(0);
                    let fewest = waiting.iter().filter(|(_, w)| !w.is_empty()).map(|(g, _)| holds(g)).min();
                    match fair.take() {
                        None => prop_assert!(fewest.is_none_or(|fewest| fewest >= 3)),
                        Some((group, value)) => {
                            prop_assert_eq!(Some(holds(&group)), fewest);
                            prop_assert_eq!(waiting.get_mut(&group).and_then(VecDeque::pop_front), Some(value));
                            *held.entry(group).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
}
