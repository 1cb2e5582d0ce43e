//! CORS as the address' settings say: preflights answered here, and headers put on the function's answers in place of
//! its own.

use http::{HeaderMap, HeaderValue, Method, header as h};
use serde::Deserialize;

#[cfg(test)]
mod tests;

/// The settings as `CreateFunctionUrlConfig` prints them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Cors {
    allow_credentials: bool,
    allow_headers: Vec<String>,
    allow_methods: Vec<String>,
    allow_origins: Vec<String>,
    expose_headers: Vec<String>,
    /// Seconds.
    max_age: Option<u32>,
}

impl Cors {
    /// The settings of an address, if it has any.
    pub(crate) fn of(settings: Option<&serde_json::Value>) -> Option<Self> {
        serde_json::from_value(settings?.clone()).ok()
    }

    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(h::ORIGIN)
            && headers.contains_key(h::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Headers of the answer to a preflight; none for an origin or method that is not allowed.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> HeaderMap {
        let mut out = HeaderMap::new();
        let method =
            asked.get(h::ACCESS_CONTROL_REQUEST_METHOD).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let allowed = |all: &[String]| all.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(method));
        if !allowed(&self.allow_methods) || !self.put_origin(asked, &mut out) {
            return out;
        }
        put(&mut out, h::ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods.join(","));
        if !self.allow_headers.is_empty() {
            put(&mut out, h::ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers.join(","));
        }
        if let Some(seconds) = self.max_age {
            put(&mut out, h::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        out
    }

    /// Sets the headers of an answer; what the function set itself is taken away first.
    pub(crate) fn apply(&self, asked: &HeaderMap, answer: &mut HeaderMap) {
        let own: Vec<_> =
            answer.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
        for name in own {
            answer.remove(name);
        }
        if self.put_origin(asked, answer) && !self.expose_headers.is_empty() {
            put(answer, h::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers.join(","));
        }
    }

    /// False if the origin is not allowed.
    fn put_origin(&self, asked: &HeaderMap, out: &mut HeaderMap) -> bool {
        let Some(origin) = asked.get(h::ORIGIN) else { return false };
        let any = self.allow_origins.iter().any(|one| one == "*");
        let named =
            self.allow_origins.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(origin.as_bytes()));
        if !any && !named {
            return false;
        }
        // Every origin with credentials would undo the same-origin rule; browsers refuse `*` with credentials.
        let value = if named { origin.clone() } else { HeaderValue::from_static("*") };
        out.insert(h::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if named {
            out.append(h::VARY, HeaderValue::from_static("Origin"));
        }
        if self.allow_credentials && named {
            put(out, h::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        true
    }
}

fn put(out: &mut HeaderMap, name: h::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        out.insert(name, value);
    }
}
