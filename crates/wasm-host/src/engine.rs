//! The engine's settings. Whatever changes machine code stands in `shared`, and a change there changes `ENGINE`.

use std::num::NonZeroUsize;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// Names the engine and its settings; code that another one compiled is not used.
pub const ENGINE: &str = "wasmtime 48 settings 1";

/// The most that one linear memory can have.
const MEMORY_MAX: usize = 4 << 30;
/// Elements of a table. The largest language runtimes have 20,000 functions in theirs.
pub(crate) const TABLE_MAX: usize = 100_000;
/// What a slot keeps of its memory after a call: the next call of the function then finds pages instead of faults.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 64 << 10;
const KEEP_STACK: usize = 32 << 10;
/// Parts of one component. `componentize-py` makes some forty modules.
const PARTS: u32 = 200;

fn shared() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // A memory that needs no 64 bits needs no bounds checks either, and cannot ask for more than a slot has.
    config.wasm_memory64(false);
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config
}

/// For compilers.
pub(crate) fn compiler() -> Result<Engine> {
    Engine::new(&shared())
}

/// For host processes: room for `calls` instances at once, and the memory of finished ones ready for the next.
pub(crate) fn host(calls: u32) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(4).max(PARTS))
        .total_memories(calls.saturating_mul(2))
        .total_tables(calls.saturating_mul(4).max(PARTS))
        .total_stacks(calls)
        .max_core_instances_per_component(PARTS)
        .max_memories_per_component(16)
        .max_tables_per_component(PARTS)
        .max_memory_size(MEMORY_MAX)
        .table_elements(TABLE_MAX)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .async_stack_keep_resident(KEEP_STACK)
        .max_unused_warm_slots(64)
        .pagemap_scan(Enabled::Auto);
    let mut config = shared();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    // A host that does not give so many addresses (`vm.overcommit_memory=2`) still runs functions, slower.
    Engine::new(&config).or_else(|_| Engine::new(&shared()))
}
