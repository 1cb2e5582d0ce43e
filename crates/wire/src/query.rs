//! Form bodies of the query protocols: flat names like `Filters.member.1.Values.entry.2.key`, made into a tree and read by shape.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::error::ServiceError;
use crate::scalar;
use crate::schema::{Kind, Member, Protocol, Service, Structure, TimestampFormat};
use crate::value::{Map, Value};

/// More dots than any model has; bounds recursion.
const MAX_DEPTH: usize = 64;

/// A name's own value and the names below it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    text: Option<String>,
    below: IndexMap<String, Node>,
}

/// The tree of a form. The last of several values wins.
pub(crate) fn tree(pairs: Vec<(String, String)>) -> Result<Node, ServiceError> {
    let mut root = Node::default();
    for (name, text) in pairs {
        if name.split('.').count() > MAX_DEPTH {
            return Err(ServiceError::unmodelled(
                "MalformedInput",
                400,
                "A parameter's name is nested too deeply.",
            ));
        }
        let mut node = &mut root;
        for part in name.split('.') {
            node = node.below.entry(part.to_owned()).or_default();
        }
        node.text = Some(text);
    }
    Ok(root)
}

impl Node {
    /// The text of a name at this level.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.below.get(name)?.text.as_deref()
    }

    /// Takes the nodes below whose names are numbers, in their order.
    fn numbered(&self) -> Vec<&Self> {
        let numbered: BTreeMap<u64, &Self> =
            self.below.iter().filter_map(|(name, node)| Some((name.parse().ok()?, node))).collect();
        numbered.into_values().collect()
    }
}

/// Reads a form by shape, in one of the two dialects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    pub(crate) service: &'a Service,
    pub(crate) protocol: Protocol,
}

impl Form<'_> {
    /// The members of `structure` below `node`.
    pub(crate) fn structure(self, structure: &Structure, node: &Node) -> Result<Value, ServiceError> {
        let mut map = Map::new();
        for member in structure.members {
            if let Some(value) = self.member(member, node)? {
                map.insert(member.name.to_owned(), value);
            }
        }
        Ok(Value::Map(map))
    }

    fn member(self, member: &Member, parent: &Node) -> Result<Option<Value>, ServiceError> {
        let shape = self.service.shape(member.shape);
        let name = self.name_of(member);
        if let Some(node) = parent.below.get(&name) {
            return self.read(member, node);
        }
        match &shape.kind {
            // Older models name the items on the list instead of on the member.
            Kind::List(item) if (shape.flattened || member.flattened) && !item.wire.is_empty() => {
                parent.below.get(item.wire).map(|node| self.items(item, node)).transpose()
            }
            _ => Ok(None),
        }
    }

    fn name_of(self, member: &Member) -> String {
        let name = member.wire_name();
        if self.protocol != Protocol::Ec2 {
            return name.to_owned();
        }
        // EC2 names begin with a capital letter.
        let mut letters = name.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    }

    fn read(self, member: &Member, node: &Node) -> Result<Option<Value>, ServiceError> {
        let shape = self.service.shape(member.shape);
        let flat = shape.flattened || member.flattened || self.protocol == Protocol::Ec2;
        match &shape.kind {
            Kind::Structure(inner) => self.structure(inner, node).map(Some),
            Kind::List(item) => match node.below.get(item.wire_or("member")).filter(|_| !flat) {
                Some(below) => self.items(item, below).map(Some),
                None => self.items(item, node).map(Some),
            },
            Kind::Map(key, item) => {
                let entries = node.below.get("entry").filter(|_| !flat).unwrap_or(node);
                self.entries(key, item, entries).map(Some)
            }
            _ => {
                let text = node.text.as_deref();
                text.map(|text| scalar::read(self.service, member, text, TimestampFormat::DateTime))
                    .transpose()
            }
        }
    }

    fn items(self, item: &Member, node: &Node) -> Result<Value, ServiceError> {
        let items = node.numbered().into_iter().map(|node| self.read(item, node));
        items.filter_map(Result::transpose).collect::<Result<_, _>>().map(Value::List)
    }

    fn entries(self, key: &Member, item: &Member, node: &Node) -> Result<Value, ServiceError> {
        let mut map = Map::new();
        for entry in node.numbered() {
            let name = entry.text_of(key.wire_or("key")).unwrap_or_default().to_owned();
            let value = entry.below.get(item.wire_or("value")).map(|node| self.read(item, node));
            map.insert(name, value.transpose()?.flatten().unwrap_or_default());
        }
        Ok(Value::Map(map))
    }
}
