//! One service at the wire: requests in, typed calls out, and back.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response};

use crate::error::{Rejection, ServiceError};
use crate::fit::{Format, fit};
use crate::query::{Form, tree};
use crate::route::{Matched, Router, pairs};
use crate::schema::{Member, Operation, Protocol, Service};
use crate::typed::{Mismatch, Typed};
use crate::validate::Validator;
use crate::value::Value;
use crate::{cbor, json, respond, rest};

/// A service with its routes and patterns made ready. Build it once; it is cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Api {
    service: &'static Service,
    router: Router,
    validator: Validator,
}

/// What a request asks for: decides how the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub operation: &'static Operation,
    pub protocol: Protocol,
}

/// A decoded and validated request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub target: Target,
    pub input: Value,
}

impl Call {
    /// The input as its generated struct.
    ///
    /// # Errors
    /// `SerializationException` where the struct is not the operation's.
    pub fn input<T: Typed>(self) -> Result<T, ServiceError> {
        T::from_value(self.input).map_err(|Mismatch { .. }| {
            ServiceError::serialization(format!("The input of {} is malformed.", self.target.operation.name))
        })
    }
}

impl Api {
    /// Makes the routes of `service`.
    #[must_use]
    pub fn new(service: &'static Service) -> Self {
        Self { service, router: Router::new(service), validator: Validator::new(service) }
    }

