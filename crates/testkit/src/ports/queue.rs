//! Cases for `Queue`.

use std::{collections::BTreeSet, time::Duration};

use anyfn_base::TaskKind;
use anyfn_core::ports::{Append, Depth, Lease, Leased};
use anyfn_types::{Kind, MessageId, Millis};

use super::Ports;

const LONG: Lease = Lease(60_000);

fn message(id: u128, due: Millis) -> Append {
    Append { id: MessageId(id), body: id.to_string().into(), due }
}

async fn append(ports: &Ports, queue: &str, ids: impl IntoIterator<Item = u128>) {
    let messages = ids.into_iter().map(|id| message(id, 0)).collect();
    ports.queue.append(queue, messages).await.unwrap();
}

async fn lease(ports: &Ports, queue: &str, max: usize, lease: Lease) -> Vec<Leased> {
    let leased = ports.queue.lease(queue, max, lease).await.unwrap();
    assert!(leased.iter().all(|leased| leased.body == leased.id.0.to_string()));
    leased
}

fn ids(leased: &[Leased]) -> Vec<u128> {
    leased.iter().map(|leased| leased.id.0).collect()
}

async fn pass(ports: &Ports, ms: u64) {
    ports.base.clock.sleep(Duration::from_millis(ms)).await;
}

pub async fn first_in_first_out(ports: Ports) {
    append(&ports, "q", [5, 3]).await;
    append(&ports, "q", [9, 1, 4]).await;
    assert_eq!(ids(&lease(&ports, "q", 2, LONG).await), [5, 3]);
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [9, 1, 4]);
    assert_eq!(lease(&ports, "q", 10, LONG).await, []);
    assert_eq!(lease(&ports, "empty", 10, LONG).await, []);
    assert_eq!(ports.queue.lease("q", 0, LONG).await.unwrap_err().kind, Kind::Invalid);
}

pub async fn an_id_that_is_held_is_not_taken_twice(ports: Ports) {
    append(&ports, "q", [1, 1, 2]).await;
    append(&ports, "q", [2, 1]).await;
    let leased = lease(&ports, "q", 10, LONG).await;
    assert_eq!(ids(&leased), [1, 2]);
    append(&ports, "q", [1]).await;
    assert_eq!(ports.queue.depth("q").await.unwrap().ready, 0, "leased is held, too");
    ports.queue.ack("q", leased[0].id, leased[0].token).await.unwrap();
    append(&ports, "q", [1]).await;
    let again = lease(&ports, "q", 10, LONG).await;
    assert_eq!((ids(&again), again[0].attempt), (vec![1], 1), "after the ack it is a new message");
}

pub async fn a_lease_keeps_others_away_until_it_ends(ports: Ports) {
    append(&ports, "q", [1, 2]).await;
    let first = lease(&ports, "q", 1, Lease(1000)).await;
    assert_eq!(ids(&lease(&ports, "q", 10, Lease(1)).await), [2]);
    pass(&ports, 999).await;
    let second = lease(&ports, "q", 10, LONG).await;
    assert_eq!((ids(&second), second[0].attempt), (vec![2], 2));
    pass(&ports, 2).await;
    let third = lease(&ports, "q", 10, LONG).await;
    assert_eq!((ids(&third), third[0].attempt), (vec![1], 2));
    let queue = &ports.queue;
    let (id, old, new) = (first[0].id, first[0].token, third[0].token);
    for refused in [
        queue.ack("q", id, old).await,
        queue.extend("q", id, old, LONG).await,
        queue.release("q", id, old, 0).await,
        queue.bury("q", id, old, "x").await,
        queue.ack("q", MessageId(77), new).await,
        queue.ack("other", id, new).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.code), (Kind::Precondition, "lease_lost"));
    }
    queue.ack("q", id, new).await.unwrap();
    assert_eq!(queue.ack("q", id, new).await.unwrap_err().code, "lease_lost");
    assert_eq!(queue.depth("q").await.unwrap().leased, 1);
}

