//! The description of a service's shapes: what its published model says about names, places and limits.
//!
//! Everything is `Copy` and `'static`, so that a generated table needs no work at start-up. Shapes refer to each other by
//! index, so that recursive shapes need no pointers.

mod build;

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
    /// The error code for inputs that break constraints. Not in the models: `ValidationException` in most services,
    /// `ValidationError` in those of the query protocols, `InvalidParameterException` in CloudWatch Logs.
    pub validation_code: &'static str,
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
}
