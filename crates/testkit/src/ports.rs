//! What every engine behind the state ports must do. An engine's room calls `port_tests!` with a function that opens a
//! fresh, empty engine on a simulated base; each case becomes a test of that room, under paused time.

pub mod blobs;
pub mod log;
pub mod queue;
pub mod records;

use std::{any::Any, sync::Arc};

use anyfn_base::Base;
use anyfn_core::ports::{Blobs, Log, Queue, Records};

/// An engine under test.
pub struct Ports {
    /// The one the engine was opened with.
    pub base: Base,
    pub records: Arc<dyn Records>,
    pub queue: Arc<dyn Queue>,
    pub log: Arc<dyn Log>,
    pub blobs: Arc<dyn Blobs>,
    /// Whatever must live as long as the engine.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("base", &self.base).finish_non_exhaustive()
    }
}

/// One test per case. `$open` is an `async fn() -> Ports`.
#[macro_export]
macro_rules! port_tests {
    ($open:path) => {
        $crate::port_tests!(@ $open, records: compare_and_set refuses_what_is_no_key scan_goes_in_key_order
            deletes_are_changes h16_counters_lose_no_increment watch_tells_every_change_in_order
            watch_starts_after_its_revision a_watcher_from_the_future_lists_again);
        $crate::port_tests!(@ $open, queue: first_in_first_out an_id_that_is_held_is_not_taken_twice
            a_lease_keeps_others_away_until_it_ends extend_holds_on release_comes_back_when_due
            h11_leases_follow_the_monotonic_clock h11_due_times_follow_the_wall_clock h14_poison_is_buried_and_redriven
            purge_empties ready_wakes_on_append ready_wakes_when_a_lease_ends ready_wakes_when_due
            queues_are_apart_and_named every_message_goes_to_one_taker);
        $crate::port_tests!(@ $open, log: sequences_are_dense reads_are_bounded trim_forgets_the_front
            remove_starts_over reached_wakes appends_at_once_interleave_whole logs_are_apart_and_named);
        $crate::port_tests!(@ $open, blobs: what_is_put_is_got a_blob_can_be_put_twice_and_deleted);
    };
    (@ $open:path, $port:ident: $($case:ident)*) => {
        mod $port {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    $crate::ports::$port::$case($open().await).await;
                }
            )*
        }
    };
}