pub async fn extend_holds_on(ports: Ports) {
    append(&ports, "q", [1]).await;
    let held = lease(&ports, "q", 1, Lease(1000)).await;
    for _ in 0..5 {
        pass(&ports, 900).await;
        ports.queue.extend("q", held[0].id, held[0].token, Lease(1000)).await.unwrap();
    }
    assert_eq!(lease(&ports, "q", 1, LONG).await, []);
    pass(&ports, 1001).await;
    let refused = ports.queue.extend("q", held[0].id, held[0].token, LONG).await.unwrap_err();
    assert_eq!(refused.code, "lease_lost");
    assert_eq!(ids(&lease(&ports, "q", 1, LONG).await), [1]);
}

pub async fn release_comes_back_when_due(ports: Ports) {
    append(&ports, "q", [1, 2]).await;
    let held = lease(&ports, "q", 1, LONG).await;
    let due = ports.base.clock.wall() + 5000;
    ports.queue.release("q", held[0].id, held[0].token, due).await.unwrap();
    let depth = ports.queue.depth("q").await.unwrap();
    assert_eq!((depth.ready, depth.delayed, depth.leased), (1, 1, 0));
    let second = lease(&ports, "q", 10, LONG).await;
    assert_eq!(ids(&second), [2]);
    ports.queue.release("q", second[0].id, second[0].token, 0).await.unwrap();
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [2], "released for now means now");
    pass(&ports, 5001).await;
    let back = lease(&ports, "q", 10, LONG).await;
    assert_eq!((ids(&back), back[0].attempt), (vec![1], 2));
}

pub async fn h11_leases_follow_the_monotonic_clock(ports: Ports) {
    append(&ports, "q", [1]).await;
    let held = lease(&ports, "q", 1, Lease(10_000)).await;
    ports.base.clock.jump(3_600_000);
    assert_eq!(lease(&ports, "q", 1, LONG).await, [], "an hour forward ends no lease");
    ports.base.clock.jump(-7_200_000);
    pass(&ports, 10_001).await;
    assert_eq!(ids(&lease(&ports, "q", 1, LONG).await), [1], "an hour back holds no lease");
    assert_eq!(ports.queue.ack("q", held[0].id, held[0].token).await.unwrap_err().code, "lease_lost");
}

pub async fn h11_due_times_follow_the_wall_clock(ports: Ports) {
    let wall = ports.base.clock.wall();
    let messages = vec![message(1, wall + 3_600_000), message(2, wall + 1000), message(3, 0)];
    ports.queue.append("q", messages).await.unwrap();
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [3]);
    pass(&ports, 1001).await;
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [2]);
    ports.base.clock.jump(3_600_000);
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [1]);
}

pub async fn h14_poison_is_buried_and_redriven(ports: Ports) {
    append(&ports, "q", [1, 2]).await;
    for attempt in 1..=3 {
        let held = lease(&ports, "q", 1, LONG).await;
        assert_eq!((ids(&held), held[0].attempt), (vec![1], attempt));
        ports.queue.release("q", held[0].id, held[0].token, 0).await.unwrap();
    }
    let held = lease(&ports, "q", 1, LONG).await;
    ports.queue.bury("q", held[0].id, held[0].token, &"ü".repeat(2000)).await.unwrap();
    let appended = held[0].appended;
    let oldest = Some(appended);
    let expected = Depth { ready: 1, delayed: 0, leased: 0, dead: 1, oldest };
    assert_eq!(ports.queue.depth("q").await.unwrap(), expected);
    pass(&ports, 100_000_000).await;
    assert_eq!(ids(&lease(&ports, "q", 10, Lease(1)).await), [2], "the dead stay dead");
    append(&ports, "q", [1]).await;
    assert_eq!(ports.queue.depth("q").await.unwrap().dead, 1, "the dead are held");
    assert_eq!(ports.queue.redrive("q").await.unwrap(), 1);
    assert_eq!(ports.queue.redrive("q").await.unwrap(), 0);
    let back = lease(&ports, "q", 1, LONG).await;
    assert_eq!((ids(&back), back[0].attempt, back[0].appended), (vec![1], 1, appended));
}

