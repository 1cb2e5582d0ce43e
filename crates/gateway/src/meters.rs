//! What is counted of requests. Labels come from our own lists, so strangers cannot add series.

use std::sync::Arc;

use anyfn_base::{Counter, Metrics};
use http::StatusCode;

use crate::route::Target;

const TARGETS: [&str; 8] = ["health", "ready", "metrics", "native", "url", "code", "aws", "openwhisk"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Handles, looked up once.
#[derive(Clone, Debug)]
pub(crate) struct Meters(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    requests: [Classes; TARGETS.len()],
    body_bytes: Counter,
}

/// One target's counters.
#[derive(Clone, Debug)]
pub(crate) struct Classes([Counter; CLASSES.len()]);

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let requests = TARGETS.map(|target| {
            Classes(CLASSES.map(|class| {
                let labels = [("target", target), ("class", class)];
                metrics.counter("anyfn_http_requests_total", "Requests by target and status class.", &labels)
            }))
        });
        let body_bytes =
            metrics.counter("anyfn_http_body_bytes_total", "Bytes of request bodies that were read.", &[]);
        Self(Arc::new(Shared { requests, body_bytes }))
    }

    pub(crate) fn of(&self, target: &Target) -> &Classes {
        &self.0.requests[match target {
            Target::Health => 0,
            Target::Ready => 1,
            Target::Metrics => 2,
            Target::Native => 3,
            Target::Url { .. } => 4,
            Target::Code => 5,
            Target::Aws => 6,
            Target::Whisk | Target::WhiskWeb => 7,
        }]
    }

    pub(crate) fn body(&self, bytes: usize) {
        self.0.body_bytes.add(bytes as u64);
    }
}

impl Classes {
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.0[class].add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_target_and_class() {
        let metrics = Metrics::new();
        let meters = Meters::new(&metrics);
        meters.of(&Target::Aws).count(StatusCode::OK);
        meters.of(&Target::Aws).count(StatusCode::NOT_FOUND);
        meters
            .of(&Target::Url { id: String::new(), path: String::new() })
            .count(StatusCode::from_u16(999).unwrap());
        meters.body(5);
        let text = metrics.text();
        for line in [
            "anyfn_http_requests_total{target=\"aws\",class=\"2xx\"} 1",
            "anyfn_http_requests_total{target=\"aws\",class=\"4xx\"} 1",
            "anyfn_http_requests_total{target=\"aws\",class=\"5xx\"} 0",
            "anyfn_http_requests_total{target=\"url\",class=\"5xx\"} 1",
            "anyfn_http_body_bytes_total 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
        }
    }
}
