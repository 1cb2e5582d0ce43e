//! A dialect with everything below it, in a folder of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use anyfn_base::{Base, Instant};
use anyfn_core::{
    Registry, Reply, ReplyBody,
    ports::{
        Artifacts, BringUp, Capabilities, Contract, Guest, GuestEvent, InvokeError, Isolation, Package, Root,
        Sandbox, SandboxSpec, StartError,
    },
};
use anyfn_engine::{Engine, Ports, Settings};
use anyfn_logs::Logs;
use anyfn_policy::{Caller, KeyId, Rights};
use anyfn_store::Store;
use anyfn_types::{Billing, Code, Digest, Error, Failure, Invocation, Limits, Version};
use anyfn_web::Request;
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Aws, Services};

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "eu-west-1";

/// Guests give back `answer` of their event as it is, fail on `fail`, else give back their event.
struct Echo;

#[async_trait]
impl Contract for Echo {
    async fn bring_up(&self, _: BringUp) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(Echo))
    }

    fn resolve(&self, version: &Version) -> Result<Option<String>, Error> {
        if version.config.runtime == "ruby3.2" {
            return Err(Error::invalid("runtime_missing", "ruby is not here"));
        }
        Ok(None)
    }
}

#[async_trait]
impl Guest for Echo {
    async fn invoke(&mut self, call: &Invocation, _: Option<Instant>) -> Result<Reply, InvokeError> {
        let event: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let text = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or(event);
        let result = match (&text["answer"], &text["fail"]) {
            (Value::Null, Value::Null) => Ok(ReplyBody::Whole(call.body.clone())),
            (Value::Null, _) => {
                let payload = Bytes::from_static(br#"{"errorMessage":"no","errorType":"E"}"#);
                Err(Failure { handled_by_runtime: true, error_type: "E".into(), payload })
            }
            (answer, _) => Ok(ReplyBody::Whole(answer.to_string().into())),
        };
        let log_tail = call.want_log_tail.then(|| Bytes::from_static(b"tail"));
        Ok(Reply { id: call.id, version: 0, result, head: None, billing: Some(Billing::default()), log_tail })
    }

    async fn settled(&mut self) -> bool {
        true
    }

    async fn idle(&mut self) -> GuestEvent {
        std::future::pending().await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn retire(self: Box<Self>, _: &'static str) {}
}

struct NoIsolation;

#[async_trait]
impl Isolation for NoIsolation {
    async fn create(&self, _: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        Err(Error::internal("fake", "nothing is started"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// Packages in memory. Those that begin with `bad` are no zips; those that begin with `big` are too large unpacked.
#[derive(Default)]
struct Packages(Mutex<HashMap<Digest, Bytes>>);

#[async_trait]
impl Artifacts for Packages {
    async fn ingest(&self, zip: Bytes) -> Result<Package, Error> {
        if zip.starts_with(b"bad") {
            return Err(Error::invalid("package_invalid", "no zip"));
        }
        let digest = Digest(Sha256::digest(&zip).into());
        let size = zip.len() as u64;
        let unpacked = if zip.starts_with(b"big") { 262_144_001 } else { size };
        self.0.lock().unwrap().insert(digest, zip);
        Ok(Package { code: Code { digest, size, unpacked } })
    }

    async fn package(&self, digest: Digest) -> Result<Option<Bytes>, Error> {
        Ok(self.0.lock().unwrap().get(&digest).cloned())
    }

    async fn root(&self, _: Digest) -> Result<Root, Error> {
        Ok(Root { path: "/".into(), hold: Arc::new(()) })
    }

    async fn merged(&self, _: &[Digest]) -> Result<Root, Error> {
        self.root(Digest([0; 32])).await
    }
}

/// An answer, its body read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and message of an error.
    pub(super) fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = json.get("message").or_else(|| json.get("Message")).and_then(Value::as_str);
        let code = self.header("x-amzn-errortype").to_owned();
        let code =
            if code.is_empty() { json["__type"].as_str().unwrap_or_default().to_owned() } else { code };
        (self.status, code, text.unwrap_or_default().to_owned())
    }
}

pub(super) struct World {
    pub(super) aws: Aws,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = Base::simulated(1_700_000_000_000, 7);
        let options = anyfn_store::Options::default();
        let store = Store::open(base.clone(), dir.path().join("store"), options).await.unwrap();
        let registry = Registry::new(base.clone(), store.records());
        let logs = Logs::open(base.clone(), store.records(), store.log(), anyfn_logs::Options::default());
        let artifacts: Arc<dyn Artifacts> = Arc::new(Packages::default());
        let echo = Arc::new(Echo) as Arc<dyn Contract>;
        let ports = Ports {
            registry: registry.clone(),
            artifacts: artifacts.clone(),
            isolation: Arc::new(NoIsolation),
            logs: Arc::new(logs.clone()),
            queue: store.queue(),
            log: store.log(),
            contracts: HashMap::from([("lambda".to_owned(), echo)]),
        };
        let engine = Engine::start(base.clone(), ports, Settings::default()).await.unwrap();
        let services = Services { base, registry, artifacts, engine, logs, limits: Limits::default() };
        Self { aws: Aws::new(services), _dir: dir }
    }

    pub(super) async fn with_function(name: &str) -> Self {
        let world = Self::new().await;
        assert_eq!(world.create(name).await.status, 201);
        world
    }

    pub(super) fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request {
        let (parts, body) =
            http::Request::builder().method(method).uri(path).body(body.into()).unwrap().into_parts();
        let rights = Rights { invoke: true, admin: true };
        Request {
            parts,
            body,
            caller: Caller { account: ACCOUNT.to_owned(), key: KeyId("AKIDEXAMPLE".to_owned()), rights },
            service: None,
            region: Some(REGION.to_owned()),
            base_url: "http://127.0.0.1:4566".to_owned(),
            peer: "203.0.113.7:5000".parse().unwrap(),
        }
    }

    pub(super) async fn send(&self, request: Request) -> Answer {
        Self::read(self.aws.handle(request).await).await
    }

    pub(super) async fn read(response: anyfn_web::Response) -> Answer {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send(Self::request(method, path, body)).await
    }

    /// A call of one of the APIs without paths.
    pub(super) async fn logs(&self, operation: &str, body: Value) -> Answer {
        let mut request = Self::request("POST", "/", body.to_string());
        let target = format!("Logs_20140328.{operation}").parse().unwrap();
        request.parts.headers.insert("x-amz-target", target);
        self.send(request).await
    }

    pub(super) async fn create(&self, name: &str) -> Answer {
        self.ask("POST", "/2015-03-31/functions", function(name)).await
    }

    /// Waits until the function is no longer being made ready.
    pub(super) async fn settled(&self, name: &str) -> Value {
        for _ in 0..1000 {
            let path = format!("/2015-03-31/functions/{name}/configuration");
            let config = self.ask("GET", &path, Value::Null).await.json();
            if config["State"] != "Pending" && config["LastUpdateStatus"] != "InProgress" {
                return config;
            }
            tokio::task::yield_now().await;
        }
        panic!("{name} is still pending");
    }
}

/// The body of a `CreateFunction`.
pub(super) fn function(name: &str) -> Value {
    json!({
        "FunctionName": name, "Runtime": "python3.12", "Role": "arn:aws:iam::123456789012:role/r",
        "Handler": "m.h", "Code": { "ZipFile": STANDARD.encode("PK") },
    })
}
