//! The end of an instance: with extensions they are told and given time, as the Extensions API has it (500 ms with internal
//! ones only, 2 s with external ones, the runtime's share being 30 %); without any it is killed at once.

use std::time::Duration;

use super::LambdaGuest;
use crate::live::Live;

const SIGTERM: i32 = 15;
const INTERNAL: Duration = Duration::from_millis(500);
const EXTERNAL: Duration = Duration::from_secs(2);
/// Tenths of the time that the runtime has before extensions are told.
const RUNTIME_TENTHS: u32 = 3;

/// The three reasons that the Extensions API knows.
fn shutdown_reason(reason: &str) -> &'static str {
    let is = |words: [&str; 3]| words.iter().any(|word| reason.contains(word));
    if is(["timeout", "timed", "Timedout"]) {
        "timeout"
    } else if is(["fail", "died", "error"]) {
        "failure"
    } else {
        "spindown"
    }
}

impl LambdaGuest {
    pub(super) async fn go(mut self, reason: &str) {
        let Some(mut live) = self.live.take() else { return };
        let alone = live.hub.look().extensions.is_empty();
        if !alone {
            if self.paused {
                let _dies_anyway = live.sandbox.thaw().await;
            }
            self.tell(&mut live, shutdown_reason(reason)).await;
        }
        live.destroy(self.with.instance).await;
    }

    async fn tell(&self, live: &mut Live, reason: &'static str) {
        let clock = &self.shared.base.clock;
        let budget = if live.extensions.is_empty() { INTERNAL } else { EXTERNAL };
        let began = clock.now();
        if let Some(runtime) = live.runtime {
            let _may_be_gone = live.sandbox.signal(runtime, SIGTERM).await;
            let mut waits = !live.is_gone();
            while waits {
                tokio::select! {
                    exit = live.sandbox.next_exit() => {
                        waits = exit.is_some_and(|exit| exit.process != live.runtime && exit.process.is_some());
                    }
                    () = clock.sleep_until(began + budget * RUNTIME_TENTHS / 10) => waits = false,
                }
            }
        }
        let deadline_ms = clock.wall()
            + u64::try_from((budget - (clock.now() - began).min(budget)).as_millis()).unwrap_or(0);
        live.hub.change(|machine| machine.extensions.shutdown(reason, deadline_ms));
        self.wait_for_extensions(live, began + budget).await;
    }

    async fn wait_for_extensions(&self, live: &mut Live, until: anyfn_base::Instant) {
        let wants = |name: &String| live.hub.look().extensions.wants_shutdown(name);
        let mut left: Vec<_> =
            live.extensions.iter().filter(|(_, name)| wants(name)).map(|(id, _)| *id).collect();
        while !left.is_empty() {
            tokio::select! {
                exit = live.sandbox.next_exit() => match exit.and_then(|exit| exit.process) {
                    Some(process) => left.retain(|id| *id != process),
                    None => return,
                },
                () = self.shared.base.clock.sleep_until(until) => return,
            }
        }
    }
}
