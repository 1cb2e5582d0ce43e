//! Admit: sizes, and how many calls run at once per namespace and per function.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyfn_types::{Error, Function, FunctionName, Invocation, Kind, Limits, Mode, Namespace};

/// Bodies within the limits of their mode.
pub(crate) fn size(call: &Invocation, limits: &Limits) -> Result<(), Error> {
    let max = if call.mode == Mode::Queue { limits.event_payload_bytes } else { limits.payload_bytes };
    let got = call.body.len() as u64;
    if got <= max {
        return Ok(());
    }
    let text = format!("Request must be smaller than {max} bytes for the InvokeFunction operation");
    Err(Error::new(Kind::TooLarge, "payload_too_large", text))
}

/// Counts calls that run. Reserved functions have their own share; all others share what is left.
#[derive(Debug)]
pub(crate) struct Admission {
    account_max: u32,
    running: Mutex<HashMap<Namespace, Running>>,
}

#[derive(Debug, Default)]
struct Running {
    functions: HashMap<FunctionName, u32>,
    unreserved: u32,
    /// As far as calls have shown; corrected with every call of the function.
    reserved: HashMap<FunctionName, u32>,
}

/// The right to run one call; given back when dropped.
pub(crate) struct Permit {
    shared: Arc<crate::Shared>,
    namespace: Namespace,
    function: FunctionName,
    reserved: bool,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { account_max: limits.account_concurrency, running: Mutex::default() }
    }

    /// Errors: `reserved_concurrency_exceeded`, `account_concurrency_exceeded` (Throttled).
    fn enter(&self, function: &Function) -> Result<bool, Error> {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = all.entry(function.namespace.clone()).or_default();
        match function.reserved {
            Some(max) => running.reserved.insert(function.name.clone(), max),
            None => running.reserved.remove(&function.name),
        };
        let set_aside: u32 = running.reserved.values().sum();
        let mine = running.functions.get(&function.name).copied().unwrap_or(0);
        if let Some(max) = function.reserved {
            if mine >= max {
                return Err(throttled("reserved_concurrency_exceeded"));
            }
        } else {
            if running.unreserved >= self.account_max.saturating_sub(set_aside) {
                return Err(throttled("account_concurrency_exceeded"));
            }
            running.unreserved += 1;
        }
        *running.functions.entry(function.name.clone()).or_default() += 1;
        Ok(function.reserved.is_some())
    }

    fn leave(&self, namespace: &Namespace, function: &FunctionName, reserved: bool) {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = all.get_mut(namespace) else { return };
        if !reserved {
            running.unreserved = running.unreserved.saturating_sub(1);
        }
        if let Some(count) = running.functions.get_mut(function) {
            *count -= 1;
            if *count == 0 {
                running.functions.remove(function);
            }
        }
        if running.functions.is_empty() {
            all.remove(namespace);
        }
    }
}

fn throttled(code: &'static str) -> Error {
    Error::new(Kind::Throttled, code, "Rate Exceeded.")
}

impl Permit {
    pub(crate) fn take(shared: &Arc<crate::Shared>, function: &Function) -> Result<Self, Error> {
        let reserved = shared.admission.enter(function)?;
        let (namespace, name) = (function.namespace.clone(), function.name.clone());
        Ok(Self { shared: shared.clone(), namespace, function: name, reserved })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.admission.leave(&self.namespace, &self.function, self.reserved);
    }
}
