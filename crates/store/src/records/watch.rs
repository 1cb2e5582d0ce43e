//! One task per watcher: it reads the history at the watcher's own pace, so a slow one costs nobody else anything.

use std::sync::Arc;

use anyfn_base::TaskKind;
use anyfn_core::ports::Change;
use tokio::sync::mpsc;

use super::history::Next;
use crate::shared::Shared;

/// Changes on their way to one watcher.
const CHANNEL: usize = 256;

pub(crate) fn start(shared: &Arc<Shared>, prefix: &str, from: u64) -> mpsc::Receiver<Change> {
    let (send, receive) = mpsc::channel(CHANNEL);
    let work = follow(shared.clone(), prefix.to_owned(), from, send);
    shared.base.tasks.spawn(TaskKind::Background, "store watch", work);
    receive
}

async fn follow(shared: Arc<Shared>, prefix: String, mut from: u64, send: mpsc::Sender<Change>) {
    let grown = shared.records().history.grown();
    loop {
        // Begun before looking, so that a change in between wakes it.
        let more = grown.notified();
        let (next, seen) = shared.records().history.after(from, &prefix, CHANNEL);
        let waiting = seen == from;
        from = seen;
        let changes = match next {
            Next::Changes(changes) => changes,
            Next::Relist(revision) => vec![Change::Relist { revision }],
            Next::Nothing if waiting => {
                tokio::select! {
                    () = more => {}
                    () = send.closed() => return,
                }
                continue;
            }
            Next::Nothing => continue,
        };
        for change in changes {
            if send.send(change).await.is_err() {
                return;
            }
        }
    }
}
