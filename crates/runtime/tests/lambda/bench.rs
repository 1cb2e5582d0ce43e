//! A small server around the contract: functions from texts, calls, and the log as it came.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyfn_base::{Base, Instant};
use anyfn_core::{
    Frame, Reply, ReplyBody,
    ports::{
        BringUp, Contract as _, Guest, InvokeError, Isolation, LogLine, LogSink, LogTarget, Network, Root,
        StartError,
    },
};
use anyfn_runtime::{Forking, Http, Lambda, Options};
use anyfn_types::{
    Code, Config, Contract, Digest, Ephemeral, Failure, Function, FunctionName, Invocation, InvocationId,
    Limits, LogFormat, Logging, Mode, Namespace, Tier, Version, VersionId, VersionState,
};
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

/// Remembers every line.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<(LogTarget, String)>>);

impl LogSink for Lines {
    fn write(&self, target: &LogTarget, lines: Vec<LogLine>) {
        let text = |line: LogLine| String::from_utf8(line.text.to_vec()).unwrap();
        self.0.lock().unwrap().extend(lines.into_iter().map(|line| (target.clone(), text(line))));
    }
}

/// What a test says about its function.
pub(crate) struct Spec {
    pub(crate) runtime: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) layers: Vec<(&'static str, String)>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    pub(crate) command: Vec<&'static str>,
    /// A folder whose content is part of the package.
    pub(crate) copy: Option<std::path::PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) init_timeout: Duration,
    pub(crate) json: bool,
    pub(crate) limits: Limits,
    pub(crate) http: Value,
    /// None: another one for each start.
    pub(crate) version: Option<VersionId>,
    pub(crate) tier: Option<Tier>,
}

