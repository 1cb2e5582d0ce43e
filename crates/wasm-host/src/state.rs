//! What a guest can reach, and how much of it.

use anyfn_wasm::wire::Stats;
use bytes::Bytes;
use wasmtime::{ResourceLimiter, Result, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p1::WasiP1Ctx};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::engine::TABLE_MAX;

/// Handles of a component: streams, headers, sockets, files.
const HANDLES_MAX: usize = 10_000;

/// Memory and tables of one call.
#[derive(Debug)]
pub(crate) struct Limits {
    memory_max: usize,
    memory: usize,
    peak: usize,
    pub(crate) denied: bool,
}

impl Limits {
    pub(crate) fn new(memory_max: u64) -> Self {
        let memory_max = usize::try_from(memory_max).unwrap_or(usize::MAX);
        Self { memory_max, memory: 0, peak: 0, denied: false }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { memory_bytes: self.peak as u64 }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        let granted = wanted <= self.memory_max && maximum.is_none_or(|maximum| desired <= maximum);
        self.denied |= wanted > self.memory_max;
        if granted {
            self.memory = wanted;
            self.peak = self.peak.max(wanted);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_MAX)
    }
}

/// Sends a guest's own requests, if it may.
#[derive(Debug)]
struct Outgoing {
    network: bool,
}

type Sent =
    Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let network = self.network;
        Box::new(async move {
            use http_body_util::BodyExt;
            if !network {
                return Err(HttpError::HttpRequestDenied);
            }
            let (answer, io) = wasmtime_wasi_http::default_send_request(request, options).await?;
            let io: Box<dyn Future<Output = Result<(), HttpError>> + Send> = Box::new(io);
            Ok((answer.map(BodyExt::boxed_unsync), io))
        })
    }
}

/// A component's.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    table: ResourceTable,
    pub(crate) limits: Limits,
}

impl State {
    pub(crate) fn new(wasi: WasiCtx, limits: Limits, network: bool) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { wasi, http: WasiHttpCtx::new(), outgoing: Outgoing { network }, table, limits }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A module's.
pub(crate) struct ModuleState {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) limits: Limits,
}

/// The beginning of a body, and the rest as it comes.
pub(crate) type Rest = tokio::sync::mpsc::Receiver<Bytes>;
