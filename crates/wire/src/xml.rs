//! XML to and from [`Value`]: a small tree, read by shape. Declarations of entities are refused, nesting is bounded.

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::ServiceError;
use crate::scalar;
use crate::schema::{Kind, Member, Service, Structure, TimestampFormat};
use crate::value::{Map, Value};

const MAX_DEPTH: usize = 128;

/// One element. Names have lost their prefixes.
#[derive(Debug, Default)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// The root element of a document.
pub(crate) fn parse(body: &Bytes) -> Result<Element, ServiceError> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let done = match reader.read_event().map_err(|error| malformed(&error.to_string()))? {
            Event::Start(start) if open.len() < MAX_DEPTH => {
                open.push(element(&start)?);
                None
            }
            Event::Start(_) => return Err(malformed("it is nested too deeply")),
            Event::Empty(start) => Some(element(&start)?),
            Event::End(_) => open.pop(),
            Event::Eof => return Err(malformed("it ends too early")),
            Event::DocType(_) => return Err(malformed("it has a document type")),
            Event::Text(text) => {
                append(&mut open, &text.decode().map_err(|error| malformed(&error.to_string()))?);
                None
            }
            Event::CData(text) => {
                append(&mut open, &text.decode().map_err(|error| malformed(&error.to_string()))?);
                None
            }
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| malformed(&error.to_string()))?;
                let text = quick_xml::escape::unescape(&format!("&{name};"))
                    .map_err(|error| malformed(&error.to_string()))?
                    .into_owned();
                append(&mut open, &text);
                None
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
        };
        if let Some(element) = done {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => return Ok(element),
            }
        }
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, ServiceError> {
    let local = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| malformed(&error.to_string()))?;
        let value = attribute.unescape_value().map_err(|error| malformed(&error.to_string()))?;
        // Attributes keep their prefix: `xsi:type` is bound by that name.
        attributes.push((local(attribute.key.as_ref()), value.into_owned()));
    }
    Ok(Element { name: local(start.local_name().as_ref()), attributes, ..Element::default() })
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn malformed(why: &str) -> ServiceError {
    ServiceError::unmodelled(
        "MalformedXML",
        400,
        format!(
            "The XML you provided was not well-formed or did not validate against our published schema: {why}"
        ),
    )
}

/// Element names carry no prefix, so a member's name must lose its own.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// `element` as the shape of `member`.
pub(crate) fn read(service: &Service, member: &Member, element: &Element) -> Result<Value, ServiceError> {
    match &service.shape(member.shape).kind {
        Kind::Structure(inner) => structure(service, inner, element),
        Kind::List(item) => element
            .children
            .iter()
            .map(|child| read(service, item, child))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Kind::Map(key, value) => entries(service, key, value, element.children.iter()),
        _ => scalar::read(service, member, &element.text, TimestampFormat::DateTime),
    }
}

/// The members of `structure` that stand inside `element`.
pub(crate) fn structure(
    service: &Service,
    structure: &Structure,
    element: &Element,
) -> Result<Value, ServiceError> {
    let mut map = Map::new();
    for member in structure.members {
        if let Some(value) = read_member(service, member, element)? {
            map.insert(member.name.to_owned(), value);
        }
    }
    Ok(Value::Map(map))
}

fn read_member(service: &Service, member: &Member, parent: &Element) -> Result<Option<Value>, ServiceError> {
    let name = member.wire_name();
    if member.xml_attribute {
        let text = parent.attributes.iter().find(|(key, _)| key == name);
        return text
            .map(|(_, text)| scalar::read(service, member, text, TimestampFormat::DateTime))
            .transpose();
    }
    let shape = service.shape(member.shape);
    let flat = shape.flattened || member.flattened;
    let named = |name: &str| {
        let name = local(name).to_owned();
        parent.children.iter().filter(move |child| child.name == name)
    };
    let mut found = named(name).peekable();
    match &shape.kind {
        Kind::List(item) if flat => {
            // Older models name the items on the list instead of on the member.
            let other = named(item.wire).filter(|_| !item.wire.is_empty() && item.wire != name);
            let items =
                found.chain(other).map(|child| read(service, item, child)).collect::<Result<Vec<_>, _>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        Kind::Map(key, value) if flat => {
            if found.peek().is_none() {
                return Ok(None);
            }
            entries(service, key, value, found).map(Some)
        }
        _ => found.next().map(|child| read(service, member, child)).transpose(),
    }
}

fn entries<'a>(
    service: &Service,
    key: &Member,
    value: &Member,
    entries: impl Iterator<Item = &'a Element>,
) -> Result<Value, ServiceError> {
    let mut map = Map::new();
    for entry in entries {
        let part = |name: &str| entry.children.iter().find(|child| child.name == local(name));
        let (Some(name), Some(content)) = (part(key.wire_or("key")), part(value.wire_or("value"))) else {
            return Err(malformed("a map's entry has no key or no value"));
        };
        map.insert(name.text.clone(), read(service, value, content)?);
    }
    Ok(Value::Map(map))
}

