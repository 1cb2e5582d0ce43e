//! AWS Signature Version 4: read what a request claims, then prove it.
//!
//! What must stay true: a request is `Verified` only when the secret's holder signed this method, path, query, host,
//! every `x-amz-` header and the payload (or said in the signed part that the payload is signed otherwise), within the
//! clock's bounds. Reading alone proves nothing.

use anyfn_types::{Error, Kind, Millis};
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::{
    basic_date,
    canonical::{self, PathForm},
    chunks::Chunks,
    keys::Secret,
    moment,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a clock may be off, in milliseconds.
const SKEW: Millis = 15 * 60 * 1000;
/// Seconds that a presigned address may live.
const EXPIRES_MAX: u64 = 604_800;
/// Added on the way or by clients after signing; says nothing about the operation.
const NEED_NOT_BE_SIGNED: [&str; 2] = ["x-amz-security-token", "x-amz-cf-id"];

/// The parts of a request that are signed. `path` and `query` are as they were sent, not decoded; for HTTP/2, `headers`
/// must hold `host` from `:authority`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Without `?`; empty if there is none.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
}

/// Which of AWS's families of APIs is spoken: they differ in how a path is signed and in the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Lambda, DynamoDB and other JSON and REST APIs.
    Json,
    /// SQS, SNS, STS, CloudFormation in the query protocol.
    Query,
    /// S3: paths are signed as they are, payloads may be unsigned or signed in chunks.
    S3,
}

/// Whom a request claims to come from. Nothing is proven by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub access_key: String,
    /// `20261121`
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Credential {
    /// `KEY/20261121/eu-west-1/lambda/aws4_request`; the key may hold slashes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(5, '/');
        let end = parts.next()?;
        let (service, region, date, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let dated = date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
        let whole = end == "aws4_request" && dated && ![service, region, key].contains(&"");
        whole.then(|| Self {
            access_key: key.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
        })
    }

    /// Reads it from a request's headers or presigned query, without verifying anything.
    pub fn of(request: &Request<'_>) -> Option<Self> {
        Signed::parse(request).ok().map(|signed| signed.credential)
    }

    /// In local mode an access key of 12 digits names the account.
    pub fn account(&self) -> Option<&str> {
        let key = &self.access_key;
        (key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit())).then_some(key)
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// What a request says about its body (`x-amz-content-sha256`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the body's hash is signed.
    Unsaid,
    /// This SHA-256, in hex.
    Sha256(String),
    /// `UNSIGNED-PAYLOAD`
    Unsigned,
    /// `STREAMING-…`: framed in chunks.
    Chunks {
        /// Each chunk carries a signature.
        signed: bool,
        /// Headers follow the last chunk.
        trailer: bool,
    },
}

/// What the verifier knows of the body.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// SHA-256 of all of it.
    Sha256([u8; 32]),
    /// Not read yet: the caller must compare it with `Verified::body_sha256` at its end.
    Later,
}

impl Body {
    pub fn of(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Header,
    /// Seconds.
    Presigned {
        expires: u64,
    },
}

/// A signature as a request carries it, read but not verified.
#[derive(Clone, Debug)]
pub struct Signed {
    pub credential: Credential,
    pub payload: Payload,
    /// The session's token, if the key is a temporary one.
    pub token: Option<String>,
    form: Form,
    date: String,
    at: Millis,
    names: Vec<String>,
    signature: [u8; 32],
}

/// A proven request.
#[derive(Debug)]
pub struct Verified {
    pub credential: Credential,
    /// What the body, still to come, must hash to.
    pub body_sha256: Option<[u8; 32]>,
    /// Takes the body's frames and gives its content; present when the payload is framed in chunks.
    pub chunks: Option<Chunks>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("{0}")]
    Incomplete(String),
    /// For whoever looks the key up.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - 15 min.)")]
    Old { signed: String, earliest: String, now: String },
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 15 min.)")]
    Early { signed: String, latest: String, now: String },
    /// A presigned address whose time is over.
    #[error("Request has expired")]
    Expired,
    /// For whoever checks session tokens.
    #[error("The security token included in the request is expired")]
    TokenExpired,
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    BodyMismatch,
}