    /// The description that this was made from.
    #[must_use]
    pub const fn service(&self) -> &'static Service {
        self.service
    }

    /// Finds the operation, decodes its input and checks it against the model.
    ///
    /// # Errors
    /// A [`Rejection`] to be written with [`Api::reject`]: no such operation, a malformed body, a broken constraint.
    pub fn accept(&self, parts: &Parts, body: Bytes) -> Result<Call, Rejection> {
        let call = self.decode(parts, body)?;
        if let Some(id) = call.target.operation.input {
            let reject = |error| Rejection { protocol: call.target.protocol, error };
            self.validator.check(id, &call.input).map_err(reject)?;
        }
        Ok(call)
    }

    /// As [`Api::accept`] without the check of constraints.
    ///
    /// # Errors
    /// A [`Rejection`]: no such operation or a malformed body.
    pub fn decode(&self, parts: &Parts, body: Bytes) -> Result<Call, Rejection> {
        let protocol = self.protocol_of(parts);
        let reject = |error| Rejection { protocol, error };
        let (operation, input) = match protocol {
            Protocol::RestJson | Protocol::RestXml => self.decode_rest(protocol, parts, body),
            Protocol::Json10 | Protocol::Json11 => self.decode_json(protocol, &parts.headers, &body),
            Protocol::Query | Protocol::Ec2 => self.decode_query(protocol, parts, &body),
            Protocol::Cbor => self.decode_cbor(parts, &body),
        }
        .map_err(reject)?;
        Ok(Call { target: Target { operation, protocol }, input })
    }

    /// The operation that a request names, without reading its body: for whoever must know before the body is there.
    /// Query requests name it in the body, so they yield `None`.
    #[must_use]
    pub fn peek(&self, parts: &Parts) -> Option<Target> {
        let protocol = self.protocol_of(parts);
        let operation = match protocol {
            Protocol::RestJson | Protocol::RestXml => self.route(parts).map(|matched| matched.operation),
            Protocol::Json10 | Protocol::Json11 => self.target_operation(&parts.headers).ok(),
            Protocol::Cbor => self.rpc_operation(parts).ok(),
            Protocol::Query | Protocol::Ec2 => None,
        }?;
        Some(Target { operation, protocol })
    }

    /// Checks an input against the model; see [`Api::accept`].
    ///
    /// # Errors
    /// One error with all violations; its code is [`Service::validation_code`].
    pub fn validate(&self, operation: &Operation, input: &Value) -> Result<(), ServiceError> {
        operation.input.map_or(Ok(()), |id| self.validator.check(id, input))
    }

    /// Writes a handler's result.
    #[must_use]
    pub fn answer(
        &self,
        target: Target,
        result: Result<Value, ServiceError>,
        request_id: &str,
    ) -> Response<Bytes> {
        match result {
            Ok(output) => respond::output(self.service, target, &output, request_id),
            Err(error) => respond::error::write(self.service, target.protocol, &error, request_id),
        }
    }

    /// Writes a refusal.
    #[must_use]
    pub fn reject(&self, rejection: &Rejection, request_id: &str) -> Response<Bytes> {
        respond::error::write(self.service, rejection.protocol, &rejection.error, request_id)
    }

    /// One event of the operation's output stream as a frame: `name` is the member of the stream's shape, `value` its members.
    /// A member that is an error shape becomes an exception frame.
    ///
    /// # Errors
    /// `InternalFailure` where the operation streams no such event or the frame would be too long (16 MiB).
    pub fn event(&self, target: Target, name: &str, value: &Value) -> Result<Bytes, ServiceError> {
        respond::event::write(self.service, target, name, value).ok_or_else(ServiceError::internal)
    }

    /// The frame that begins a stream in the RPC protocols: the output's members beside the stream.
    ///
    /// # Errors
    /// `InternalFailure` where the frame would be too long.
    pub fn initial_response(&self, target: Target, output: &Value) -> Result<Bytes, ServiceError> {
        respond::event::initial(self.service, target, output).ok_or_else(ServiceError::internal)
    }

    /// The protocol a request is in: the service may speak several.
    fn protocol_of(&self, parts: &Parts) -> Protocol {
        let speaks = |protocol: &Protocol| self.service.protocols.contains(protocol);
        let preferred = self.service.protocols.first().copied().unwrap_or(Protocol::RestJson);
        let headers = &parts.headers;
        let content_type = text(headers, "content-type");
        if headers.contains_key("smithy-protocol") && speaks(&Protocol::Cbor) {
            Protocol::Cbor
        } else if headers.contains_key("x-amz-target") {
            let named = if content_type.starts_with("application/x-amz-json-1.0") {
                Protocol::Json10
            } else {
                Protocol::Json11
            };
            let spoken = [named, Protocol::Json11, Protocol::Json10].into_iter().find(speaks);
            spoken.unwrap_or(preferred)
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            [Protocol::Query, Protocol::Ec2].into_iter().find(speaks).unwrap_or(preferred)
        } else {
            preferred
        }
    }

    fn route(&self, parts: &Parts) -> Option<Matched> {
        let query = pairs(parts.uri.query().unwrap_or_default());
        self.router.find(parts.method.as_str(), parts.uri.path(), &query)
    }

    fn decode_rest(&self, protocol: Protocol, parts: &Parts, body: Bytes) -> Decoded {
        let query = pairs(parts.uri.query().unwrap_or_default());
        let matched = self.router.find(parts.method.as_str(), parts.uri.path(), &query).ok_or_else(|| {
            ServiceError::unknown_operation(protocol, parts.uri.path(), self.service.version)
        })?;
        let request = rest::Request { matched: &matched, query: &query, headers: &parts.headers, body };
        Ok((matched.operation, rest::decode(self.service, protocol, request)?))
    }

    fn target_operation(&self, headers: &HeaderMap) -> Result<&'static Operation, ServiceError> {
        let target = text(headers, "x-amz-target");
        let (prefix, name) = target.rsplit_once('.').unwrap_or(("", target));
        let known = self.service.operation(name).filter(|_| prefix == self.service.target_prefix);
        known.ok_or_else(|| ServiceError::unknown_operation(Protocol::Json11, target, self.service.version))
    }

    fn decode_json(&self, protocol: Protocol, headers: &HeaderMap, body: &Bytes) -> Decoded {
        debug_assert!(matches!(protocol, Protocol::Json10 | Protocol::Json11));
        let operation = self.target_operation(headers)?;
        let raw = if body.is_empty() {
            Value::empty()
        } else {
            json::parse(body).map_err(ServiceError::serialization)?
        };
        Ok((operation, self.input(operation, raw, Format::Json)?))
    }

    fn rpc_operation(&self, parts: &Parts) -> Result<&'static Operation, ServiceError> {
        // `/service/{S}/operation/{O}`, possibly below a prefix.
        let mut path = parts.uri.path().rsplit('/');
        let (name, word) = (path.next().unwrap_or_default(), path.next());
        let (service, before) = (path.next(), path.next());
        let known = self.service.operation(name).filter(|_| {
            word == Some("operation")
                && before == Some("service")
                && service == Some(self.service.target_prefix)
                && parts.method == http::Method::POST
        });
        known.ok_or_else(|| ServiceError::unknown_operation(Protocol::Cbor, name, self.service.version))
    }

    fn decode_cbor(&self, parts: &Parts, body: &Bytes) -> Decoded {
        let operation = self.rpc_operation(parts)?;
        let raw = if body.is_empty() {
            Value::empty()
        } else {
            cbor::parse(body)
                .map_err(|why| ServiceError::serialization(format!("The CBOR is malformed: {why}")))?
        };
        Ok((operation, self.input(operation, raw, Format::Cbor)?))
    }

    fn decode_query(&self, protocol: Protocol, parts: &Parts, body: &Bytes) -> Decoded {
        let body = std::str::from_utf8(body)
            .map_err(|_| ServiceError::unmodelled("MalformedInput", 400, "The body is not UTF-8."))?;
        // Older clients send everything in the query string of a GET.
        let mut all = pairs(parts.uri.query().unwrap_or_default());
        all.extend(pairs(body.trim()));
        let form = tree(all)?;
        let name = form.text_of("Action").unwrap_or_default();
        let version = form.text_of("Version").unwrap_or(self.service.version);
        let operation = self
            .service
            .operation(name)
            .ok_or_else(|| ServiceError::unknown_operation(protocol, name, version))?;
        let Some(structure) = operation.input.and_then(|id| self.service.shape(id).as_structure()) else {
            return Ok((operation, Value::empty()));
        };
        let input = Form { service: self.service, protocol }.structure(structure, &form)?;
        Ok((operation, input))
    }

    /// A self-describing document as the operation's input.
    fn input(&self, operation: &Operation, raw: Value, from: Format) -> Result<Value, ServiceError> {
        match operation.input {
            None => Ok(Value::empty()),
            Some(_) if raw == Value::Null => Ok(Value::empty()),
            Some(id) => fit(self.service, &Member::new("", id), raw, from),
        }
    }
}

type Decoded = Result<(&'static Operation, Value), ServiceError>;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
