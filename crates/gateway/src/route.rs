//! The table: host and path to dialect.

use http::{HeaderMap, Uri};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Health,
    Ready,
    Metrics,
    Native,
    /// A function's own address: its id and the path below it.
    Url {
        id: String,
        path: String,
    },
    /// A package to download.
    Code,
    /// OpenWhisk's API.
    Whisk,
    /// An action as a web page, for anyone.
    WhiskWeb,
    Aws,
}

/// One route, for documents and for the test that every route has a case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub dialect: &'static str,
    /// The operation's name, or method and path again where the platform names none.
    pub operation: String,
    pub method: String,
    pub path: String,
}

/// Every route that is served.
pub fn routes() -> Vec<Route> {
    let system = ["/healthz", "/readyz", "/metrics"].map(|path| route("system", path, "GET", path));
    let native = anyfn_dialect_native::ROUTES
        .map(|(method, path)| route("native", &format!("{method} {path}"), method, path));
    let url = [
        route("aws", "function-url", "ANY", "/_url/{id}/{path+}"),
        route("aws", "code", "GET", "/_anyfn/code/{token}"),
    ];
    let aws = anyfn_dialect_aws::routes();
    let aws = aws.iter().map(|r| route("aws", &format!("{}.{}", r.service, r.operation), r.method, r.path));
    let whisk = anyfn_dialect_openwhisk::ROUTES
        .map(|(method, path)| route("openwhisk", &format!("{method} {path}"), method, path));
    system.into_iter().chain(native).chain(whisk).chain(url).chain(aws).collect()
}

fn route(dialect: &'static str, operation: &str, method: &str, path: &str) -> Route {
    Route { dialect, operation: operation.to_owned(), method: method.to_owned(), path: path.to_owned() }
}

/// Decides from host and path alone.
pub(crate) fn target(uri: &Uri, headers: &HeaderMap, domain: Option<&str>) -> Target {
    let path = uri.path();
    if let Some(id) = url_host(uri, headers, domain) {
        return Target::Url { id, path: path.to_owned() };
    }
    match path {
        "/healthz" => return Target::Health,
        "/readyz" => return Target::Ready,
        "/metrics" => return Target::Metrics,
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/_url/") {
        let (id, below) = rest.split_once('/').unwrap_or((rest, ""));
        return Target::Url { id: id.to_owned(), path: format!("/{below}") };
    }
    if path.starts_with("/_anyfn/code/") {
        return Target::Code;
    }
    if path.starts_with("/api/v1/web/") {
        return Target::WhiskWeb;
    }
    if path == "/api/v1" || path.starts_with("/api/v1/") {
        return Target::Whisk;
    }
    if path.starts_with("/_anyfn/") { Target::Native } else { Target::Aws }
}

/// `<id>.lambda-url.<region>.<domain>`; `localhost` always counts as a domain.
fn url_host(uri: &Uri, headers: &HeaderMap, domain: Option<&str>) -> Option<String> {
    let host = uri.host().or_else(|| headers.get(http::header::HOST)?.to_str().ok())?;
    let host = host.split(':').next().unwrap_or(host);
    let (id, rest) = host.split_once(".lambda-url.")?;
    let (_region, parent) = rest.split_once('.')?;
    (parent.eq_ignore_ascii_case("localhost") || domain.is_some_and(|d| parent.eq_ignore_ascii_case(d)))
        .then(|| id.to_ascii_lowercase())
}