impl Refusal {
    /// AWS's own code, as the family's clients know it.
    pub fn code(&self, family: Family) -> &'static str {
        use Family::{Json, Query, S3};
        match (self, family) {
            (Self::Missing, Json) => "MissingAuthenticationTokenException",
            (Self::Missing, Query) => "MissingAuthenticationToken",
            (Self::Missing, S3) => "AccessDenied",
            (Self::Incomplete(_), Json) => "IncompleteSignatureException",
            (Self::Incomplete(_), Query) => "IncompleteSignature",
            (Self::Incomplete(_), S3) => "AuthorizationHeaderMalformed",
            (Self::UnknownKey, Json) => "UnrecognizedClientException",
            (Self::UnknownKey, Query) => "InvalidClientTokenId",
            (Self::UnknownKey, S3) => "InvalidAccessKeyId",
            (Self::Mismatch | Self::Old { .. } | Self::Early { .. } | Self::BodyMismatch, Json) => {
                "InvalidSignatureException"
            }
            (Self::Mismatch | Self::BodyMismatch, Query) | (Self::Mismatch, S3) => "SignatureDoesNotMatch",
            (Self::Old { .. } | Self::Early { .. }, Query) => "SignatureDoesNotMatch",
            (Self::Old { .. } | Self::Early { .. }, S3) => "RequestTimeTooSkewed",
            (Self::Expired, Json | Query) => "RequestExpired",
            (Self::Expired, S3) => "AccessDenied",
            (Self::TokenExpired, Json) => "ExpiredTokenException",
            (Self::TokenExpired, Query | S3) => "ExpiredToken",
            (Self::BodyMismatch, S3) => "XAmzContentSHA256Mismatch",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Missing => "signature_missing",
            Refusal::Incomplete(_) => "signature_incomplete",
            Refusal::UnknownKey => "key_unknown",
            Refusal::Mismatch | Refusal::BodyMismatch => "signature_mismatch",
            Refusal::Old { .. } | Refusal::Early { .. } | Refusal::Expired => "signature_expired",
            Refusal::TokenExpired => "token_expired",
        };
        Self::new(Kind::Unauthenticated, code, refusal.to_string())
    }
}

fn incomplete(text: impl Into<String>) -> Refusal {
    Refusal::Incomplete(text.into())
}

