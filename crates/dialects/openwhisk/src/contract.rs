//! How an action's process is talked to: `/init` and `/run` in meaning, over lines or over HTTP.
//!
//! An action is a version with contract `openwhisk`. What became of a call is written to the journal here, so that a call
//! which came through another dialect, or from a queue, is an activation too. A sequence is a version without a process.

mod guest;
mod http;
mod plan;
mod printed;
mod process;
mod steps;

use anyfn_core::ports::{BringUp, Contract, Guest, StartError};
use anyfn_types::{Error, Version};
use async_trait::async_trait;

pub(crate) use plan::{BLACKBOX, EXECUTABLE, is_executable, runtime, unknown_kind, write_launchers};

use self::{
    guest::Action,
    steps::{Conductor, Sequence},
};
use crate::{OpenWhisk, model::Meta};

#[async_trait]
impl Contract for OpenWhisk {
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        let meta = Meta::of(&with.version);
        if meta.is_sequence() {
            return Ok(Box::new(Sequence::new(self.0.clone(), with, meta)));
        }
        let conducts = meta.is_conductor();
        let action = Action::bring_up(self.0.clone(), with, meta).await.map_err(StartError::Platform)?;
        Ok(if conducts { Box::new(Conductor::new(action)) } else { Box::new(action) })
    }

    fn resolve(&self, version: &Version) -> Result<Option<String>, Error> {
        let meta = Meta::of(version);
        if meta.is_sequence() {
            return Ok(None);
        }
        let choice = plan::choose(&meta.kind, &self.0.interpreters, self.0.mode)?;
        Ok(choice.and_then(|choice| choice.notice))
    }
}
