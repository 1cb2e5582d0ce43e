//! The end of a call: what it cost, and what is written about it.

use std::time::Duration;

use anyfn_core::ports::{Died, InvokeError};
use anyfn_types::{Billing, Failure, MIB};

use super::{LOOK_AFTER, LambdaGuest, Turn};
use crate::{failure, platform_log::Status};

impl LambdaGuest {
    /// The end of a call: everything the guest printed, then END and REPORT.
    pub(super) async fn finish(&mut self, turn: &Turn, status: Status, error_type: Option<&str>) -> Billing {
        let took = self.shared.base.clock.now() - turn.started;
        if let Some(live) = &self.live {
            live.output.drain();
        }
        if took >= LOOK_AFTER || self.peak.is_none() {
            self.look_up_peak().await;
        }
        let billing = self.billing(took, turn.init, self.peak.map_or(0, |(_, peak)| peak));
        if let Some(live) = &self.live {
            let lines = self.platform.finish(&turn.id, &billing, status, error_type);
            live.output.say(lines.into_iter().flatten());
        }
        billing
    }

    /// Asks another process, so it costs about as much as a small call.
    pub(super) async fn look_up_peak(&mut self) {
        let Some(live) = &self.live else { return };
        if let Ok(usage) = live.sandbox.usage().await {
            let before = self.peak.map_or(0, |(_, peak)| peak);
            self.peak = Some((self.shared.base.clock.now(), before.max(usage.memory_peak_bytes)));
        }
    }

    fn billing(&self, took: Duration, init: Option<Duration>, peak: u64) -> Billing {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let memory_mib = self.with.version.config.memory_mib;
        Billing {
            duration_us: micros(took),
            billed_ms: (micros(took) + init.map_or(0, micros)).div_ceil(1000).max(1),
            init_us: init.map(micros),
            memory_mib,
            max_memory_mib: u32::try_from(peak.div_ceil(MIB)).unwrap_or(u32::MAX).min(memory_mib),
            cold: init.is_some(),
        }
    }

    /// The call cannot be answered: said in the log, and the instance is lost.
    pub(super) async fn died(&mut self, turn: &Turn, failure: Failure, text: &str) -> InvokeError {
        self.usable = false;
        if let Some(live) = &self.live {
            live.output.drain();
            live.output.say(self.platform.exited(Some(&turn.id), text, &failure.error_type));
        }
        let billing = self.finish(turn, Status::Error, Some(&failure.error_type)).await;
        self.gone(failure, billing)
    }

    fn gone(&self, failure: Failure, billing: Billing) -> InvokeError {
        let log_tail = self.live.as_ref().and_then(|live| live.output.take_tail());
        InvokeError::Died(Box::new(Died { failure, billing: Some(billing), log_tail }))
    }

    pub(super) async fn late(&mut self, turn: &Turn) -> InvokeError {
        let (failure, billing) = self.too_late(turn).await;
        self.gone(failure, billing)
    }

    /// The call's time is over: said in the log, and the instance is lost.
    pub(super) async fn too_late(&mut self, turn: &Turn) -> (Failure, Billing) {
        self.usable = false;
        if let Some(live) = &self.live {
            live.output.drain();
            let text = failure::timed_out_text(turn.timeout);
            live.output.say(self.platform.timed_out(&turn.id, &text));
        }
        let billing = self.finish(turn, Status::Timeout, None).await;
        (failure::timed_out(&turn.id, turn.timeout), billing)
    }
}