impl Signed {
    /// Reads the `Authorization` header or the presigned query.
    pub fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        let presigned = parameter(request.query, "X-Amz-Signature")?.is_some();
        let mut headers = request.headers.get_all(http::header::AUTHORIZATION).iter();
        match (headers.next(), headers.next(), presigned) {
            (None, _, false) => Err(Refusal::Missing),
            (Some(_), Some(_), _) | (Some(_), _, true) => {
                Err(incomplete("Only one authentication mechanism is allowed"))
            }
            (Some(header), None, false) => {
                let text = header.to_str().map_err(|_| incomplete("Authorization header is no text"))?;
                Self::from_header(request, text)
            }
            (None, _, true) => Self::from_query(request),
        }
    }

    fn from_header(request: &Request<'_>, text: &str) -> Result<Self, Refusal> {
        let fields = text
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with([' ', '\t']))
            .ok_or_else(|| incomplete(format!("Authorization header requires the algorithm {ALGORITHM}.")))?;
        let (mut credential, mut names, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').unwrap_or_else(|| (field.trim(), ""));
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut names,
                "Signature" => &mut signature,
                _ => return Err(incomplete("Authorization header has an unknown parameter.")),
            };
            if slot.replace(value).is_some() {
                return Err(incomplete(format!("Authorization header has '{name}' twice.")));
            }
        }
        let need = |name: &str| incomplete(format!("Authorization header requires '{name}' parameter."));
        let date = single(request.headers, "x-amz-date").or_else(|| single(request.headers, "date"));
        let date = date.ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        let parts = Parts {
            credential: credential.ok_or_else(|| need("Credential"))?,
            names: names.ok_or_else(|| need("SignedHeaders"))?,
            signature: signature.ok_or_else(|| need("Signature"))?,
            date,
        };
        let token = single(request.headers, "x-amz-security-token").map(str::to_owned);
        Self::from_parts(request, &parts, Form::Header, token)
    }

    fn from_query(request: &Request<'_>) -> Result<Self, Refusal> {
        let get = |name: &str| {
            parameter(request.query, name)?
                .ok_or_else(|| incomplete(format!("Query string requires {name}.")))
        };
        if get("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(format!("X-Amz-Algorithm only supports {ALGORITHM}.")));
        }
        let expires = get("X-Amz-Expires")?.parse().ok().filter(|s| (1..=EXPIRES_MAX).contains(s));
        let expires =
            expires.ok_or_else(|| incomplete("X-Amz-Expires must be between 1 and 604800 seconds"))?;
        let (credential, names, signature, date) = (
            get("X-Amz-Credential")?,
            get("X-Amz-SignedHeaders")?,
            get("X-Amz-Signature")?,
            get("X-Amz-Date")?,
        );
        let parts = Parts { credential: &credential, names: &names, signature: &signature, date: &date };
        let token = parameter(request.query, "X-Amz-Security-Token")?;
        Self::from_parts(request, &parts, Form::Presigned { expires }, token)
    }

    fn from_parts(
        request: &Request<'_>,
        parts: &Parts<'_>,
        form: Form,
        token: Option<String>,
    ) -> Result<Self, Refusal> {
        let credential = Credential::parse(parts.credential).ok_or_else(|| {
            incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")
        })?;
        let at = moment::parse(parts.date)
            .ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
        let date = basic_date(at);
        if !date.starts_with(&credential.date) {
            return Err(incomplete(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date",
            ));
        }
        let mut signature = [0; 32];
        hex::decode_to_slice(parts.signature, &mut signature).map_err(|_| Refusal::Mismatch)?;
        let names: Vec<String> = parts.names.split(';').map(str::to_owned).collect();
        check_names(request.headers, &names)?;
        let payload = payload(single(request.headers, "x-amz-content-sha256"))?;
        Ok(Self { credential, payload, token, form, date, at, names, signature })
    }

    /// Proves it with the key's secret. `now` is the server's clock.
    pub fn verify(
        &self,
        request: &Request<'_>,
        secret: &Secret,
        family: Family,
        body: Body,
        now: Millis,
    ) -> Result<Verified, Refusal> {
        let s3 = family == Family::S3;
        let form = PathForm { twice: !s3, normal: !s3 };
        self.verify_with(request, secret, (form, s3), body, now)
    }

    fn verify_with(
        &self,
        request: &Request<'_>,
        secret: &Secret,
        (form, s3): (PathForm, bool),
        body: Body,
        now: Millis,
    ) -> Result<Verified, Refusal> {
        self.check_time(now)?;
        let (line, body_sha256) = self.payload_line(s3, body)?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let canonical = canonical::request(request, form, &names, &line)
            .ok_or_else(|| incomplete("a signed header is missing from the request"))?;
        let key = signing_key(secret, &self.credential);
        let hash = hex::encode(Sha256::digest(canonical));
        let scope = self.credential.scope();
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", self.date);
        // Constant time: it compares all of both.
        mac(&key, text.as_bytes()).verify_slice(&self.signature).map_err(|_| Refusal::Mismatch)?;
        let chunks = match self.payload {
            Payload::Chunks { signed, trailer } => {
                let seed = signed.then(|| (key, format!("{}\n{scope}", self.date), self.signature));
                Some(Chunks::new(seed, trailer))
            }
            _ => None,
        };
        Ok(Verified { credential: self.credential.clone(), body_sha256, chunks })
    }

    fn check_time(&self, now: Millis) -> Result<(), Refusal> {
        let signed = self.date.clone();
        if self.at > now.saturating_add(SKEW) {
            let latest = basic_date(now.saturating_add(SKEW));
            return Err(Refusal::Early { signed, latest, now: basic_date(now) });
        }
        match self.form {
            Form::Header if self.at < now.saturating_sub(SKEW) => {
                let earliest = basic_date(now.saturating_sub(SKEW));
                Err(Refusal::Old { signed, earliest, now: basic_date(now) })
            }
            Form::Presigned { expires } if self.at + expires * 1000 <= now => Err(Refusal::Expired),
            Form::Header | Form::Presigned { .. } => Ok(()),
        }
    }

    /// The canonical request's last line, and what the body must turn out to be if it is still to come.
    fn payload_line(&self, s3: bool, body: Body) -> Result<(String, Option<[u8; 32]>), Refusal> {
        match (&self.payload, body) {
            (Payload::Sha256(text), body) => {
                let mut said = [0; 32];
                hex::decode_to_slice(text, &mut said).map_err(|_| Refusal::BodyMismatch)?;
                match body {
                    Body::Sha256(is) if is != said => Err(Refusal::BodyMismatch),
                    Body::Sha256(_) => Ok((text.clone(), None)),
                    Body::Later => Ok((text.clone(), Some(said))),
                }
            }
            (Payload::Unsaid, _) if s3 && self.form != Form::Header => Ok((UNSIGNED.into(), None)),
            (Payload::Unsaid, _) if s3 => {
                Err(incomplete("Missing required header for this request: x-amz-content-sha256"))
            }
            (Payload::Unsaid, Body::Sha256(is)) => Ok((hex::encode(is), None)),
            (Payload::Unsaid, Body::Later) => {
                Err(incomplete("the body's hash is needed to verify this request"))
            }
            // Elsewhere a body that nobody signed is an operation that nobody signed.
            (Payload::Unsigned | Payload::Chunks { .. }, _) if !s3 => Err(Refusal::Mismatch),
            (Payload::Unsigned, _) => Ok((UNSIGNED.into(), None)),
            (Payload::Chunks { signed, trailer }, _) => {
                let kind = STREAMING.iter().find(|(_, s, t)| (s, t) == (signed, trailer));
                Ok((kind.map_or(UNSIGNED, |(text, ..)| text).into(), None))
            }
        }
    }
}

