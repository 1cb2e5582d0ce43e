//! The pool's laws, under anything that may happen to it in any order.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyfn_core::{
    Reply,
    ports::{GuestEvent, InvokeError},
};
use anyfn_types::{
    Code, Config, Contract, Digest, Ephemeral, FunctionName, Invocation, Logging, Namespace, Placement,
    VersionId, VersionState,
};
use async_trait::async_trait;
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;

struct Nobody;

#[async_trait]
impl Guest for Nobody {
    async fn invoke(&mut self, _: &Invocation, _: Option<Instant>) -> Result<Reply, InvokeError> {
        Err(InvokeError::Platform(Error::internal("nobody", "nobody is here")))
    }
    async fn settled(&mut self) -> bool {
        true
    }
    async fn idle(&mut self) -> GuestEvent {
        std::future::pending().await
    }
    async fn pause(&mut self) -> Result<(), Error> {
        Ok(())
    }
    async fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }
    async fn retire(self: Box<Self>, _: &'static str) {}
}

fn resolved(calls_max: u32) -> Resolved {
    let config = Config {
        contract: Contract::Lambda,
        runtime: String::new(),
        handler: String::new(),
        command: Vec::new(),
        description: String::new(),
        role: String::new(),
        env: Default::default(),
        memory_mib: 128,
        timeout_ms: 0,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: String::new(),
        logging: Logging::default(),
        placement: Placement { tier: None, calls_max },
        extra: BTreeMap::new(),
    };
    let version = Version {
        id: VersionId(1),
        number: 0,
        code: Code { digest: Digest([0; 32]), size: 0, unpacked: 0 },
        config,
        modified: 0,
        revision: String::new(),
        state: VersionState::Active,
        notice: None,
    };
    let function = Function {
        namespace: Namespace::new("n").unwrap(),
        name: FunctionName::new("f").unwrap(),
        created: 0,
        latest: version.clone(),
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
    };
    Resolved { function: Arc::new(function), version: Arc::new(version) }
}

#[derive(Clone, Debug)]
enum Step {
    Ask,
    Hurry,
    Begin,
    Check,
    Up(u16),
    Fail,
    GiveBack(u8),
    Lose(u8),
    CallerLeaves(u8),
    Wait(u16),
    Look,
    Cooled(u8),
    Evict,
    Keep(Option<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::prelude::Just(Step::Ask),
        1 => proptest::prelude::Just(Step::Hurry),
        6 => proptest::prelude::Just(Step::Begin),
        2 => proptest::prelude::Just(Step::Check),
        5 => any::<u16>().prop_map(Step::Up),
        1 => proptest::prelude::Just(Step::Fail),
        6 => any::<u8>().prop_map(Step::GiveBack),
        1 => any::<u8>().prop_map(Step::Lose),
        1 => any::<u8>().prop_map(Step::CallerLeaves),
        4 => any::<u16>().prop_map(Step::Wait),
        4 => proptest::prelude::Just(Step::Look),
        3 => any::<u8>().prop_map(Step::Cooled),
        1 => proptest::prelude::Just(Step::Evict),
        1 => prop::option::weighted(0.9, 0..3_u8).prop_map(Step::Keep),
    ]
}

/// A pool and everything that is out of it.
struct World {
    pool: Arc<Pool>,
    rounds: Arc<Rounds>,
    limits: Limits,
    now: Instant,
    calls_max: u64,
    /// In calls, and taken out to be cooled.
    busy: Vec<Instance>,
    cooling: Vec<Instance>,
    callers: Vec<oneshot::Receiver<Grant>>,
    starting: usize,
    answered: usize,
    asked: usize,
}

impl World {
    fn new(calls_max: u32) -> Self {
        let limits = Limits { pause_after_ms: 2_000, retire_after_ms: 20_000, ..Limits::default() };
        let rounds = Arc::new(Rounds::default());
        let pool = Pool::new(&resolved(calls_max), rounds.clone(), &limits);
        let now = Instant::now();
        let (busy, cooling, callers) = Default::default();
        let calls_max = u64::from(calls_max);
        Self {
            pool,
            rounds,
            limits,
            now,
            calls_max,
            busy,
            cooling,
            callers,
            starting: 0,
            answered: 0,
            asked: 0,
        }
    }

    fn fresh(&self) -> Instance {
        Instance {
            id: InstanceId(0),
            guest: Box::new(Nobody),
            idle_since: self.now,
            taken: self.now,
            paused: false,
            cooled: false,
            calls: 0,
            init_us: None,
            living: Living::new(self.rounds.clone(), 10),
        }
    }

    fn gone(&self, instance: Instance) {
        drop(instance);
        self.pool.lost(false, self.now);
    }

    fn back(&self, back: Back) {
        if let Back::Retire(instance) = back {
            self.gone(instance);
        }
    }

