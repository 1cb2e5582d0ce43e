use std::convert::Infallible;

use futures_util::stream;
use http_body::Frame;
use http_body_util::{Full, StreamBody};

use super::*;

/// One byte every `each`, without an end.
fn trickle(clock: Clock, each: Duration) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Unpin {
    StreamBody::new(Box::pin(stream::unfold(clock, move |clock| async move {
        clock.sleep(each).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), clock))
    })))
}

#[tokio::test(start_paused = true)]
async fn b5_a_body_that_trickles_is_cut_off_like_a_silent_one() {
    let clock = Clock::simulated(0);
    let budget = Budget::new(1 << 20);
    let began = clock.now();
    let slow =
        budget.read(&clock, trickle(clock.clone(), Duration::from_secs(1)), 1 << 20).await.unwrap_err();
    assert_eq!(slow.code, "body_timeout");
    assert!(clock.now() - began <= SILENCE + Duration::from_secs(1));
    let silent =
        budget.read(&clock, trickle(clock.clone(), Duration::from_secs(3600)), 1 << 20).await.unwrap_err();
    assert_eq!(silent.code, "body_timeout");
    assert_eq!(budget.0.available_permits(), (1 << 20) / PIECE, "the share was not given back");
}

#[tokio::test(start_paused = true)]
async fn b5_five_hundred_slow_bodies_hold_a_piece_each() {
    let clock = Clock::simulated(0);
    let budget = Budget::new(500 * PIECE);
    let slow = || budget.read(&clock, trickle(clock.clone(), Duration::from_secs(1)), 1 << 30);
    let all = futures_util::future::join_all((0..500).map(|_| slow()));
    let mut least = budget.0.available_permits();
    let watch = async {
        for _ in 0..20 {
            clock.sleep(Duration::from_secs(1)).await;
            least = least.min(budget.0.available_permits());
        }
    };
    let (ended, ()) = tokio::join!(all, watch);
    assert_eq!(least, 0, "each holds one piece of {PIECE} bytes");
    assert!(ended.iter().all(|e| e.as_ref().is_err_and(|e| e.code == "body_timeout")));
    assert_eq!(budget.0.available_permits(), 500);
}

#[tokio::test]
async fn a_body_past_its_limit_or_the_budget_is_refused() {
    let clock = Clock::system();
    let budget = Budget::new(8 * PIECE);
    let body = |n: usize| Full::new(Bytes::from(vec![b'x'; n]));
    assert_eq!(budget.read(&clock, body(101), 100).await.unwrap_err().code, "body_too_large");
    let held = budget.read(&clock, body(5 * PIECE), 1 << 20).await.unwrap();
    assert_eq!(held.bytes.len(), 5 * PIECE);
    assert_eq!(budget.read(&clock, body(4 * PIECE), 1 << 20).await.unwrap_err().code, "overloaded");
    drop(held);
    assert_eq!(budget.read(&clock, body(4 * PIECE), 1 << 20).await.unwrap().bytes.len(), 4 * PIECE);
}
