use super::*;

#[test]
fn an_id_is_not_used_again_while_its_sandbox_lives() {
    let mut users = Users::new("a");
    let all: BTreeSet<u32> = (0..RANGE).filter_map(|_| users.take()).collect();
    assert_eq!(all.len(), RANGE as usize);
    assert_eq!(users.take(), None);
    let one = *all.iter().nth(7).unwrap();
    users.give_back(one);
    assert_eq!(users.take(), Some(one));
    assert_eq!(users.take(), None);
}

#[test]
fn ids_given_back_are_the_last_to_be_used_again() {
    let mut users = Users::new("a");
    let first = users.take().unwrap();
    users.give_back(first);
    assert_eq!(users.take(), Some(first + 1));
}

#[test]
fn names_pick_ranges_that_do_not_overlap() {
    let (a, b) = (Users::new("a").base, Users::new("b").base);
    assert!(a.abs_diff(b) >= RANGE);
    assert!(FIRST.checked_add(RANGES * RANGE).is_some());
}
