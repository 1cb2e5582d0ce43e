//! Equivalence of answers: what a client cannot tell apart.

use ciborium::Value as Cbor;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value as Json;

/// The request id that an XML answer shows.
pub(crate) fn request_id(body: &str) -> String {
    ["RequestId>", "requestId>", "RequestID>"]
        .iter()
        .find_map(|tag| body.split_once(tag)?.1.split_once('<'))
        .map_or_else(|| "id".to_owned(), |(id, _)| id.to_owned())
}

/// A header without the spaces around separators; an error's type without its namespace and address.
pub(crate) fn header(name: &str, text: &str) -> String {
    if name.eq_ignore_ascii_case("x-amzn-errortype") {
        return kind(text).to_owned();
    }
    text.split(',').map(str::trim).collect::<Vec<_>>().join(",")
}

/// Both are JSON, and the same. Numbers compare as numbers.
pub(crate) fn json(a: &str, b: &str) -> bool {
    let parse = |text| serde_json::from_str::<Json>(text).ok();
    matches!((parse(a), parse(b)), (Some(a), Some(b)) if same_json(&a, &b))
}

fn same_json(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let same = |key: &str, a: &Json, b: &Json| {
                // Clients cut the namespace before `#` and the address after `:` off an error's type.
                key == "__type" && a.as_str().map(kind) == b.as_str().map(kind) || same_json(a, b)
            };
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(key, a, b)))
        }
        (a, b) => a == b,
    }
}

fn kind(text: &str) -> &str {
    let text = text.split_once(':').map_or(text, |(kind, _)| kind);
    text.rsplit_once('#').map_or(text, |(_, kind)| kind)
}

#[derive(Debug, Default, PartialEq, PartialOrd)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// Both are XML, and the same. Elements of different names may come in any order; space between elements does not count, nor
/// does the root's namespace, which the vectors' descriptions do not give, nor a request id that the case leaves out.
pub(crate) fn xml(found: &str, wanted: &str) -> bool {
    const IDS: [&str; 3] = ["ResponseMetadata", "requestId", "RequestID"];
    let (Some(mut found), Some(mut wanted)) = (tree(found), tree(wanted)) else { return false };
    for root in [&mut found, &mut wanted] {
        root.attributes.retain(|(name, _)| name != "xmlns");
    }
    let named: Vec<String> = wanted.children.iter().map(|child| child.name.clone()).collect();
    found.children.retain(|child| !IDS.contains(&child.name.as_str()) || named.contains(&child.name));
    if found.children.is_empty() && wanted.children.is_empty() {
        (found.text, wanted.text) = (found.text.trim().to_owned(), wanted.text.trim().to_owned());
    }
    found == wanted
}

fn tree(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let (Event::Start(start) | Event::Empty(start)) = &event else { return None };
                let mut element = Element {
                    name: String::from_utf8_lossy(start.name().as_ref()).into_owned(),
                    ..Element::default()
                };
                for attribute in start.attributes() {
                    let attribute = attribute.ok()?;
                    let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                    element.attributes.push((key, attribute.unescape_value().ok()?.into_owned()));
                }
                element.attributes.sort();
                if matches!(event, Event::Start(_)) {
                    open.push(element);
                } else {
                    open.last_mut()?.children.push(element);
                }
            }
            Event::End(_) => {
                let done = finish(open.pop()?);
                open.last_mut()?.children.push(done);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(name) => {
                let text = format!("&{};", name.decode().ok()?);
                open.last_mut()?.text.push_str(&quick_xml::escape::unescape(&text).ok()?);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut root = open.pop()?;
    if open.is_empty() { root.children.pop() } else { None }
}

fn finish(mut element: Element) -> Element {
    if !element.children.is_empty() || element.text.trim().is_empty() {
        element.text.clear();
    }
    // Stable: elements of one name keep their order.
    element.children.sort_by(|a, b| a.name.cmp(&b.name));
    element
}

/// CBOR with maps in one order, times and whole doubles as the same numbers, NaN equal to itself.
pub(crate) fn cbor(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    ciborium::from_reader::<Cbor, _>(bytes).map_or_else(|error| error.to_string(), |value| canonical(&value))
}

fn canonical(value: &Cbor) -> String {
    match value {
        Cbor::Integer(number) => format!("{}", i128::from(*number)),
        Cbor::Float(number) => format!("{number}"),
        Cbor::Tag(tag, inner) => format!("{tag}({})", canonical(inner)),
        Cbor::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
        Cbor::Map(entries) => {
            let item = |key: &Cbor, item: &Cbor| match (key.as_text(), item.as_text()) {
                (Some("__type"), Some(text)) => kind(text).to_owned(),
                _ => canonical(item),
            };
            let mut all: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", canonical(key), item(key, value)))
                .collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        other => format!("{other:?}"),
    }
}
