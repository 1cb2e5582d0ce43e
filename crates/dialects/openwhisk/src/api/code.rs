//! An action's code: as clients send it, as a package, and back.

use anyfn_artifact::zip_bytes;
use anyfn_types::Code;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Shared,
    contract::{BLACKBOX, EXECUTABLE, is_executable, runtime, unknown_kind},
    fault::{Fault, Result},
    model::{CODE_BYTES, Meta, SEQUENCE, SEQUENCE_MAX},
};

/// `exec` of an action that is put.
#[derive(Debug, Deserialize)]
pub(crate) struct Exec {
    pub(crate) kind: String,
    pub(crate) code: Option<Value>,
    pub(crate) image: Option<String>,
    pub(crate) main: Option<String>,
    pub(crate) binary: Option<bool>,
    pub(crate) components: Option<Vec<String>>,
}

/// What an action's code comes down to.
pub(crate) struct Source {
    pub(crate) kind: String,
    pub(crate) binary: bool,
    pub(crate) file: Option<String>,
    pub(crate) zip: Bytes,
}

/// Text that is base64, as their servers tell it.
fn looks_binary(code: &str) -> bool {
    let code = code.trim();
    !code.is_empty() && code.len().is_multiple_of(4) && STANDARD.decode(code).is_ok()
}

impl Exec {
    pub(crate) fn source(&self) -> Result<Source> {
        if self.kind == SEQUENCE {
            let zip = zip_bytes("sequence", false, b"")?;
            return Ok(Source { kind: self.kind.clone(), binary: false, file: None, zip });
        }
        let kind = self.kind()?;
        let code = match &self.code {
            Some(Value::String(code)) => code,
            Some(_) => {
                return Err(Fault::invalid("The request content was malformed:\ncode must be a string"));
            }
            None => return Err(self.no_code()),
        };
        if code.len() as u64 > CODE_BYTES {
            return Err(Fault::too_large("action code", code.len() as u64, CODE_BYTES));
        }
        if self.binary.unwrap_or_else(|| looks_binary(code)) {
            let bytes = STANDARD.decode(code.trim());
            let bytes = bytes.map_err(|_| Fault::invalid("The action code is not valid base64."))?;
            return binary(kind, bytes);
        }
        let file = if kind.starts_with("nodejs") { "index.js" } else { "__main__.py" };
        if is_executable(&kind) || kind == BLACKBOX {
            // A script with an interpreter's line is an executable too.
            if !code.starts_with("#!") {
                let text = format!(
                    "kind '{kind}' takes an executable or a zip with `{EXECUTABLE}`, in base64; sources are not compiled here yet"
                );
                return Err(Fault::invalid(text));
            }
            let zip = zip_bytes(EXECUTABLE, true, code.as_bytes())?;
            return Ok(Source { kind, binary: false, file: Some(EXECUTABLE.to_owned()), zip });
        }
        let zip = zip_bytes(file, false, code.as_bytes())?;
        Ok(Source { kind, binary: false, file: Some(file.to_owned()), zip })
    }

    /// With its release.
    fn kind(&self) -> Result<String> {
        if is_executable(&self.kind) || self.kind == BLACKBOX {
            return Ok(self.kind.clone());
        }
        let runtime = runtime(&self.kind).ok_or_else(|| unknown_kind(&self.kind))?;
        let release = runtime.trim_start_matches("nodejs").trim_start_matches("python");
        let family = &runtime[..runtime.len() - release.len()];
        Ok(format!("{family}:{}", release.trim_end_matches(".x")))
    }

    fn no_code(&self) -> Fault {
        match &self.image {
            Some(image) => Fault::invalid(format!(
                "container images (`{image}`) cannot be run yet: send the executable as `code`, with kind `blackbox` or `native`"
            )),
            None => Fault::invalid(
                "The request content was malformed:\n'code' must be a string or attachment object defined in 'exec'",
            ),
        }
    }

    pub(crate) fn components(&self) -> Result<Vec<String>> {
        let components = self.components.clone().unwrap_or_default();
        if components.is_empty() {
            return Err(Fault::invalid(
                "The request content was malformed:\n'components' must be defined for sequence kind",
            ));
        }
        if components.len() > SEQUENCE_MAX {
            return Err(Fault::invalid("Too many actions in the sequence."));
        }
        Ok(components)
    }
}

fn binary(kind: String, bytes: Vec<u8>) -> Result<Source> {
    if bytes.starts_with(b"PK") {
        return Ok(Source { kind, binary: true, file: None, zip: bytes.into() });
    }
    if is_executable(&kind) || kind == BLACKBOX {
        let zip = zip_bytes(EXECUTABLE, true, &bytes)?;
        return Ok(Source { kind, binary: true, file: Some(EXECUTABLE.to_owned()), zip });
    }
    Err(Fault::invalid("There was an error uncompressing the action archive."))
}

impl Shared {
    /// As it was sent.
    pub(crate) async fn code(&self, meta: &Meta, code: &Code) -> Result<String> {
        let Some(file) = &meta.file else {
            let package = self.artifacts.package(code.digest).await?;
            return Ok(package.map(|zip| STANDARD.encode(zip)).unwrap_or_default());
        };
        let root = self.artifacts.root(code.digest).await?;
        let bytes = tokio::fs::read(root.path.join(file)).await;
        let bytes = bytes.map_err(|e| anyfn_types::Error::internal("package_corrupt", e))?;
        Ok(match meta.binary {
            true => STANDARD.encode(bytes),
            false => String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
