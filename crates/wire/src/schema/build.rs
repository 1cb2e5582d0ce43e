//! How tables are written down: a constructor with the usual values, and one method per thing that may differ.

use super::{
    ErrorInfo, Kind, Location, Member, Namespace, Operation, Shape, ShapeId, Structure, TimestampFormat,
};

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

impl Shape {
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
