use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::{Agenda, Instant};

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u16),
    Remove(u8),
    Pop,
    Due(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8, any::<u16>()).prop_map(|(key, at)| Step::Set(key, at)),
        2 => (0..12_u8).prop_map(Step::Remove),
        1 => proptest::prelude::Just(Step::Pop),
        2 => any::<u16>().prop_map(Step::Due),
    ]
}

/// The slow way: a map that is searched for its least.
fn least(model: &BTreeMap<u8, u16>) -> Option<(u16, u8)> {
    model.iter().map(|(key, at)| (*at, *key)).min()
}

proptest! {
    #[test]
    fn an_agenda_is_a_map_that_knows_its_least(steps in prop::collection::vec(step(), 0..200)) {
        let origin = Instant::now();
        let at = |ms: u16| origin + Duration::from_millis(u64::from(ms));
        let (mut agenda, mut model) = (Agenda::default(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Set(key, ms) => {
                    model.insert(key, ms);
                    let first = least(&model).map(|(_, first)| first) == Some(key);
                    prop_assert_eq!(agenda.set(key, at(ms), key), first);
                }
                Step::Remove(key) => prop_assert_eq!(agenda.remove(key).is_some(), model.remove(&key).is_some()),
                Step::Pop => {
                    let wanted = least(&model);
                    wanted.map(|(_, key)| model.remove(&key));
                    prop_assert_eq!(agenda.pop(), wanted.map(|(ms, key)| (at(ms), key)));
                }
                Step::Due(ms) => {
                    let wanted = least(&model).filter(|(first, _)| *first <= ms);
                    wanted.map(|(_, key)| model.remove(&key));
                    prop_assert_eq!(agenda.pop_due(at(ms)), wanted.map(|(_, key)| key));
                }
            }
            prop_assert_eq!(agenda.first(), least(&model).map(|(ms, _)| at(ms)));
            prop_assert_eq!(agenda.is_empty(), model.is_empty());
        }
    }
}
