//! Commands: the event on standard input, the answer from standard output, the rest is log.

use anyfn_wasm::wire::{self, CHUNK, Fault, Kind, Stats, Why};
use bytes::{BufMut as _, Bytes, BytesMut};
use wasmtime::InstancePre;
use wasmtime_wasi::{
    I32Exit, WasiCtxBuilder,
    p2::{bindings::CommandPre, pipe::MemoryInputPipe},
};

use crate::{
    call::Turn,
    output::{Answer, Stream},
    state::{Limits, ModuleState, Rest, State},
};

/// The whole event. It is bounded by what the server takes as a call's body.
async fn whole(first: Bytes, mut rest: Rest, len: u64) -> Bytes {
    if first.len() as u64 >= len {
        return first;
    }
    let mut body = BytesMut::from(&first[..]);
    while let Some(piece) = rest.recv().await {
        body.extend_from_slice(&piece);
    }
    body.freeze()
}

async fn context(turn: &Turn<'_>, body: Bytes, rest: Rest) -> (WasiCtxBuilder, Answer) {
    let answer = Answer::new(turn.head.answer_max);
    let body = whole(body, rest, turn.head.body_len).await;
    let mut context = turn.function.context();
    context.stdin(MemoryInputPipe::new(body)).stdout(Stream(answer.clone())).stderr(Stream(turn.log()));
    context.env("ANYFN_INVOCATION_ID", &turn.head.id);
    (context, answer)
}

/// A component that exports `wasi:cli/run`.
pub(crate) async fn component(
    turn: &Turn<'_>,
    code: &CommandPre<State>,
    body: Bytes,
    rest: Rest,
) -> Result<(), Fault> {
    let (mut context, answer) = context(turn, body, rest).await;
    let limits = Limits::new(turn.function.memory_bytes);
    let mut store = turn.store(State::new(context.build(), limits, turn.function.network));
    store.limiter(|state| &mut state.limits);
    let result = match code.instantiate_async(&mut store).await {
        Ok(command) => command.wasi_cli_run().call_run(&mut store).await,
        Err(error) => Err(error),
    };
    let limits = &store.data().limits;
    let (stats, denied) = (limits.stats(), limits.denied);
    let ended = match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(())) => Err(I32Exit(1).into()),
        Err(error) => Err(error),
    };
    drop(store);
    finish(turn, ended, &answer, (stats, denied)).await
}

/// A module that exports `_start`.
pub(crate) async fn module(
    turn: &Turn<'_>,
    code: &InstancePre<ModuleState>,
    body: Bytes,
    rest: Rest,
) -> Result<(), Fault> {
    let (mut context, answer) = context(turn, body, rest).await;
    let limits = Limits::new(turn.function.memory_bytes);
    let mut store = turn.store(ModuleState { wasi: context.build_p1(), limits });
    store.limiter(|state| &mut state.limits);
    let result = async {
        let instance = code.instantiate_async(&mut store).await?;
        instance.get_typed_func::<(), ()>(&mut store, "_start")?.call_async(&mut store, ()).await
    };
    let result = result.await;
    let limits = &store.data().limits;
    let (stats, denied) = (limits.stats(), limits.denied);
    drop(store);
    finish(turn, result, &answer, (stats, denied)).await
}

async fn finish(
    turn: &Turn<'_>,
    ended: wasmtime::Result<()>,
    answer: &Answer,
    (stats, denied): (Stats, bool),
) -> Result<(), Fault> {
    if answer.is_too_large() {
        let text = format!("the answer has more than {} bytes", turn.head.answer_max);
        return Err(Fault { why: Why::TooLarge, stats, text });
    }
    match ended {
        Ok(()) => {}
        // `exit(0)` ends a guest as a trap does.
        Err(error) if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) => {}
        Err(error) => return Err(turn.fault(&error, stats, denied)),
    }
    let body = answer.take();
    let none = None::<(u16, std::iter::Empty<(&[u8], &[u8])>)>;
    if body.len() <= CHUNK {
        turn.put(Kind::Answer, |out| {
            stats.put(out);
            wire::put_reply(out, none);
            out.put_slice(&body);
        });
        return Ok(());
    }
    turn.put(Kind::Head, |out| wire::put_reply(out, none));
    turn.data(body).await;
    turn.put(Kind::End, |out| stats.put(out));
    Ok(())
}
