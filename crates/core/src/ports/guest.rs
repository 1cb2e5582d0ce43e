//! The guest's side of every contract: bring up, hand over one invocation, stream back, and tell apart "the function
//! failed" from "the platform failed".

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_types::{
    Billing, Error, Failure, Function, InstanceId, Invocation, InvocationId, Namespace, Version,
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{Isolation, LogSink, Network, Root};
use crate::Reply;

/// What a contract needs to bring up one instance of a version.
#[derive(Clone)]
pub struct BringUp {
    pub instance: InstanceId,
    pub function: Arc<Function>,
    pub version: Arc<Version>,
    /// The version's code, unpacked.
    pub code: Root,
    /// Its layers merged in order, if it has any.
    pub layers: Option<Root>,
    pub isolation: Arc<dyn Isolation>,
    pub logs: Arc<dyn LogSink>,
    pub network: Network,
    /// `on-demand` or `provisioned-concurrency`.
    pub initialization: &'static str,
    /// What the init phase may take.
    pub init_timeout: Duration,
    /// More of the environment, from the platform: keys, the endpoint, the region.
    pub platform_env: Vec<(String, String)>,
    pub limits: Arc<anyfn_types::Limits>,
}

impl std::fmt::Debug for BringUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BringUp")
            .field("instance", &self.instance)
            .field("version", &self.version.id)
            .finish_non_exhaustive()
    }
}

/// What a contract needs to do what can be done before the first call.
#[derive(Clone, Copy)]
pub struct Prepare<'a> {
    pub namespace: &'a Namespace,
    pub version: &'a Version,
    /// The version's code, unpacked.
    pub code: &'a Root,
    pub isolation: &'a Arc<dyn Isolation>,
}

impl std::fmt::Debug for Prepare<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepare").field("version", &self.version.id).finish_non_exhaustive()
    }
}

/// Why an instance did not come up.
#[derive(Debug)]
pub enum StartError {
    /// The function's code failed in its init phase; the waiting call gets this as its answer, with the last 4 KiB of
    /// what was logged.
    Function { failure: Failure, log_tail: Option<Bytes> },
    /// The platform could not start it.
    Platform(Error),
}

/// Why a call on a running guest gave no reply.
#[derive(Debug)]
pub enum InvokeError {
    /// The guest ended, ran out of time or of memory: the failure is the call's answer and the instance must be retired.
    Died(Box<Died>),
    /// The platform broke; the instance must be retired.
    Platform(Error),
}

/// The end of a guest in the middle of a call.
#[derive(Debug)]
pub struct Died {
    pub failure: Failure,
    pub billing: Option<Billing>,
    /// The last 4 KiB of the call's log, if it was wanted.
    pub log_tail: Option<Bytes>,
}

/// What a guest tells between calls.
#[derive(Debug)]
pub enum GuestEvent {
    /// It ended while idle; retire it.
    Gone,
}

/// A contract: how a platform talks to the function's process.
#[async_trait]
pub trait Contract: Send + Sync {
    /// Starts a sandbox and runs the init phase; ends when the guest can take a call. Dropping the future leaves nothing.
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError>;
    /// What to tell the user about how this version will be served (another minor of the runtime than asked for), or an
    /// error with what to install if it cannot be served here.
    fn resolve(&self, version: &Version) -> Result<Option<String>, Error>;
    /// Work on a version that is better done once, before it becomes active, than in front of its first call. It may be
    /// called again, and `bring_up` must not depend on it.
    ///
    /// # Errors
    /// Those with which the version cannot be served: it becomes Failed with them.
    async fn prepare(&self, _with: Prepare<'_>) -> Result<(), Error> {
        Ok(())
    }
    /// A failed start as the answer of one call that waited for it: names the call where the platform's words do.
    fn addressed(&self, failure: Failure, _call: InvocationId) -> Failure {
        failure
    }
}

/// One instance that is up. Exactly one call at a time.
#[async_trait]
pub trait Guest: Send {
    /// Hands one invocation over. Ends when the answer, or the head of a streamed one, is there. For a streamed answer
    /// the guest is not free before `settled`.
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError>;
    /// Ends when the guest is ready for the next call or must be retired (false): a stream is finished, extensions have
    /// asked for the next event, the call's log is flushed.
    async fn settled(&mut self) -> bool;
    /// Waits until something happens while idle. Cancel-safe.
    async fn idle(&mut self) -> GuestEvent;
    async fn pause(&mut self) -> Result<(), Error>;
    async fn resume(&mut self) -> Result<(), Error>;
    /// Ends it in the contract's own way (SHUTDOWN event, SIGTERM, then SIGKILL). Returns when all of it is gone.
    async fn retire(self: Box<Self>, reason: &'static str);
}
