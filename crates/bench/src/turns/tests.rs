use std::cell::RefCell;

use super::*;

#[test]
fn they_take_turns_and_warm_ups_do_not_count() {
    let order = RefCell::new(String::new());
    let work = |name: &'static str| {
        let order = &order;
        move || {
            order.borrow_mut().push_str(name);
            Ok(order.borrow().len() as f64)
        }
    };
    let taken = take(2, 1, vec![Contender::new("a", work("a")), Contender::new("b", work("b"))]);
    assert_eq!(*order.borrow(), "ababab");
    assert_eq!((taken[0].1.as_slice(), taken[1].1.as_slice()), (&[3.0, 5.0][..], &[4.0, 6.0][..]));
}

#[test]
fn who_fails_says_why_and_the_others_go_on() {
    let mut left = 2;
    let failing = || {
        left -= 1;
        anyhow::ensure!(left > 0, "it broke");
        Ok(1.0)
    };
    let never: anyhow::Result<fn() -> anyhow::Result<f64>> = Err(anyhow::anyhow!("not here"));
    let contenders =
        vec![Contender::new("a", || Ok(5.0)), Contender::new("b", failing), Contender::set_up("c", never)];
    let found = sides(3, 0, contenders);
    assert_eq!(found[0].summary.as_ref().map(|summary| summary.count), Some(3));
    assert_eq!((found[1].not_run.as_deref(), &found[1].summary), (Some("it broke"), &None));
    assert_eq!(found[2].not_run.as_deref(), Some("not here"));
}
