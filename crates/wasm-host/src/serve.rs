//! The host process: reads what functions there are, and has threads that run their calls.

use std::{
    io,
    os::fd::{AsFd as _, FromRawFd as _, OwnedFd},
    sync::Arc,
    thread,
};

use anyfn_base::Base;
use anyfn_wasm::control::{self, ToHost, ToServer};
use wasmtime::Engine;

use crate::{
    call::Worker,
    engine,
    epoch::Epoch,
    functions::{Functions, Load, Refusal},
    output::Out,
    worker,
};

const CONTROL_FD: i32 = 4;

/// Descriptors that the server gave this process: the control socket and one socket per worker.
#[allow(unsafe_code, reason = "descriptors come as numbers from the process that started this one")]
fn given(number: i32) -> OwnedFd {
    // SAFETY: the server put a socket at this number, and nothing else in this process has taken it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

pub(crate) fn run(workers: i32, calls: u32) -> io::Result<()> {
    let engine = engine::host(calls).map_err(io::Error::other)?;
    let functions = Arc::new(Functions::new(&engine).map_err(io::Error::other)?);
    let epoch = Epoch::start(&engine)?;
    let control = given(CONTROL_FD);
    for number in (CONTROL_FD + 1..).take(workers.max(1) as usize) {
        let (engine, functions, epoch) = (engine.clone(), functions.clone(), epoch.clone());
        let socket = given(number);
        thread::Builder::new()
            .name(format!("calls {}", number - CONTROL_FD))
            .spawn(move || serve(&engine, functions, &epoch, socket))?;
    }
    control::send(control.as_fd(), &ToServer::Ready, None)?;
    // The end of the control socket ends this process, and with it all threads.
    while let Some((message, fd)) = control::receive::<ToHost>(&control)? {
        if let Some(answer) = heard(&functions, message, fd) {
            control::send(control.as_fd(), &answer, None)?;
        }
    }
    Ok(())
}

fn serve(engine: &Engine, functions: Arc<Functions>, epoch: &Epoch, socket: OwnedFd) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(socket)?;
        let worker = Worker { base: Base::system(), engine: engine.clone(), functions, out: Out::default() };
        worker::run(&worker, epoch, stream).await
    })
}

fn heard(functions: &Functions, message: ToHost, fd: Option<OwnedFd>) -> Option<ToServer> {
    match message {
        ToHost::Unload { function } => {
            functions.unload(function);
            None
        }
        ToHost::Load { function, artifact, flavor, env, args, memory_bytes, network } => {
            let load = Load { number: function, artifact, flavor, env, args, memory_bytes, network };
            let gone = || Refusal { stale: false, text: "the artifact's descriptor is missing".to_owned() };
            let result = fd.ok_or_else(gone).and_then(|file| functions.load(load, file));
            Some(match result {
                Ok(shape) => ToServer::Loaded { function, shape },
                Err(Refusal { stale, text }) => ToServer::Refused { function, stale, text },
            })
        }
    }
}
