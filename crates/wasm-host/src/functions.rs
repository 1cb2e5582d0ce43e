//! What was loaded: compiled code, linked with what the host offers, and each function's own settings.

use std::{
    collections::HashMap,
    fs::File,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{Arc, PoisonError, RwLock},
};

use anyfn_wasm::control::{Flavor, Shape};
use wasmtime::{Engine, InstancePre, Module, component};
use wasmtime_wasi::{WasiCtxBuilder, p2::bindings::CommandPre};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::state::{ModuleState, State};

/// Linked code, ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Code {
    Http(ProxyPre<State>),
    Command(CommandPre<State>),
    Module(InstancePre<ModuleState>),
}

impl Code {
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Http(_) => Shape::Http,
            Self::Command(_) | Self::Module(_) => Shape::Command,
        }
    }
}

/// One function.
pub(crate) struct Function {
    pub(crate) code: Code,
    artifact: String,
    env: Vec<(String, String)>,
    args: Vec<String>,
    pub(crate) memory_bytes: u64,
    pub(crate) network: bool,
}

impl Function {
    /// What every call of this function finds, but for its streams.
    pub(crate) fn context(&self) -> WasiCtxBuilder {
        let mut context = WasiCtxBuilder::new();
        context.envs(&self.env).args(&self.args);
        if self.network {
            context.inherit_network().allow_ip_name_lookup(true);
        }
        context
    }
}

/// What the server says about a function to load.
pub(crate) struct Load {
    pub(crate) number: u32,
    pub(crate) artifact: String,
    pub(crate) flavor: Flavor,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) args: Vec<String>,
    pub(crate) memory_bytes: u64,
    pub(crate) network: bool,
}

/// Why a function was not loaded.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The code was made by another engine.
    pub(crate) stale: bool,
    pub(crate) text: String,
}

/// All functions of this process.
pub(crate) struct Functions {
    engine: Engine,
    components: component::Linker<State>,
    modules: wasmtime::Linker<ModuleState>,
    loaded: RwLock<Loaded>,
}

#[derive(Default)]
struct Loaded {
    functions: HashMap<u32, Arc<Function>>,
    /// Code by its artifact, with how many functions have it.
    codes: HashMap<String, (Code, usize)>,
}

impl Functions {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut components = component::Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut components)?;
        let mut modules = wasmtime::Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut modules, |state: &mut ModuleState| &mut state.wasi)?;
        Ok(Self { engine: engine.clone(), components, modules, loaded: RwLock::default() })
    }

    pub(crate) fn get(&self, number: u32) -> Option<Arc<Function>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).functions.get(&number).cloned()
    }

    pub(crate) fn unload(&self, number: u32) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let Some(function) = loaded.functions.remove(&number) else { return };
        if let Some((_, users)) = loaded.codes.get_mut(&function.artifact) {
            *users -= 1;
            if *users == 0 {
                loaded.codes.remove(&function.artifact);
            }
        }
    }

    /// Code that another function brought already.
    fn known(&self, artifact: &str) -> Option<Code> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.codes.get(artifact).map(|(code, _)| code.clone())
    }

    pub(crate) fn load(&self, load: Load, file: OwnedFd) -> Result<Shape, Refusal> {
        let code = match self.known(&load.artifact) {
            Some(code) => code,
            None => self.link(load.flavor, file)?,
        };
        let shape = code.shape();
        let function = Function {
            code,
            artifact: load.artifact,
            env: load.env,
            args: load.args,
            memory_bytes: load.memory_bytes,
            network: load.network,
        };
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let code = || (function.code.clone(), 0);
        loaded.codes.entry(function.artifact.clone()).or_insert_with(code).1 += 1;
        loaded.functions.insert(load.number, Arc::new(function));
        Ok(shape)
    }

    fn link(&self, flavor: Flavor, file: OwnedFd) -> Result<Code, Refusal> {
        match flavor {
            Flavor::Component => {
                let component = component_of(&self.engine, &file).map_err(stale)?;
                let linked = self.components.instantiate_pre(&component).map_err(missing)?;
                if let Ok(proxy) = ProxyPre::new(linked.clone()) {
                    return Ok(Code::Http(proxy));
                }
                CommandPre::new(linked).map(Code::Command).map_err(|_| Refusal {
                    stale: false,
                    text: "it exports neither `wasi:http/incoming-handler` nor `wasi:cli/run`".to_owned(),
                })
            }
            Flavor::Module => {
                let module = module_of(&self.engine, file).map_err(stale)?;
                if module.get_export("_start").is_none() {
                    return Err(Refusal { stale: false, text: "it exports no `_start`".to_owned() });
                }
                self.modules.instantiate_pre(&module).map(Code::Module).map_err(missing)
            }
        }
    }
}

fn stale(error: wasmtime::Error) -> Refusal {
    Refusal { stale: true, text: format!("{error:#}") }
}

fn missing(error: wasmtime::Error) -> Refusal {
    Refusal { stale: false, text: format!("{error:#}") }
}

#[allow(unsafe_code, reason = "code that was compiled before can only be believed")]
fn component_of(engine: &Engine, file: &OwnedFd) -> wasmtime::Result<component::Component> {
    // SAFETY: the server made this file with its own compiler and opened it; nobody but the server can write to it, and the
    // server never does again. The engine compares its version and settings with those in the file.
    unsafe { component::Component::deserialize_file(engine, format!("/proc/self/fd/{}", file.as_raw_fd())) }
}

#[allow(unsafe_code, reason = "code that was compiled before can only be believed")]
fn module_of(engine: &Engine, file: OwnedFd) -> wasmtime::Result<Module> {
    // SAFETY: as in `component_of`.
    unsafe { Module::deserialize_open_file(engine, File::from(file)) }
}
