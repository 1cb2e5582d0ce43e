//! Admit: sizes, and how many calls run at once per namespace and per function.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
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

/// Calls of one namespace are counted by function in this many parts, so that calls of different functions seldom meet.
const PARTS: usize = 16;

/// Counts calls that run. Reserved functions have their own share; all others share what is left.
#[derive(Debug)]
pub(crate) struct Admission {
    account_max: u32,
    accounts: RwLock<HashMap<Namespace, Arc<Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    /// Running calls of functions without a share of their own.
    unreserved: AtomicU32,
    /// The sum of all shares, as far as calls have shown; corrected with every call of the function.
    set_aside: AtomicU32,
    functions: [Mutex<HashMap<FunctionName, Running>>; PARTS],
}

#[derive(Debug, Default)]
struct Running {
    now: u32,
    reserved: Option<u32>,
}

/// The right to run one call; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    account: Arc<Account>,
    function: FunctionName,
    reserved: bool,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { account_max: limits.account_concurrency, accounts: RwLock::default() }
    }

    fn account(&self, namespace: &Namespace) -> Arc<Account> {
        if let Some(account) = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(namespace) {
            return account.clone();
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(namespace.clone()).or_default().clone()
    }

    /// Errors: `reserved_concurrency_exceeded`, `account_concurrency_exceeded` (Throttled).
    pub(crate) fn enter(&self, function: &Function) -> Result<Permit, Error> {
        let account = self.account(&function.namespace);
        let reserved = function.reserved.is_some();
        {
            let mut functions = account.part(&function.name);
            if !functions.contains_key(&function.name) {
                functions.insert(function.name.clone(), Running::default());
            }
            let Some(running) = functions.get_mut(&function.name) else {
                return Err(Error::internal("admission", "an entry that was just made is gone"));
            };
            account.set_share(running, function.reserved);
            let admitted = match function.reserved {
                Some(max) if running.now >= max => Err(throttled("reserved_concurrency_exceeded")),
                Some(_) => Ok(()),
                None => account.enter_shared(self.account_max),
            };
            if let Err(error) = admitted {
                Account::forget_idle(&mut functions, &function.name);
                return Err(error);
            }
            running.now += 1;
        }
        Ok(Permit { account, function: function.name.clone(), reserved })
    }
}

impl Account {
    fn part(&self, function: &FunctionName) -> MutexGuard<'_, HashMap<FunctionName, Running>> {
        // FNV-1a; the names are the namespace's own, so nobody gains by steering it.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = function.as_str().bytes().fold(0x811c_9dc5, step);
        self.functions[hash as usize % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_share(&self, running: &mut Running, reserved: Option<u32>) {
        if running.reserved != reserved {
            self.set_aside.fetch_add(reserved.unwrap_or(0), Ordering::AcqRel);
            self.set_aside.fetch_sub(running.reserved.unwrap_or(0), Ordering::AcqRel);
            running.reserved = reserved;
        }
    }

    fn enter_shared(&self, account_max: u32) -> Result<(), Error> {
        let most = account_max.saturating_sub(self.set_aside.load(Ordering::Acquire));
        let one_more = |now: u32| (now < most).then_some(now + 1);
        match self.unreserved.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) {
            Ok(_) => Ok(()),
            Err(_) => Err(throttled("account_concurrency_exceeded")),
        }
    }

    /// A function that has no share and runs nothing needs no entry.
    fn forget_idle(functions: &mut HashMap<FunctionName, Running>, function: &FunctionName) {
        if functions.get(function).is_some_and(|running| running.now == 0 && running.reserved.is_none()) {
            functions.remove(function);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.reserved {
            self.account.unreserved.fetch_sub(1, Ordering::AcqRel);
        }
        let mut functions = self.account.part(&self.function);
        if let Some(running) = functions.get_mut(&self.function) {
            running.now = running.now.saturating_sub(1);
        }
        Account::forget_idle(&mut functions, &self.function);
    }
}

fn throttled(code: &'static str) -> Error {
    Error::new(Kind::Throttled, code, "Rate Exceeded.")
}
