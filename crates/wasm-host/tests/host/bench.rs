//! A small server around the contract: functions from files, calls, and the log as it came.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyfn_base::Base;
use anyfn_core::{
    Frame, Reply, ReplyBody,
    ports::{
        BringUp, Contract as _, Guest, InvokeError, Isolation, LogLine, LogSink, LogTarget, Network, Prepare,
        Root, StartError,
    },
};
use anyfn_sandbox::{HelperCommand, Mode, Processes};
use anyfn_types::{
    Code, Config, Contract, Digest, Ephemeral, Failure, Function, FunctionName, HttpHead, Invocation, Limits,
    Logging, Namespace, Version, VersionId, VersionState,
};
use anyfn_wasm::{Options, Wasm};
use bytes::Bytes;
use tempfile::TempDir;

/// Remembers every line.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

impl LogSink for Lines {
    fn write(&self, _target: &LogTarget, lines: Vec<LogLine>) {
        let text = |line: LogLine| String::from_utf8(line.text.to_vec()).unwrap();
        self.0.lock().unwrap().extend(lines.into_iter().map(text));
    }
}

/// `target/<profile>/examples/sandbox_helper`, which cargo builds with the tests.
fn helper() -> String {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples/sandbox_helper").to_str().unwrap().to_owned()
}

/// The folder with what `cargo xtask setup` has built.
fn parts() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|dir| dir.join("parts").is_dir());
    target.map(|dir| dir.join("parts/wasm-guests")).unwrap_or_default()
}

/// A guest built by setup; None (said aloud) if it is not there.
pub(crate) fn guest(name: &str) -> Option<Vec<u8>> {
    let found = fs::read(parts().join(name)).ok();
    if found.is_none() {
        println!("SKIPPED: the guest {name} is not there; `cargo xtask setup` builds it");
    }
    found
}

/// What a test says about its function.
pub(crate) struct Spec {
    pub(crate) namespace: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) file: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) memory_mib: u32,
    pub(crate) limits: Limits,
}

impl Spec {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            namespace: "123456789012.eu-west-1",
            handler: "app.wasm",
            file: "app.wasm",
            bytes,
            env: Vec::new(),
            memory_mib: 128,
            limits: Limits::default(),
        }
    }

    pub(crate) fn text(wat: &str) -> Self {
        Self::new(wat::parse_str(wat).unwrap())
    }
}

pub(crate) struct Bench {
    pub(crate) base: Base,
    pub(crate) wasm: Arc<Wasm>,
    isolation: Arc<dyn Isolation>,
    pub(crate) dir: TempDir,
    next: AtomicU64,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = Base::system();
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let name = format!("wasm-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut sandbox = anyfn_sandbox::Options::new(
            HelperCommand::Exec(vec![helper()]),
            name,
            dir.path().join("scratch"),
        );
        fs::create_dir_all(dir.path().join("scratch")).unwrap();
        sandbox.bind_roots = vec![dir.path().to_owned()];
        sandbox.mode = Mode::Privileged;
        sandbox.spare_tmp = 0;
        let isolation = Arc::new(Processes::start(base.clone(), sandbox).await.unwrap());
        let mut options = Options::new(
            dir.path().join("wasm"),
            env!("CARGO_BIN_EXE_anyfn-wasm-host").into(),
            Vec::new(),
            anyfn_wasm_host::ENGINE.to_owned(),
        );
        change(&mut options);
        let wasm = Arc::new(Wasm::new(base.clone(), options));
        Self { base, wasm, isolation, dir, next: AtomicU64::new(1) }
    }

    /// Everything that `bring_up` wants.
    pub(crate) fn deploy(&self, spec: Spec) -> (BringUp, Arc<Lines>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.path().join(format!("code-{number}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(spec.file), &spec.bytes).unwrap();
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        let version = Version {
            id: VersionId(number.into()),
            number: 0,
            code: Code { digest: Digest(digest), size: 0, unpacked: 0 },
            config: config(&spec),
            modified: 0,
            revision: String::new(),
            state: VersionState::Active,
            notice: None,
        };
        let function = Function {
            namespace: Namespace::new(spec.namespace).unwrap(),
            name: FunctionName::new("hello").unwrap(),
            created: 0,
            latest: version.clone(),
            versions: BTreeMap::new(),
            next_version: 1,
            aliases: BTreeMap::new(),
            policy: Vec::new(),
            urls: BTreeMap::new(),
            async_configs: BTreeMap::new(),
            reserved: None,
            provisioned: BTreeMap::new(),
            tags: BTreeMap::new(),
            extra: BTreeMap::new(),
        };
        let lines = Arc::new(Lines::default());
        let with = BringUp {
            instance: self.base.random.instance_id(),
            function: Arc::new(function),
            version: Arc::new(version),
            code: Root { path, hold: Arc::new(()) },
            layers: None,
            isolation: self.isolation.clone(),
            logs: lines.clone(),
            network: Network::None,
            initialization: "on-demand",
            init_timeout: Duration::from_secs(10),
            platform_env: Vec::new(),
            limits: Arc::new(spec.limits),
        };
        (with, lines)
    }

    pub(crate) async fn up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        self.wasm.bring_up(with).await
    }

    pub(crate) async fn prepare(&self, with: &BringUp) -> Result<(), anyfn_types::Error> {
        let namespace = &with.function.namespace;
        let (version, code, isolation) = (&with.version, &with.code, &with.isolation);
        self.wasm.prepare(Prepare { namespace, version, code, isolation }).await
    }

    /// A function that is up.
    pub(crate) async fn start(&self, spec: Spec) -> Up {
        let (with, lines) = self.deploy(spec);
        let guest = self.up(with.clone()).await.unwrap_or_else(|e| panic!("{e:?}"));
        Up { base: self.base.clone(), guest, lines, with }
    }
}

