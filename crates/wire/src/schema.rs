//! The description of a service's shapes: what its published model says about names, places and limits.
//!
//! Everything is `Copy` and `'static`, so that a generated table needs no work at start-up. Shapes refer to each other by
//! index, so that recursive shapes need no pointers.

/// A wire protocol of AWS, as the published models name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Method, path, query, headers; the rest in a JSON body.
    RestJson,
    /// The same with an XML body.
    RestXml,
    /// `POST /` with `X-Amz-Target`, content type `application/x-amz-json-1.0`.
    Json10,
    /// `POST /` with `X-Amz-Target`, content type `application/x-amz-json-1.1`.
    Json11,
    /// A form body with `Action`; XML answers.
    Query,
    /// EC2's variant of `Query`.
    Ec2,
    /// Smithy RPC v2: `POST /service/{S}/operation/{O}` with CBOR bodies.
    Cbor,
}

impl Protocol {
    /// Whether operations are found by method and path.
    #[must_use]
    pub const fn is_rest(self) -> bool {
        matches!(self, Self::RestJson | Self::RestXml)
    }
}

/// One service of AWS.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The name in the model's folder, for example `lambda`.
    pub name: &'static str,
    /// The API version, for example `2015-03-31`.
    pub version: &'static str,
    /// The name in signatures and ARNs.
    pub signing_name: &'static str,
    /// What stands before the dot in `X-Amz-Target`; empty where no protocol needs it.
    pub target_prefix: &'static str,
    /// The protocols that the service speaks, the preferred one first.
    pub protocols: &'static [Protocol],
    /// XML namespace of the answers; empty for none.
    pub xml_namespace: &'static str,
    /// Clients of the query protocol expect their old error codes in `x-amzn-query-error`.
    pub query_compatible: bool,
    /// S3 sends `<Error>` without the `<ErrorResponse>` around it.
    pub bare_xml_errors: bool,
    /// Ordered by name.
    pub operations: &'static [Operation],
    /// Ordered by name; [`ShapeId`] is the position.
    pub shapes: &'static [Shape],
}

impl Service {
    /// The shape at `id`. An id from another service yields the placeholder [`Shape::UNKNOWN`].
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> &'static Shape {
        self.shapes.get(usize::from(id)).unwrap_or(&Shape::UNKNOWN)
    }

    /// The shape called `name`.
    #[must_use]
    pub fn shape_named(&self, name: &str) -> Option<&'static Shape> {
        self.shapes.binary_search_by(|shape| shape.name.cmp(name)).ok().and_then(|at| self.shapes.get(at))
    }

    /// The operation called `name`.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.binary_search_by(|op| op.name.cmp(name)).ok().and_then(|at| self.operations.get(at))
    }
}

/// The position of a shape in its service's table.
pub type ShapeId = u16;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path template, `{Label}` and greedy `{Label+}`, with literal query parameters after `?`.
    pub uri: &'static str,
    /// HTTP status of success.
    pub status: u16,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// The element around a query answer; empty for none.
    pub result_wrapper: &'static str,
    /// The root element of a rest-xml request; empty for the shape's own.
    pub input_root: &'static str,
}

impl Operation {
    /// An operation whose success is 200 and that has neither input nor output.
    #[must_use]
    pub const fn new(name: &'static str, method: &'static str, uri: &'static str) -> Self {
        Self { name, method, uri, status: 200, input: None, output: None, result_wrapper: "", input_root: "" }
    }

    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub const fn input(mut self, id: ShapeId) -> Self {
        self.input = Some(id);
        self
    }

    #[must_use]
    pub const fn output(mut self, id: ShapeId) -> Self {
        self.output = Some(id);
        self
    }

    #[must_use]
    pub const fn wrapper(mut self, name: &'static str) -> Self {
        self.result_wrapper = name;
        self
    }
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since 1970, with a fraction where there is one.
    EpochSeconds,
    /// RFC 3339 in UTC.
    DateTime,
    /// IMF-fixdate of RFC 9110.
    HttpDate,
}

/// What kind of thing a shape is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Structure(Structure),
    List(Member),
    Map(Member, Member),
    String,
    Bool,
    /// `byte`, `short`, `integer`: 32 bits at most.
    Int,
    /// 64 bits.
    Long,
    Float,
    Blob,
    Timestamp(Option<TimestampFormat>),
}

/// The members of a structure and what is special about it.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    pub members: &'static [Member],
    /// The member that is the whole body in rest protocols.
    pub payload: &'static str,
    pub error: Option<ErrorInfo>,
    /// Exactly one member may be set.
    pub union: bool,
    /// Any JSON value may stand here.
    pub document: bool,
    /// Its members are the events of a stream.
    pub event_stream: bool,
}

impl Structure {
    /// The member called `name` in the model.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The member that is the whole body in rest protocols.
    #[must_use]
    pub fn payload_member(&self) -> Option<&'static Member> {
        if self.payload.is_empty() { None } else { self.member(self.payload) }
    }
}

/// What a model says of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorInfo {
    /// The code on the wire; for most errors the shape's own name.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The caller's fault, as against the service's.
    pub sender: bool,
}

/// One shape.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    /// Least length, number of members, or value.
    pub min: Option<f64>,
    /// Greatest length, number of members, or value.
    pub max: Option<f64>,
    /// A Java regular expression that the whole string must match.
    pub pattern: &'static str,
    /// The values of an enumeration.
    pub values: &'static [&'static str],
    /// Its value is kept out of error messages and logs.
    pub sensitive: bool,
    /// Lists and maps without an element around them.
    pub flattened: bool,
    /// Root element in XML; empty for the shape's name.
    pub xml_name: &'static str,
    pub xml_namespace: Option<Namespace>,
}