/// Writes XML text.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    /// A document with the XML declaration.
    pub(crate) fn document() -> Self {
        Self { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.out)
    }

    /// `<name …>` around what `inside` writes. Attributes are escaped here.
    pub(crate) fn element(
        &mut self,
        name: &str,
        attributes: &[(String, String)],
        inside: impl FnOnce(&mut Self),
    ) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            self.text(value);
            self.out.push('"');
        }
        self.out.push('>');
        inside(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Escaped text. Control characters that XML cannot hold become U+FFFD.
    pub(crate) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                '"' => self.out.push_str("&quot;"),
                '\r' => self.out.push_str("&#xD;"),
                '\n' => self.out.push_str("&#xA;"),
                '\u{85}' => self.out.push_str("&#x85;"),
                '\u{2028}' => self.out.push_str("&#x2028;"),
                '\t' => self.out.push('\t'),
                c if c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => self.out.push('\u{FFFD}'),
                c => self.out.push(c),
            }
        }
    }

    /// The members of `structure` that belong into the body.
    pub(crate) fn members(&mut self, service: &Service, structure: &Structure, map: &Map) {
        for member in structure.members.iter().filter(|m| m.at == crate::schema::Location::Body) {
            match map.get(member.name) {
                Some(value) if !member.xml_attribute => self.member(service, member, value),
                _ => {}
            }
        }
    }

    fn member(&mut self, service: &Service, member: &Member, value: &Value) {
        let shape = service.shape(member.shape);
        let flat = shape.flattened || member.flattened;
        match (&shape.kind, value) {
            (_, Value::Null) => {}
            (Kind::List(item), Value::List(items)) if flat => {
                for value in items {
                    self.named(service, item, member.wire_name(), value);
                }
            }
            (Kind::Map(key, item), Value::Map(map)) if flat => {
                for (name, value) in map {
                    let attributes = namespace(service, member);
                    self.element(member.wire_name(), &attributes, |out| {
                        out.entry(service, key, item, (name, value))
                    });
                }
            }
            _ => self.named(service, member, member.wire_name(), value),
        }
    }

    /// The members of a structure as an element called `name`, the ones that are attributes among its attributes.
    pub(crate) fn named_structure(&mut self, service: &Service, member: &Member, name: &str, map: &Map) {
        let Some(inner) = service.shape(member.shape).as_structure() else { return };
        let mut attributes = namespace(service, member);
        for own in inner.members.iter().filter(|own| own.xml_attribute) {
            let text = map
                .get(own.name)
                .and_then(|value| scalar::write(service, own, value, TimestampFormat::DateTime));
            attributes.extend(text.map(|text| (own.wire_name().to_owned(), text)));
        }
        self.element(name, &attributes, |out| out.members(service, inner, map));
    }

    /// `value` as an element called `name`.
    pub(crate) fn named(&mut self, service: &Service, member: &Member, name: &str, value: &Value) {
        let attributes = namespace(service, member);
        match (&service.shape(member.shape).kind, value) {
            (Kind::Structure(_), Value::Map(map)) => self.named_structure(service, member, name, map),
            (Kind::List(item), Value::List(items)) => self.element(name, &attributes, |out| {
                for value in items {
                    out.named(service, item, item.wire_or("member"), value);
                }
            }),
            (Kind::Map(key, item), Value::Map(map)) => self.element(name, &attributes, |out| {
                for pair in map {
                    out.element("entry", &[], |out| out.entry(service, key, item, pair));
                }
            }),
            _ => {
                let text =
                    scalar::write(service, member, value, TimestampFormat::DateTime).unwrap_or_default();
                self.element(name, &attributes, |out| out.text(&text));
            }
        }
    }

    fn entry(&mut self, service: &Service, key: &Member, item: &Member, (name, value): (&String, &Value)) {
        let attributes = namespace(service, key);
        self.element(key.wire_or("key"), &attributes, |out| out.text(name));
        self.named(service, item, item.wire_or("value"), value);
    }
}

/// The `xmlns` attribute that the member or its shape asks for.
pub(crate) fn namespace(service: &Service, member: &Member) -> Vec<(String, String)> {
    let namespace = member.xml_namespace.or_else(|| service.shape(member.shape).xml_namespace);
    namespace
        .map(|ns| {
            let key = if ns.prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{}", ns.prefix) };
            (key, ns.uri.to_owned())
        })
        .into_iter()
        .collect()
}