impl Spec {
    pub(crate) fn new(runtime: &'static str, handler: &'static str, files: &[(&'static str, &str)]) -> Self {
        Self {
            runtime,
            handler,
            files: files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
            layers: Vec::new(),
            env: Vec::new(),
            command: Vec::new(),
            copy: None,
            timeout: Duration::from_secs(20),
            init_timeout: Duration::from_secs(10),
            json: false,
            limits: Limits::default(),
            http: serde_json::json!({}),
            version: None,
            tier: None,
        }
    }

    pub(crate) fn python(text: &str) -> Self {
        Self::new("python3.11", "app.handler", &[("app.py", text)])
    }

    pub(crate) fn node(text: &str) -> Self {
        Self::new("nodejs20.x", "index.handler", &[("index.js", text)])
    }
}

/// Writes files; those that begin with `#!` are executable.
fn folder(path: &Path, files: &[(&'static str, String)]) {
    for (name, text) in files {
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) struct Bench {
    pub(crate) base: Base,
    pub(crate) lambda: Lambda,
    http: Http,
    pub(crate) isolation: Arc<dyn Isolation>,
    dir: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::searching(&[]).await
    }

    /// Looks for interpreters in these folders too.
    pub(crate) async fn searching(folders: &[std::path::PathBuf]) -> Self {
        let forking = Forking { on: crate::isolation::FORKED, ..Forking::default() };
        Self::with(folders, forking).await
    }

    /// Forks as it is told.
    pub(crate) async fn with(folders: &[std::path::PathBuf], forking: Forking) -> Self {
        Self::providing(folders, forking, false).await
    }

    /// Functions find the SDK of this host.
    pub(crate) async fn providing(
        folders: &[std::path::PathBuf],
        forking: Forking,
        provide_sdk: bool,
    ) -> Self {
        let base = Base::system();
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let pyenv = std::env::home_dir().unwrap().join(".pyenv/versions");
        // Only benches look for an SDK: to copy it takes longer than most tests.
        let search = if provide_sdk { vec![pyenv] } else { folders.to_vec() };
        let options =
            Options { state: dir.path().to_owned(), search, forking, provide_sdk, ..Options::default() };
        let lambda = Lambda::new(base.clone(), &options).unwrap();
        let isolation = crate::isolation::start(&base, dir.path(), lambda.prefixes()).await;
        Self { base, http: Http::new(&lambda), lambda, isolation, dir }
    }

    /// Whether the host has exactly this runtime.
    pub(crate) fn has(&self, runtime: &'static str) -> bool {
        matches!(self.lambda.resolve(&self.version(&Spec::new(runtime, "a.b", &[]))), Ok(None))
    }

    fn version(&self, spec: &Spec) -> Version {
        let config = Config {
            contract: Contract::Lambda,
            runtime: spec.runtime.to_owned(),
            handler: spec.handler.to_owned(),
            command: spec.command.iter().map(|part| (*part).to_owned()).collect(),
            description: String::new(),
            role: String::new(),
            env: spec.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            memory_mib: 512,
            timeout_ms: u64::try_from(spec.timeout.as_millis()).unwrap(),
            ephemeral: Ephemeral { mib: 512 },
            layers: Vec::new(),
            architecture: "x86_64".to_owned(),
            placement: anyfn_types::Placement { tier: spec.tier, calls_max: 0 },
            logging: Logging {
                format: if spec.json { LogFormat::Json } else { LogFormat::Text },
                ..Logging::default()
            },
            extra: BTreeMap::from([("http".to_owned(), spec.http.clone())]),
        };
        Version {
            id: spec.version.unwrap_or_else(|| self.base.random.version_id()),
            number: 0,
            code: Code { digest: Digest([0; 32]), size: 0, unpacked: 0 },
            config,
            modified: 0,
            revision: String::new(),
            state: VersionState::Active,
            notice: None,
        }
    }

    /// Brings an instance up, forked if this suite forks.
    pub(crate) async fn start(&self, spec: Spec) -> Result<Up, StartError> {
        if crate::isolation::FORKED
            && (spec.runtime.starts_with("python") || spec.runtime.starts_with("node"))
        {
            self.warm(spec.runtime, None).await;
        }
        self.bring_up(spec).await
    }

    /// The template is up.
    pub(crate) async fn warm(&self, runtime: &str, set: Option<&str>) {
        let up = self.lambda.warm(&self.isolation, runtime, set, Duration::from_secs(20)).await.unwrap();
        assert!(up, "the template of {runtime} did not come up");
    }

    /// How many starts were made that way: `plain`, `fork`, `spare`.
    pub(crate) fn starts(&self, how: &str) -> u64 {
        self.base.metrics.counter("anyfn_starts_total", "", &[("how", how)]).get()
    }

    /// That many children wait.
    pub(crate) async fn until_spares(&self, count: usize) {
        while self.lambda.forkable().1 < count {
            tokio::task::yield_now().await;
        }
    }

    /// Ends the processes of all templates of this bench, as a bug in an interpreter might.
    pub(crate) fn kill_templates(&self) {
        let helpers = children(std::process::id());
        // Other tests of this process have templates too; this bench's folder is bound into its own.
        let folder = self.dir.path().file_name().unwrap().to_str().unwrap();
        let mine = |pid: &u32| {
            is_template(*pid)
                && fs::read_to_string(format!("/proc/{pid}/mountinfo")).is_ok_and(|m| m.contains(folder))
        };
        let found: Vec<u32> = helpers.into_iter().flat_map(children).filter(mine).collect();
        assert!(!found.is_empty(), "no template runs");
        for pid in found {
            let done = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            assert!(done.success());
        }
    }

    pub(crate) async fn bring_up(&self, spec: Spec) -> Result<Up, StartError> {
        let version = self.version(&spec);
        let function = Function {
            namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
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
        let place = self.dir.path().join(format!("{:032x}", self.base.random.u128()));
        let root = |name: &str, files: &[(&'static str, String)]| {
            let path = place.join(name);
            fs::create_dir_all(&path).unwrap();
            folder(&path, files);
            Root { path, hold: Arc::new(()) }
        };
        let code = root("task", &spec.files);
        if let Some(copy) = &spec.copy {
            let source = copy.join(".");
            let done =
                std::process::Command::new("cp").arg("-r").arg(source).arg(&code.path).status().unwrap();
            assert!(done.success());
        }
        let lines = Arc::new(Lines::default());
        let with = BringUp {
            instance: self.base.random.instance_id(),
            function: Arc::new(function),
            version: Arc::new(version),
            code,
            layers: (!spec.layers.is_empty()).then(|| root("opt", &spec.layers)),
            isolation: self.isolation.clone(),
            logs: lines.clone(),
            network: Network::None,
            initialization: "on-demand",
            init_timeout: spec.init_timeout,
            platform_env: vec![("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned())],
            limits: Arc::new(spec.limits.clone()),
        };
        let up = |guest| Up {
            guest,
            lines: lines.clone(),
            base: self.base.clone(),
            timeout: spec.timeout,
            next: 0,
        };
        let started = match spec.runtime {
            "http" => self.http.bring_up(with).await,
            _ => self.lambda.bring_up(with).await,
        };
        if started.is_err() {
            println!("{:#?}", lines.0.lock().unwrap().iter().map(|(_, line)| line).collect::<Vec<_>>());
        }
        started.map(up)
    }

    /// Brings an instance up that must come up.
    pub(crate) async fn up(&self, spec: Spec) -> Up {
        match self.start(spec).await {
            Ok(up) => up,
            Err(error) => panic!("the instance did not come up: {error:?}"),
        }
    }

    /// The failure of an init phase that must fail.
    pub(crate) async fn fails(&self, spec: Spec) -> Failure {
        match self.start(spec).await {
            Err(StartError::Function { failure, .. }) => failure,
            Err(StartError::Platform(error)) => panic!("the platform failed: {error:?}"),
            Ok(_) => panic!("the instance came up"),
        }
    }
}

fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn is_template(pid: u32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).contains("--template")
}

/// An instance that is up.
pub(crate) struct Up {
    pub(crate) guest: Box<dyn Guest>,
    lines: Arc<Lines>,
    base: Base,
    timeout: Duration,
    next: u128,
}

impl Up {
    pub(crate) fn call(&mut self, body: &str) -> Invocation {
        self.next += 1;
        Invocation {
            id: InvocationId(self.next),
            namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
            function: FunctionName::new("hello").unwrap(),
            qualifier: None,
            mode: Mode::Wait,
            body: Bytes::copy_from_slice(body.as_bytes()),
            invoked_as: "arn:aws:lambda:eu-west-1:123456789012:function:hello".to_owned(),
            client_context: None,
            trace: None,
            want_log_tail: true,
            accepted: 0,
            http: None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        Some(self.base.clock.now() + self.timeout)
    }

    pub(crate) async fn try_invoke(&mut self, body: &str) -> Result<Reply, InvokeError> {
        let call = self.call(body);
        let deadline = self.deadline();
        self.guest.invoke(&call, deadline).await
    }

    /// One call that is answered whole, and the guest ready again.
    pub(crate) async fn ask(&mut self, body: &str) -> Result<Value, Failure> {
        let reply = self.try_invoke(body).await.unwrap();
        assert!(self.guest.settled().await, "the guest must be ready again; log: {:#?}", self.log());
        whole(reply)
    }

    /// The failure of a call after which the guest is lost.
    pub(crate) async fn dies(&mut self, body: &str) -> Failure {
        let died = match self.try_invoke(body).await {
            Err(InvokeError::Died(died)) => died.failure,
            other => panic!("the guest did not die: {other:?}"),
        };
        assert!(!self.guest.settled().await);
        died
    }

    /// The log's lines so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The log, for when the guest is gone.
    pub(crate) fn shared_lines(&self) -> Arc<Lines> {
        self.lines.clone()
    }

    pub(crate) fn targets(&self) -> Vec<LogTarget> {
        self.lines.0.lock().unwrap().iter().map(|(target, _)| target.clone()).collect()
    }
}

pub(crate) fn whole(reply: Reply) -> Result<Value, Failure> {
    match reply.result? {
        ReplyBody::Whole(body) => Ok(serde_json::from_slice(&body).unwrap()),
        ReplyBody::Stream { .. } => panic!("the answer is a stream"),
    }
}

pub(crate) fn json(failure: &Failure) -> Value {
    serde_json::from_slice(&failure.payload).unwrap()
}

/// Everything of a stream.
pub(crate) async fn collect(frames: &mut tokio::sync::mpsc::Receiver<Frame>) -> (Vec<u8>, Option<Frame>) {
    let mut bytes = Vec::new();
    while let Some(frame) = frames.recv().await {
        match frame {
            Frame::Data(data) => bytes.extend_from_slice(&data),
            last => return (bytes, Some(last)),
        }
    }
    (bytes, None)
}