/// The four texts of a signature, wherever they stood.
struct Parts<'a> {
    credential: &'a str,
    names: &'a str,
    signature: &'a str,
    date: &'a str,
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Text, signed, trailer.
const STREAMING: [(&str, bool, bool); 3] = [
    ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false),
    ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true),
    ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true),
];

fn payload(said: Option<&str>) -> Result<Payload, Refusal> {
    let Some(text) = said else { return Ok(Payload::Unsaid) };
    if let Some((_, signed, trailer)) = STREAMING.iter().find(|(name, ..)| *name == text) {
        return Ok(Payload::Chunks { signed: *signed, trailer: *trailer });
    }
    if text == UNSIGNED {
        return Ok(Payload::Unsigned);
    }
    let hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hash {
        Ok(Payload::Sha256(text.to_owned()))
    } else {
        Err(incomplete("x-amz-content-sha256 is no valid value"))
    }
}

/// Lower case, ascending, each once; with `host`, and with every `x-amz-` header that the request has.
fn check_names(headers: &HeaderMap, names: &[String]) -> Result<(), Refusal> {
    let token = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|b| (b.is_ascii_graphic() && !b.is_ascii_uppercase()) && b != b':')
    };
    if !names.iter().all(token) || !names.is_sorted_by(|a, b| a < b) {
        return Err(incomplete("SignedHeaders must be lower case, sorted and without repetition"));
    }
    if !names.iter().any(|name| name == "host") {
        return Err(incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let unsigned = headers.keys().map(http::HeaderName::as_str).find(|name| {
        name.starts_with("x-amz-") && !NEED_NOT_BE_SIGNED.contains(name) && !names.iter().any(|n| n == name)
    });
    match unsigned {
        Some(name) => Err(incomplete(format!(
            "There were headers present in the request which were not signed: {name}"
        ))),
        None => Ok(()),
    }
}

/// The value of a header that is there exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

/// The decoded value of a query parameter that is there at most once.
fn parameter(query: &str, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decode_str(key).eq(name.bytes()) {
            let text = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| incomplete(format!("{name} is no text")))?;
            if found.replace(text.into_owned()).is_some() {
                return Err(incomplete(format!("{name} is there twice")));
            }
        }
    }
    Ok(found)
}

pub(crate) fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length; the error type has no value for it.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
    mac.update(text);
    mac
}

fn signing_key(secret: &Secret, credential: &Credential) -> [u8; 32] {
    let first = format!("AWS4{}", secret.expose());
    let parts = [&*credential.date, &credential.region, &credential.service, "aws4_request"];
    let mut key = first.into_bytes();
    for part in parts {
        key = mac(&key, part.as_bytes()).finalize().into_bytes().to_vec();
    }
    let mut fixed = [0; 32];
    fixed.copy_from_slice(&key);
    fixed
}

#[cfg(test)]
mod tests;
