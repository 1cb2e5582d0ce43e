//! The command line's side of `/_anyfn/v1`.

use anyfn_dialect_native::Problem;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const COMPONENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b'?')
    .add(b'$')
    .add(b'=');

/// Makes text fit for one path segment or query value.
pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    server: String,
    key: Option<String>,
    namespace: Option<String>,
}

impl Client {
    /// `server` is `http://host:port`; `key` is `ID.SECRET`.
    pub(crate) fn new(server: &str, key: Option<String>, namespace: Option<String>) -> Self {
        let http = Http::builder(TokioExecutor::new()).build_http();
        Self { http, server: server.trim_end_matches('/').to_owned(), key, namespace }
    }

    /// Sends; gives the answer whatever its status.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let glue = if path.contains('?') { '&' } else { '?' };
        let namespace =
            self.namespace.as_ref().map(|n| format!("{glue}namespace={}", component(n))).unwrap_or_default();
        let uri: Uri =
            format!("{}/_anyfn/v1/{path}{namespace}", self.server).parse().context("the server's address")?;
        let mut request =
            Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::new(body))?;
        self.http.request(request).await.with_context(|| {
            format!(
                "no anyfn server answers at {}; start one with `anyfn up`, or name another with --server",
                self.server
            )
        })
    }

    /// Sends; an answer that is no success becomes an error in the server's words.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let response = self.send(method, path, body).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        bail!("{}", problem(status, &body))
    }

    pub(crate) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<T> {
        let response = self.call(method, path, body).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&bytes).context("the server's answer is not what this version expects")
    }
}

fn problem(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => format!("{} ({})", problem.message, problem.code),
        Err(_) => format!("the server answered {status}"),
    }
}