/// An XML namespace; the prefix is empty for the default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub prefix: &'static str,
    pub uri: &'static str,
}

impl Shape {
    /// Stands where an id has no shape: a structure without members.
    pub const UNKNOWN: Self = Self::structure("", &[]);

    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            min: None,
            max: None,
            pattern: "",
            values: &[],
            sensitive: false,
            flattened: false,
            xml_name: "",
            xml_namespace: None,
        }
    }

    #[must_use]
    pub const fn structure(name: &'static str, members: &'static [Member]) -> Self {
        let structure = Structure {
            members,
            payload: "",
            error: None,
            union: false,
            document: false,
            event_stream: false,
        };
        Self::new(name, Kind::Structure(structure))
    }

    #[must_use]
    pub const fn list(name: &'static str, member: Member) -> Self {
        Self::new(name, Kind::List(member))
    }

    #[must_use]
    pub const fn map(name: &'static str, key: Member, value: Member) -> Self {
        Self::new(name, Kind::Map(key, value))
    }

    #[must_use]
    pub const fn string(name: &'static str) -> Self {
        Self::new(name, Kind::String)
    }

    #[must_use]
    pub const fn min(mut self, min: f64) -> Self {
        self.min = Some(min);
        self
    }

    #[must_use]
    pub const fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    #[must_use]
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = pattern;
        self
    }

    #[must_use]
    pub const fn values(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }

    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }

    #[must_use]
    pub const fn xml(mut self, name: &'static str, namespace: Option<Namespace>) -> Self {
        self.xml_name = name;
        self.xml_namespace = namespace;
        self
    }

    /// Sets the structure's payload member; other kinds stay as they are.
    #[must_use]
    pub const fn payload(mut self, member: &'static str) -> Self {
        if let Kind::Structure(structure) = &mut self.kind {
            structure.payload = member;
        }
        self
    }

    /// Marks the structure as an error.
    #[must_use]
    pub const fn error(mut self, code: &'static str, status: u16, sender: bool) -> Self {
        if let Kind::Structure(structure) = &mut self.kind {
            structure.error = Some(ErrorInfo { code, status, sender });
        }
        self
    }

    #[must_use]
    pub const fn union(mut self) -> Self {
        if let Kind::Structure(structure) = &mut self.kind {
            structure.union = true;
        }
        self
    }

    #[must_use]
    pub const fn document(mut self) -> Self {
        if let Kind::Structure(structure) = &mut self.kind {
            structure.document = true;
        }
        self
    }

    #[must_use]
    pub const fn event_stream(mut self) -> Self {
        if let Kind::Structure(structure) = &mut self.kind {
            structure.event_stream = true;
        }
        self
    }

    /// The structure behind this shape.
    #[must_use]
    pub const fn as_structure(&self) -> Option<&Structure> {
        match &self.kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }
}

/// Where a member of a rest request or answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Label,
    Query,
    Header,
    /// A map whose keys are header names after a common prefix.
    Headers,
    Status,
}

/// A member of a structure, list or map: a shape and how it is named and placed here.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The name in the model; empty in lists and maps.
    pub name: &'static str,
    pub shape: ShapeId,
    /// The name on the wire where it differs; empty where it does not.
    pub wire: &'static str,
    pub at: Location,
    pub required: bool,
    pub flattened: bool,
    pub xml_attribute: bool,
    pub xml_namespace: Option<Namespace>,
    pub timestamp: Option<TimestampFormat>,
    /// A string that holds JSON; in headers it travels as base64.
    pub json_value: bool,
    pub event_payload: bool,
    pub event_header: bool,
}

impl Member {
    #[must_use]
    pub const fn new(name: &'static str, shape: ShapeId) -> Self {
        Self {
            name,
            shape,
            wire: "",
            at: Location::Body,
            required: false,
            flattened: false,
            xml_attribute: false,
            xml_namespace: None,
            timestamp: None,
            json_value: false,
            event_payload: false,
            event_header: false,
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn wire_name(&self) -> &'static str {
        if self.wire.is_empty() { self.name } else { self.wire }
    }

    /// The name on the wire, or `default` where a list or map does not give one.
    #[must_use]
    pub const fn wire_or(&self, default: &'static str) -> &'static str {
        if self.wire.is_empty() { default } else { self.wire }
    }

    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    #[must_use]
    pub const fn wire(mut self, name: &'static str) -> Self {
        self.wire = name;
        self
    }

    #[must_use]
    pub const fn at(mut self, at: Location) -> Self {
        self.at = at;
        self
    }

    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }

    #[must_use]
    pub const fn xml(mut self, attribute: bool, namespace: Option<Namespace>) -> Self {
        self.xml_attribute = attribute;
        self.xml_namespace = namespace;
        self
    }

    #[must_use]
    pub const fn timestamp(mut self, format: TimestampFormat) -> Self {
        self.timestamp = Some(format);
        self
    }

    #[must_use]
    pub const fn json_value(mut self) -> Self {
        self.json_value = true;
        self
    }

    #[must_use]
    pub const fn event_payload(mut self) -> Self {
        self.event_payload = true;
        self
    }

    #[must_use]
    pub const fn event_header(mut self) -> Self {
        self.event_header = true;
        self
    }
}