    fn ask(&self) -> Asked {
        match self.pool.ask(self.now, &self.limits) {
            Asked::Gone => {
                self.pool.revive(true, self.now);
                self.pool.ask(self.now, &self.limits)
            }
            asked => asked,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Ask => match self.ask() {
                Asked::Warm(instance) => {
                    (self.asked, self.answered) = (self.asked + 1, self.answered + 1);
                    self.busy.push(instance);
                }
                Asked::Wait { grant, .. } => {
                    self.asked += 1;
                    self.callers.push(grant);
                }
                Asked::Refused(_) | Asked::Gone => {}
            },
            Step::Hurry => {
                self.pool.hurry(Duration::from_secs(1), &mut 0);
            }
            Step::Begin => self.starting += usize::from(self.pool.begin_start(self.now)),
            Step::Check if self.starting > 0 => {
                self.starting -= usize::from(!self.pool.still_wanted(self.now));
            }
            Step::Up(took) if self.starting > 0 => {
                self.starting -= 1;
                let took = Duration::from_millis(u64::from(*took % 500));
                let back = self.pool.started(self.fresh(), took, self.now);
                self.back(back);
            }
            Step::Fail if self.starting > 0 => {
                self.starting -= 1;
                let error = Error::internal("no", "start");
                self.pool.start_failed(&Refusal::Platform(Arc::new(error)), self.now);
            }
            Step::GiveBack(at) if !self.busy.is_empty() => {
                let instance = self.busy.swap_remove(usize::from(*at) % self.busy.len());
                let back = self.pool.give_back(instance, false, self.now);
                self.back(back);
            }
            Step::Lose(at) if !self.busy.is_empty() => {
                let instance = self.busy.swap_remove(usize::from(*at) % self.busy.len());
                self.gone(instance);
            }
            Step::CallerLeaves(at) if !self.callers.is_empty() => {
                drop(self.callers.swap_remove(usize::from(*at) % self.callers.len()));
                self.asked -= 1;
            }
            Step::Wait(ms) => self.now += Duration::from_millis(u64::from(*ms % 8_000)),
            Step::Look => {
                let look = self.pool.look(self.now);
                self.cooling.extend(look.pause);
                look.retire.into_iter().for_each(|instance| self.gone(instance));
                if look.empty {
                    self.pool.vanish();
                }
            }
            Step::Cooled(at) if !self.cooling.is_empty() => {
                let instance = self.cooling.swap_remove(usize::from(*at) % self.cooling.len());
                let back = self.pool.put(instance, self.now);
                self.back(back);
            }
            Step::Evict => {
                if let Some((_, instance)) = self.rounds.evict() {
                    self.gone(instance);
                }
            }
            Step::Keep(count) if !self.pool.lock().gone => self.pool.keep(count.map(usize::from), self.now),
            _ => {}
        }
        self.take_answers();
    }

    fn take_answers(&mut self) {
        let mut waiting = Vec::new();
        for mut caller in self.callers.drain(..) {
            match caller.try_recv() {
                Ok(grant) => {
                    self.answered += 1;
                    self.busy.extend(grant);
                }
                Err(_) => waiting.push(caller),
            }
        }
        self.callers = waiting;
    }

    fn check(&self) -> Result<(), proptest::test_runner::TestCaseError> {
        let state = self.pool.lock();
        let since: Vec<_> = state.idle.iter().map(|instance| instance.idle_since).collect();
        prop_assert!(since.is_sorted(), "idle instances stand in order");
        prop_assert!(state.idle.iter().map(|i| !i.cooled).is_sorted(), "cooled ones stand first");
        prop_assert_eq!(state.busy, self.busy.len() + self.cooling.len());
        prop_assert_eq!(state.starting, self.starting);
        prop_assert_eq!(self.rounds.living(), state.idle.len() + state.busy);
        prop_assert_eq!(self.rounds.memory_mib(), 10 * self.rounds.living() as u64);
        let waiting = state.waiting.iter().filter(|waiting| !waiting.is_closed()).count();
        prop_assert!(state.idle.is_empty() || waiting == 0, "an idle instance beside a waiting call");
        prop_assert_eq!(waiting, self.callers.len(), "nobody is forgotten");
        prop_assert_eq!(self.answered + self.callers.len(), self.asked);
        prop_assert!(state.closed || state.idle.is_empty() || state.listed, "it can make room");
        if self.calls_max > 0 {
            prop_assert!(self.busy.iter().all(|instance| instance.calls <= self.calls_max));
        }
        let planned = state.due.map(|_| self.rounds.first_due());
        prop_assert_eq!(state.due, planned.flatten());
        if let Some(next) = self.pool.next_look(&state, self.now).filter(|_| !state.gone) {
            prop_assert!(state.due.is_some_and(|due| due <= next), "the rounds come in time");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_laws_of_a_pool_hold_whatever_happens(
        steps in prop::collection::vec(step(), 0..150),
        calls_max in prop_oneof![3 => proptest::prelude::Just(0_u32), 1 => 1..4_u32],
    ) {
        let mut world = World::new(calls_max);
        world.pool.begin_rounds(world.now);
        for step in &steps {
            world.step(step);
            world.check()?;
        }
        // Left alone, it comes to rest: every caller is answered, and what is not to be kept goes.
        world.step(&Step::Keep(Some(0)));
        for _ in 0..10_000 {
            if world.callers.is_empty() && world.starting == 0 && world.pool.lock().is_empty() {
                break;
            }
            for step in [Step::Hurry, Step::Begin, Step::Up(1), Step::GiveBack(0), Step::Cooled(0), Step::Wait(3_000), Step::Look] {
                world.step(&step);
                world.check()?;
            }
        }
        prop_assert!(world.callers.is_empty() && world.pool.lock().is_empty());
        prop_assert_eq!(world.rounds.living(), 0);
    }
}
