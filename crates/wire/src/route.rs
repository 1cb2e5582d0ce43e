//! Finds a rest operation by method, path and literal query parameters.

use percent_encoding::percent_decode_str;

use crate::schema::{Operation, Service};

/// All operations of a service, the most specific first.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    operation: &'static Operation,
    segments: Vec<Segment>,
    query: Vec<(String, Option<String>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order is the precedence.
    Literal(&'static str),
    Label(&'static str),
    Greedy(&'static str),
}

/// An operation and the decoded values of its labels.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) operation: &'static Operation,
    pub(crate) labels: Vec<(&'static str, String)>,
}

impl Router {
    pub(crate) fn new(service: &'static Service) -> Self {
        let mut routes: Vec<Route> = service.operations.iter().map(Route::new).collect();
        routes.sort_by_cached_key(|route| {
            let precedence: Vec<u8> = route.segments.iter().map(Segment::rank).collect();
            // Longer paths first, then literal before label before greedy from the left, then more query parameters.
            (std::cmp::Reverse(route.segments.len()), precedence, std::cmp::Reverse(route.query.len()))
        });
        // A greedy label may stand for many segments, so it comes after every exact path.
        routes.sort_by_key(Route::is_greedy);
        Self { routes }
    }

    /// The operation for a raw (still percent-encoded) path and parsed query.
    pub(crate) fn find(&self, method: &str, path: &str, query: &[(String, String)]) -> Option<Matched> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let closed = match parts.as_slice() {
            // Lambda's older clients end collection paths with a slash.
            [head @ .., ""] if !head.is_empty() => head,
            all => all,
        };
        self.routes.iter().filter(|route| route.operation.method == method).find_map(|route| {
            if !route.wants(query) {
                return None;
            }
            let parts = if route.is_greedy() { &parts } else { closed };
            Some(Matched { operation: route.operation, labels: route.capture(parts)? })
        })
    }
}

impl Segment {
    const fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Label(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

impl Route {
    fn new(operation: &'static Operation) -> Self {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments = path.trim_matches('/').split('/').map(|text| {
            match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(label) => label.strip_suffix('+').map_or(Segment::Label(label), Segment::Greedy),
                None => Segment::Literal(text),
            }
        });
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(pair), None),
        });
        Self { operation, segments: segments.collect(), query: query.collect() }
    }

    fn is_greedy(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Greedy(_)))
    }

    fn wants(&self, query: &[(String, String)]) -> bool {
        self.query.iter().all(|(name, value)| {
            query.iter().any(|(k, v)| k == name && value.as_ref().is_none_or(|value| v == value))
        })
    }

    /// The labels, if the path is this route's.
    fn capture(&self, parts: &[&str]) -> Option<Vec<(&'static str, String)>> {
        let greedy = self.segments.iter().position(|segment| matches!(segment, Segment::Greedy(_)));
        let spare = match greedy {
            // What the greedy label takes beyond one segment.
            Some(_) => (parts.len() + 1).checked_sub(self.segments.len()).filter(|spare| *spare > 0)?,
            None if parts.len() == self.segments.len() => 1,
            None => return None,
        };
        let mut labels = Vec::new();
        let mut at = 0;
        for segment in &self.segments {
            let width = if matches!(segment, Segment::Greedy(_)) { spare } else { 1 };
            let text = parts.get(at..at + width)?;
            at += width;
            match segment {
                Segment::Literal(literal) if text == [*literal] => {}
                Segment::Literal(_) => return None,
                Segment::Label(name) | Segment::Greedy(name) => {
                    let value = decode(&text.join("/"));
                    if value.is_empty() {
                        return None;
                    }
                    labels.push((*name, value));
                }
            }
        }
        Some(labels)
    }
}

/// The pairs of a query string or form body, percent-decoded, `+` as a space.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let plus = |text: &str| decode(&text.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (plus(name), plus(value)),
            None => (plus(pair), String::new()),
        })
        .collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
