//! Where a call stands in a trace that began elsewhere: `X-Amzn-Trace-Id` and W3C `traceparent`.
//!
//! Both come from strangers. What is too long or not exactly of the form is ignored; nothing else of them travels on.

use anyfn_base::Random;
use anyfn_types::TraceContext;
use http::HeaderMap;

#[cfg(test)]
mod tests;

/// Longer ones are not looked at. AWS's own are below 200 bytes.
const MAX: usize = 512;

/// The context that the headers name; AWS's own header comes first.
pub(crate) fn read(headers: &HeaderMap, random: &Random) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name)?.to_str().ok().filter(|text| text.len() <= MAX);
    text("x-amzn-trace-id")
        .and_then(|text| amazon(text, random))
        .or_else(|| text("traceparent").and_then(w3c))
}

/// A trace that begins here.
pub(crate) fn fresh(random: &Random, now_ms: u64) -> TraceContext {
    let (mut trace_id, mut parent_id) = (String::with_capacity(32), String::with_capacity(16));
    push_hex(&mut trace_id, now_ms / 1000, 8);
    push_hex(&mut trace_id, random.u64() >> 32, 8);
    push_hex(&mut trace_id, random.u64(), 16);
    push_hex(&mut parent_id, random.u64(), 16);
    TraceContext { trace_id, parent_id, sampled: false }
}

/// The last `digits` digits, by hand, because every call has a trace.
fn push_hex(text: &mut String, number: u64, digits: u32) {
    for at in (0..digits).rev() {
        text.push(char::from(b"0123456789abcdef"[(number >> (4 * at)) as usize & 15]));
    }
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`, fields in any order.
fn amazon(text: &str, random: &Random) -> Option<TraceContext> {
    let field = |name: &str| {
        let fields = text.split(';').filter_map(|field| field.trim().split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let mut root = field("Root")?.split('-');
    let (version, time, id) = (root.next()?, root.next()?, root.next()?);
    if version != "1" || root.next().is_some() || !hex(time, 8) || !hex(id, 24) {
        return None;
    }
    let parent_id = match field("Parent") {
        Some(parent) if hex(parent, 16) => parent.to_ascii_lowercase(),
        Some(_) => return None,
        None => format!("{:016x}", random.u64()),
    };
    let trace_id = format!("{time}{id}").to_ascii_lowercase();
    Some(TraceContext { trace_id, parent_id, sampled: field("Sampled") == Some("1") })
}

/// Version 00 of <https://www.w3.org/TR/trace-context/>.
fn w3c(text: &str) -> Option<TraceContext> {
    let mut fields = text.trim().split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    let form = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && lower;
    // Later versions may have more fields; `ff` is none.
    let ended = version != "00" || fields.next().is_none();
    if !form || !ended || version == "ff" || zero(trace) || zero(parent) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    Some(TraceContext { trace_id: trace.to_owned(), parent_id: parent.to_owned(), sampled })
}

fn hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The header's text for a context.
pub(crate) fn header(trace: &TraceContext) -> String {
    let (time, id) = trace.trace_id.split_at_checked(8).unwrap_or((&trace.trace_id, ""));
    let sampled = if trace.sampled { "1" } else { "0" };
    ["Root=1-", time, "-", id, ";Parent=", &trace.parent_id, ";Sampled=", sampled].concat()
}