pub async fn purge_empties(ports: Ports) {
    append(&ports, "q", 0..10).await;
    append(&ports, "other", [1]).await;
    let held = lease(&ports, "q", 2, LONG).await;
    ports.queue.bury("q", held[0].id, held[0].token, "x").await.unwrap();
    assert_eq!(ports.queue.purge("q").await.unwrap(), 10);
    assert_eq!(ports.queue.purge("q").await.unwrap(), 0);
    assert_eq!(ports.queue.depth("q").await.unwrap(), Depth::default());
    assert_eq!(ports.queue.ack("q", held[1].id, held[1].token).await.unwrap_err().code, "lease_lost");
    assert_eq!(ports.queue.depth("other").await.unwrap().ready, 1);
    append(&ports, "q", [3]).await;
    assert_eq!(ids(&lease(&ports, "q", 10, LONG).await), [3]);
}

/// Runs `ready` beside the test; the handle ends when it does.
macro_rules! waiter {
    ($ports:ident) => {{
        let (queue, clock) = ($ports.queue.clone(), $ports.base.clock.clone());
        let work = async move {
            queue.ready("q").await;
            clock.wall()
        };
        let task = $ports.base.tasks.spawn(TaskKind::Request, "waiter", work);
        pass(&$ports, 1).await;
        task
    }};
}

pub async fn ready_wakes_on_append(ports: Ports) {
    let waiters = [waiter!(ports), waiter!(ports)];
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
    append(&ports, "other", [1]).await;
    pass(&ports, 100_000).await;
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
    append(&ports, "q", [1]).await;
    for waiter in waiters {
        waiter.await.unwrap();
    }
    ports.queue.ready("q").await;
}

pub async fn ready_wakes_when_a_lease_ends(ports: Ports) {
    append(&ports, "q", [1]).await;
    let began = ports.base.clock.wall();
    lease(&ports, "q", 1, Lease(5000)).await;
    let woke = waiter!(ports).await.unwrap().unwrap();
    assert!((5000..5100).contains(&(woke - began)), "{}", woke - began);
}

pub async fn ready_wakes_when_due(ports: Ports) {
    let began = ports.base.clock.wall();
    let waiter = waiter!(ports);
    ports.queue.append("q", vec![message(1, began + 3_000_000)]).await.unwrap();
    ports.queue.append("q", vec![message(2, began + 700)]).await.unwrap();
    let woke = waiter.await.unwrap().unwrap();
    assert!((700..800).contains(&(woke - began)), "{}", woke - began);
}

pub async fn queues_are_apart_and_named(ports: Ports) {
    append(&ports, "a/2", [1]).await;
    append(&ports, "a/1", [1]).await;
    append(&ports, "b", [1]).await;
    assert_eq!(ports.queue.queues("a/").await.unwrap(), ["a/1", "a/2"]);
    let held = lease(&ports, "a/1", 1, LONG).await;
    ports.queue.ack("a/1", held[0].id, held[0].token).await.unwrap();
    assert_eq!(ports.queue.queues("").await.unwrap(), ["a/2", "b"]);
    for name in ["", "a\0", &"x".repeat(257)] {
        assert_eq!(ports.queue.depth(name).await.unwrap_err().kind, Kind::Invalid);
    }
}

/// Eight takers, 200 messages: each message is taken once and acked once.
pub async fn every_message_goes_to_one_taker(ports: Ports) {
    append(&ports, "q", 0..200).await;
    let mut takers = Vec::new();
    for _ in 0..8 {
        let queue = ports.queue.clone();
        takers.push(ports.base.tasks.spawn(TaskKind::Request, "taker", async move {
            let mut taken = Vec::new();
            loop {
                let leased = queue.lease("q", 7, LONG).await.unwrap();
                if leased.is_empty() {
                    return taken;
                }
                for leased in leased {
                    queue.ack("q", leased.id, leased.token).await.unwrap();
                    taken.push(leased.id.0);
                }
            }
        }));
    }
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap().unwrap());
    }
    assert_eq!((all.len(), all.into_iter().collect::<BTreeSet<_>>().len()), (200, 200));
    assert_eq!(ports.queue.depth("q").await.unwrap(), Depth::default());
}
