//! Extensions: external ones (executables of a layer, known before they speak) and internal ones (threads of the
//! runtime's process, which register while it starts).

use std::sync::Arc;

use super::Refusal;
use crate::answer::Call;

/// External and internal ones together.
pub(crate) const EXTENSIONS_MAX: usize = 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscribed {
    pub(crate) invoke: bool,
    pub(crate) shutdown: bool,
}

/// What an extension is told.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Invoke(Arc<Call>),
    Shutdown { reason: &'static str, deadline_ms: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its process was started.
    Started,
    Registered,
    /// It asked for an event.
    Ready,
    /// It was told an event and did not ask again.
    Running,
    InitError,
    ExitError,
}

#[derive(Debug)]
struct Extension {
    name: String,
    external: bool,
    /// Given when it registers.
    id: Option<String>,
    subscribed: Subscribed,
    phase: Phase,
    pending: Option<Event>,
}

#[derive(Debug)]
pub(crate) struct Extensions {
    all: Vec<Extension>,
    closed: bool,
}

fn refuse<T>(error_type: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Extension { error_type, message: message.into() })
}

impl Extensions {
    pub(crate) fn new(external: Vec<String>) -> Self {
        let started = |name| Extension {
            name,
            external: true,
            id: None,
            subscribed: Subscribed::default(),
            phase: Phase::Started,
            pending: None,
        };
        Self { all: external.into_iter().map(started).collect(), closed: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// After the runtime's first request for a call nobody new may register.
    pub(crate) fn close_registration(&mut self) {
        self.closed = true;
    }

    /// Registers under `id`. `events` are the names as they were sent.
    pub(crate) fn register(&mut self, name: &str, events: &[String], id: String) -> Result<(), Refusal> {
        if name.is_empty() {
            return refuse("Extension.InvalidExtensionName", "Empty extension name");
        }
        let at = self.all.iter().position(|extension| extension.external && extension.name == name);
        let subscribed = subscribe(events, at.is_some())?;
        let Some(extension) = at.map(|at| &mut self.all[at]) else {
            return self.register_internal(name, subscribed, id);
        };
        if extension.phase != Phase::Started {
            return refuse(
                "Extension.InvalidExtensionState",
                format!("Extension {name} is already registered"),
            );
        }
        extension.phase = Phase::Registered;
        extension.subscribed = subscribed;
        extension.id = Some(id);
        Ok(())
    }

    fn register_internal(&mut self, name: &str, subscribed: Subscribed, id: String) -> Result<(), Refusal> {
        if self.closed {
            return refuse("Extension.RegistrationClosed", "Extension registration closed already");
        }
        if self.all.iter().any(|extension| extension.name == name) {
            return refuse("Extension.InvalidExtensionState", "Extension with this name already registered");
        }
        if self.all.len() >= EXTENSIONS_MAX {
            return refuse(
                "Extension.TooManyExtensions",
                format!("Extension limit ({EXTENSIONS_MAX}) reached"),
            );
        }
        self.all.push(Extension {
            name: name.to_owned(),
            external: false,
            id: Some(id),
            subscribed,
            phase: Phase::Registered,
            pending: None,
        });
        Ok(())
    }

    fn known(&mut self, id: &str) -> Result<&mut Extension, Refusal> {
        let unknown = Refusal::Extension {
            error_type: "Extension.UnknownExtensionIdentifier",
            message: format!("Unknown extension {id}"),
        };
        self.all.iter_mut().find(|extension| extension.id.as_deref() == Some(id)).ok_or(unknown)
    }

    /// It asks for an event.
    pub(crate) fn next(&mut self, id: &str) -> Result<(), Refusal> {
        let extension = self.known(id)?;
        match extension.phase {
            Phase::Registered | Phase::Ready | Phase::Running => {
                extension.phase = Phase::Ready;
                Ok(())
            }
            Phase::Started | Phase::InitError | Phase::ExitError => refuse(
                "Extension.InvalidExtensionState",
                format!("State transition from {:?} to Ready failed for extension {id}", extension.phase),
            ),
        }
    }

    /// The event for one that asked, once.
    pub(crate) fn take(&mut self, id: &str) -> Option<Event> {
        let extension = self.known(id).ok()?;
        let event = extension.pending.take()?;
        extension.phase = Phase::Running;
        Some(event)
    }

    /// It reports that it failed while it started (`init`) or later.
    pub(crate) fn error(&mut self, id: &str, init: bool) -> Result<(), Refusal> {
        let extension = self.known(id)?;
        let right =
            if init { extension.phase == Phase::Registered } else { extension.phase != Phase::Started };
        if !right {
            return refuse(
                "Extension.InvalidExtensionState",
                format!("An error was reported in state {:?} by extension {id}", extension.phase),
            );
        }
        extension.phase = if init { Phase::InitError } else { Phase::ExitError };
        Ok(())
    }

    pub(super) fn invoke(&mut self, call: &Arc<Call>) {
        for extension in self.all.iter_mut().filter(|extension| extension.subscribed.invoke) {
            extension.pending = Some(Event::Invoke(call.clone()));
        }
    }

    /// Tells all that want to know. False if nobody does.
    pub(crate) fn shutdown(&mut self, reason: &'static str, deadline_ms: u64) -> bool {
        let mut told = false;
        for extension in self.all.iter_mut().filter(|extension| extension.subscribed.shutdown) {
            extension.pending = Some(Event::Shutdown { reason, deadline_ms });
            told = true;
        }
        told
    }

    /// Every external one has registered, or failed to.
    pub(crate) fn registered(&self) -> bool {
        self.all.iter().all(|extension| extension.phase != Phase::Started)
    }

    /// Each waits for an event and none is on its way.
    pub(super) fn at_rest(&self) -> bool {
        self.all.iter().all(|extension| extension.phase == Phase::Ready && extension.pending.is_none())
    }

    /// The error type of the exit of the external extension `name`.
    pub(crate) fn exit_type(&self, name: &str) -> &'static str {
        match self.all.iter().find(|extension| extension.name == name).map(|extension| extension.phase) {
            Some(Phase::InitError) => "Extension.InitError",
            Some(Phase::ExitError) => "Extension.ExitError",
            _ => "Extension.Crash",
        }
    }

    /// Whether the external extension `name` wants to know of the shutdown.
    pub(crate) fn wants_shutdown(&self, name: &str) -> bool {
        self.all.iter().any(|extension| extension.name == name && extension.subscribed.shutdown)
    }
}

/// Internal ones live in the runtime's process and have no shutdown of their own.
fn subscribe(events: &[String], external: bool) -> Result<Subscribed, Refusal> {
    let mut subscribed = Subscribed::default();
    for event in events {
        match event.as_str() {
            "INVOKE" => subscribed.invoke = true,
            "SHUTDOWN" if external => subscribed.shutdown = true,
            other => {
                return refuse("Extension.InvalidEventType", format!("{other}: event type is not supported"));
            }
        }
    }
    Ok(subscribed)
}
