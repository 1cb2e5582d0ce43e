//! What runs guests: the helper, sandboxes, their way to the network, and the contract.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Capabilities, Isolation};
use anyfn_egress::{Attached, Egress};
use anyfn_runtime::{Forking, Lambda};
use anyfn_sandbox::{HelperCommand, Processes};
use anyfn_types::InstanceId;
use anyfn_wasm::Wasm;

use super::compose::name_of;
use crate::settings::{self, EgressMode, RuntimesMode, ServerArgs};

pub(super) fn runtimes(mode: RuntimesMode) -> anyfn_runtime::RuntimesMode {
    match mode {
        RuntimesMode::Nearest => anyfn_runtime::RuntimesMode::Nearest,
        RuntimesMode::Exact => anyfn_runtime::RuntimesMode::Exact,
    }
}

/// WebAssembly: host processes and compilers are this program again, inside of sandboxes.
pub(super) fn wasm(base: Base, dir: &Path) -> Wasm {
    let program = PathBuf::from("/proc/self/exe");
    let (arguments, engine) = (vec!["wasm-host".to_owned()], anyfn_wasm_host::ENGINE.to_owned());
    Wasm::new(base, anyfn_wasm::Options::new(dir.join("wasm"), program, arguments, engine))
}

/// The contract, with the interpreters of this host.
pub(crate) fn lambda(base: Base, dir: &Path, mode: RuntimesMode, forking: Forking) -> anyhow::Result<Lambda> {
    let mode = runtimes(mode);
    let options = anyfn_runtime::Options {
        state: dir.join("run"),
        mode,
        search: settings::interpreter_folders(),
        provide_sdk: forking.on,
        forking,
    };
    Lambda::new(base, &options).map_err(|e| anyhow::anyhow!("{e}"))
}

/// What the options say about forked starts.
pub(super) fn forking(args: &ServerArgs) -> Forking {
    Forking {
        floor: args.isolation_floor.map(settings::Isolation::tier),
        spares_max: args.spares,
        spares_min: args.spares_min,
        ..Forking::default()
    }
}

/// Starts templates by name (`python3.11+boto3`), behind the server's start.
pub(super) fn warm(
    base: &Base,
    lambda: &Lambda,
    isolation: &Arc<dyn Isolation>,
    names: &[String],
) -> anyhow::Result<()> {
    const WITHIN: Duration = Duration::from_secs(30);
    for name in names {
        let (runtime, set) = match name.split_once('+') {
            Some((runtime, set)) => (runtime.to_owned(), Some(set.to_owned())),
            None => (name.clone(), None),
        };
        lambda.knows(&runtime, set.as_deref()).map_err(|e| anyhow::anyhow!("--template {name}: {e}"))?;
        let (lambda, isolation) = (lambda.clone(), isolation.clone());
        let work = async move { lambda.warm(&isolation, &runtime, set.as_deref(), WITHIN).await };
        base.tasks.spawn(TaskKind::Background, "template", work);
    }
    Ok(())
}

/// Sandboxes with their helper, and a user-space network for those that may reach the internet.
pub(super) async fn isolation(
    base: &Base,
    dir: &Path,
    args: &ServerArgs,
    lambda: &Lambda,
) -> anyhow::Result<Arc<dyn Isolation>> {
    let mut options = options(dir, args.helper.clone(), lambda);
    options.stock_max = args.stock;
    if args.egress == EgressMode::Internet {
        let attached: Arc<Mutex<HashMap<InstanceId, Attached>>> = Arc::default();
        let egress = Egress::new(base.clone(), egress_options());
        let ended = attached.clone();
        options.on_tun = Some(Arc::new(move |instance, tun| match egress.attach(instance, tun) {
            Ok(one) => {
                attached.lock().unwrap_or_else(PoisonError::into_inner).insert(instance, one);
            }
            Err(error) => tracing::warn!(%error, %instance, "no network for this instance"),
        }));
        options.on_gone = Some(Arc::new(move |instance| {
            ended.lock().unwrap_or_else(PoisonError::into_inner).remove(&instance);
        }));
    }
    let processes = Processes::start(base.clone(), options).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(Arc::new(processes))
}

fn egress_options() -> anyfn_egress::Options {
    anyfn_egress::Options {
        guest: anyfn_sandbox::GUEST_V4,
        gateway: anyfn_sandbox::PEER_V4,
        mtu: anyfn_sandbox::TUN_MTU,
        ..anyfn_egress::Options::default()
    }
}

fn options(dir: &Path, helper: Option<PathBuf>, lambda: &Lambda) -> anyfn_sandbox::Options {
    let helper = match helper {
        Some(socket) => HelperCommand::Connect(socket),
        None => HelperCommand::Exec(["/proc/self/exe", "helper", "--fd", "0"].map(str::to_owned).to_vec()),
    };
    let scratch = dir.join("scratch");
    // If it cannot be made, the helper says what that costs.
    let _ = std::fs::create_dir_all(&scratch);
    let mut options = anyfn_sandbox::Options::new(helper, name_of(dir), scratch);
    options.bind_roots = vec![dir.join("code"), dir.join("run")];
    options.bind_roots.extend(lambda.prefixes());
    options
}

/// What this host can isolate, for `doctor`.
pub(crate) async fn capabilities(
    dir: &Path,
    helper: Option<PathBuf>,
    lambda: &Lambda,
) -> anyhow::Result<Capabilities> {
    let base = Base::system();
    let processes =
        Processes::start(base, options(dir, helper, lambda)).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(processes.capabilities())
}
