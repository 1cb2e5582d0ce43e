//! Takes what functions print without ever making them wait, and writes it behind.

use anyfn_base::TaskKind;
use anyfn_core::ports::{Durability, LogLine, LogSink, LogTarget};
use anyfn_types::{Millis, Namespace, Result};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use indexmap::IndexMap;

use crate::{
    group::{AHEAD_MS, Batch, GroupRecord},
    logs::Logs,
    pending::Waiting,
};

/// Groups that are written at once.
const GROUPS_AT_ONCE: usize = 16;

/// What a cut line ends with.
const CUT: &str = " [cut]";

impl LogSink for Logs {
    fn write(&self, target: &LogTarget, mut lines: Vec<LogLine>) {
        for line in &mut lines {
            line.text = cut_to(&line.text, self.0.options.event_bytes);
        }
        let dropped = self.0.pending.push(target, lines);
        if dropped > 0 {
            self.0.dropped.add(dropped);
        }
    }
}

/// At most `max` bytes, cut between characters, with a mark that it was cut.
fn cut_to(text: &Bytes, max: usize) -> Bytes {
    if text.len() <= max {
        return text.clone();
    }
    let mut end = max.saturating_sub(CUT.len());
    while end > 0 && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    [&text[..end], CUT.as_bytes()].concat().into()
}

/// What one stream gets in this turn.
struct Job {
    target: LogTarget,
    batch: Batch,
    lines: u64,
    bytes: u64,
}

impl Logs {
    pub(crate) async fn write_until_stopped(&self) {
        let clock = self.0.base.clock.clone();
        let stopping = self.0.base.tasks.stopping();
        let mut checkpoint_at = clock.now() + self.0.options.checkpoint_every;
        while !stopping.is_cancelled() {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = clock.sleep(self.0.options.write_every) => {}
                () = self.0.pending.full.notified() => {}
            }
            self.write_pending().await;
            if clock.now() >= checkpoint_at {
                self.try_checkpoint().await;
                checkpoint_at = clock.now() + self.0.options.checkpoint_every;
            }
        }
        self.finish().await;
    }

    async fn try_checkpoint(&self) {
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(?error, "could not write the checkpoints of the log groups");
        }
    }

    /// Writes what was printed until now; when it returns, it can be read. Lines that cannot be written are dropped and
    /// counted, and a line in their stream says so later. A caller who stops waiting loses nothing: the writing is a
    /// task of its own.
    pub async fn flush(&self) {
        let logs = self.clone();
        let write = async move { logs.write_pending().await };
        // The only error is that the task panicked, which the runtime has told about.
        let _ = self.0.base.tasks.spawn(TaskKind::Request, "logs-flush", write).await;
    }

    async fn write_pending(&self) {
        let writing = self.0.writing.lock().await;
        let taken = self.0.pending.take();
        if !taken.is_empty() {
            self.write_groups(taken).await;
        }
        self.0.pending.written();
        drop(writing);
    }

    /// `flush`, and brings the records of all streams up to date. The writer does this when the tasks stop; call it again
    /// after the drain for what was printed meanwhile.
    pub async fn finish(&self) {
        self.write_pending().await;
        self.try_checkpoint().await;
    }

    async fn write_groups(&self, taken: IndexMap<LogTarget, Waiting>) {
        let now = self.0.base.clock.wall();
        let mut groups: IndexMap<(Namespace, String), Vec<Job>> = IndexMap::new();
        for (target, waiting) in taken {
            let key = (target.namespace.clone(), target.group.clone());
            groups.entry(key).or_default().push(job(target, waiting, now));
        }
        let writes = groups.into_iter().map(|((namespace, group), jobs)| async move {
            if let Err(error) = self.write_group(&namespace, &group, &jobs).await {
                tracing::warn!(?error, %namespace, group, "could not write log lines");
                for job in jobs {
                    self.0.dropped.add(job.lines);
                    self.0.pending.lost(job.target, job.lines, job.bytes);
                }
            }
        });
        stream::iter(writes).buffer_unordered(GROUPS_AT_ONCE).collect::<Vec<()>>().await;
    }

    async fn write_group(&self, namespace: &Namespace, group: &str, jobs: &[Job]) -> Result<()> {
        crate::names::check_group(group)?;
        let fresh = self.fresh_group(self.0.options.default_retention_days);
        let batches: Vec<&Batch> = jobs.iter().map(|job| &job.batch).collect();
        for batch in &batches {
            crate::names::check_stream(&batch.stream)?;
        }
        let mut held = self.group(namespace, group, Some(&fresh)).await?;
        let heads = held.append(&self.0, &batches, Durability::Soon).await?;
        drop(held);
        self.0.followers.publish(namespace, group, &batches, &heads);
        Ok(())
    }

    pub(crate) fn fresh_group(&self, retention_days: Option<u16>) -> GroupRecord {
        GroupRecord {
            id: self.0.base.random.label(20),
            created: self.0.base.clock.wall(),
            retention_days,
            tags: std::collections::BTreeMap::new(),
        }
    }
}

fn job(target: LogTarget, waiting: Waiting, now: Millis) -> Job {
    let lines = waiting.lines.len() as u64;
    let bytes: u64 = waiting.lines.iter().map(|line| line.text.len() as u64).sum();
    // A time that lies too far ahead would break the search by time.
    let mut events: Vec<(Millis, Bytes)> =
        waiting.lines.into_iter().map(|line| (line.at.min(now + AHEAD_MS), line.text)).collect();
    let (gone, size) = (waiting.dropped_lines, waiting.dropped_bytes);
    if gone > 0 {
        let text = format!(
            "[anyfn] {gone} log lines ({size} bytes) were dropped: they came faster than they could be stored"
        );
        events.push((now, text.into()));
    }
    let batch = Batch { stream: target.stream.clone(), events };
    Job { target, batch, lines: lines + gone, bytes: bytes + size }
}
