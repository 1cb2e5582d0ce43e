//! The way to the committer: a bounded queue in front, a task that feeds it, and the sync of every second.

use std::{fmt, sync::Arc, time::Duration};

use anyfn_base::{Clock, Instant, TaskKind, Tasks};
use anyfn_types::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{batch::Job, commit::Committer, error::StoreError};

/// Jobs that may wait; the next caller waits for a place.
const JOBS: usize = 1024;
/// KiB of jobs that may wait.
const KIB: u32 = 64 << 10;
/// Half of the second that `Soon` promises; the other half is for the sync.
const SOON: Duration = Duration::from_millis(500);

enum Message {
    Job(Box<dyn Job>, OwnedSemaphorePermit),
    Stop,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    /// The writer's task is the store's own: it must outlive the drain of those who still write.
    tasks: Tasks,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn start(committer: Committer, clock: Clock) -> Self {
        let (jobs, waiting) = mpsc::channel(JOBS);
        let tasks = Tasks::new();
        tasks.spawn(TaskKind::Service, "store writer", run(committer, waiting, clock));
        Self { jobs, room: Arc::new(Semaphore::new(KIB as usize)), tasks }
    }

    /// Hands the job over and waits for its answer. Back-pressure: waits while too much waits already.
    pub(crate) async fn run<T>(
        &self,
        job: Box<dyn Job>,
        answered: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let closed = || Error::from(StoreError::Closed);
        let kib = u32::try_from(job.room() / 1024 + 1).unwrap_or(KIB).min(KIB);
        let permit = self.room.clone().acquire_many_owned(kib).await.map_err(|_| closed())?;
        self.jobs.send(Message::Job(job, permit)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Commits what waits, syncs, and ends the task. A second call changes nothing.
    pub(crate) async fn close(&self) {
        let _ = self.jobs.send(Message::Stop).await;
        self.jobs.closed().await;
        let left = self.tasks.drain(Duration::from_secs(30)).await.left;
        if !left.is_empty() {
            tracing::error!(?left, "the storage did not finish in time");
        }
    }
}

async fn run(mut committer: Committer, mut waiting: mpsc::Receiver<Message>, clock: Clock) {
    let mut sync_at: Option<Instant> = None;
    let mut open = true;
    while open {
        let mut messages = Vec::new();
        if committer.wants_compaction() {
            while messages.len() < JOBS
                && let Ok(message) = waiting.try_recv()
            {
                messages.push(message);
            }
        } else {
            tokio::select! {
                received = waiting.recv_many(&mut messages, JOBS) => open = received > 0,
                () = sleep_until(&clock, sync_at), if sync_at.is_some() => {}
            }
        }
        if messages.iter().any(|message| matches!(message, Message::Stop)) {
            open = false;
            waiting.close();
            while let Some(message) = waiting.recv().await {
                messages.push(message);
            }
        }
        let flush = sync_at.is_some_and(|at| at <= clock.now());
        let Some(back) = turn(committer, messages, flush, !open).await else { return };
        committer = back;
        sync_at =
            committer.is_dirty().then(|| sync_at.filter(|_| !flush).unwrap_or_else(|| clock.now() + SOON));
    }
}

async fn sleep_until(clock: &Clock, at: Option<Instant>) {
    if let Some(at) = at {
        clock.sleep_until(at).await;
    }
}

/// One turn on a thread that may block. `None` if it panicked: then nothing more is written.
async fn turn(
    mut committer: Committer,
    messages: Vec<Message>,
    flush: bool,
    last: bool,
) -> Option<Committer> {
    let work = move || {
        let mut permits = Vec::with_capacity(messages.len());
        let mut jobs = Vec::with_capacity(messages.len());
        for message in messages {
            if let Message::Job(job, permit) = message {
                jobs.push(job);
                permits.push(permit);
            }
        }
        if !jobs.is_empty() {
            committer.commit(jobs);
            committer.resume_compaction();
        }
        let flushed = if last {
            committer.finish()
        } else if flush {
            committer.flush()
        } else {
            Ok(())
        };
        if let Err(error) = flushed {
            tracing::error!(error = %error, "the storage could not be synced");
        }
        if !last && committer.wants_compaction() {
            committer.compact();
        }
        drop(permits);
        committer
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(committer) => Some(committer),
        Err(error) => {
            tracing::error!(error = %error, "the storage's writer ended");
            None
        }
    }
}