fn config(spec: &Spec) -> Config {
    Config {
        contract: Contract::Other("wasm".to_owned()),
        runtime: "wasm".to_owned(),
        handler: spec.handler.to_owned(),
        command: Vec::new(),
        description: String::new(),
        role: String::new(),
        env: spec.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        memory_mib: spec.memory_mib,
        timeout_ms: 20_000,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: "x86_64".to_owned(),
        placement: anyfn_types::Placement::default(),
        logging: Logging::default(),
        extra: BTreeMap::new(),
    }
}

pub(crate) struct Up {
    pub(crate) base: Base,
    pub(crate) guest: Box<dyn Guest>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) with: BringUp,
}

/// What came back, whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, Bytes)>,
    pub(crate) result: Result<Bytes, Failure>,
    pub(crate) tail: Option<String>,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.result.as_ref().unwrap()).into_owned()
    }

    pub(crate) fn failure(&self) -> (String, String) {
        let failure = self.result.as_ref().unwrap_err();
        (failure.error_type.clone(), String::from_utf8_lossy(&failure.payload).into_owned())
    }
}

pub(crate) fn whole(reply: Reply) -> Got {
    let result = reply.result.map(|body| match body {
        ReplyBody::Whole(bytes) => bytes,
        ReplyBody::Stream { .. } => panic!("a stream where none was asked for"),
    });
    let (status, headers) = reply.head.map(|head| (head.status, head.headers)).unzip();
    let tail = reply.log_tail.map(|tail| String::from_utf8_lossy(&tail).into_owned());
    Got { status, headers: headers.unwrap_or_default(), result, tail }
}

impl Up {
    pub(crate) fn invocation(&self, http: Option<HttpHead>, body: &[u8]) -> Invocation {
        Invocation {
            id: self.base.random.invocation_id(),
            namespace: self.with.function.namespace.clone(),
            function: self.with.function.name.clone(),
            qualifier: None,
            mode: anyfn_types::Mode::Wait,
            body: Bytes::copy_from_slice(body),
            invoked_as: "hello".to_owned(),
            client_context: None,
            trace: None,
            want_log_tail: true,
            accepted: 0,
            http: http.map(Box::new),
        }
    }

    pub(crate) async fn call(&mut self, call: &Invocation, within: Duration) -> Result<Got, InvokeError> {
        let deadline = self.base.clock.now() + within;
        let reply = self.guest.invoke(call, Some(deadline)).await?;
        let got = whole(reply);
        let _usable = self.guest.settled().await;
        Ok(got)
    }

    /// `GET` of a path.
    pub(crate) async fn get(&mut self, target: &str) -> Got {
        let call = self.invocation(Some(get(target)), b"");
        self.call(&call, Duration::from_secs(20)).await.unwrap()
    }

    /// An event.
    pub(crate) async fn event(&mut self, body: &[u8]) -> Got {
        let call = self.invocation(None, body);
        self.call(&call, Duration::from_secs(20)).await.unwrap()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().clone()
    }
}

pub(crate) fn get(target: &str) -> HttpHead {
    HttpHead {
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: vec![("host".to_owned(), Bytes::from_static(b"example.com"))],
    }
}

/// All frames of a stream.
pub(crate) async fn frames(mut frames: tokio::sync::mpsc::Receiver<Frame>) -> Vec<Frame> {
    let mut all = Vec::new();
    while let Some(frame) = frames.recv().await {
        all.push(frame);
    }
    all
}
