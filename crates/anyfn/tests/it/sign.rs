//! Keys, and requests signed with them by AWS Signature Version 4.

use std::{net::SocketAddr, path::Path, process::Command};

use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, macros::format_description};

use crate::http::{self, Answer};

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    /// `anyfn key create` on the folder of a server that does not run.
    pub(crate) fn create(folder: &Path, args: &[&str]) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_anyfn"))
            .args(["key", "create", "--json", "--data"])
            .arg(folder.join("data"))
            .args(args)
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        let key: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Self { id: text("id"), secret: text("secret") }
    }

    pub(crate) fn bearer(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }

    /// Signs for now and sends.
    pub(crate) fn send(&self, to: SocketAddr, method: &str, target: &str, body: &[u8]) -> Answer {
        self.send_at(OffsetDateTime::now_utc(), to, method, target, body)
    }

    pub(crate) fn send_at(
        &self,
        at: OffsetDateTime,
        to: SocketAddr,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Answer {
        let stamp = at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        let authorization = self.authorization(&stamp, &to.to_string(), method, target, body);
        let headers = [("authorization", authorization.as_str()), ("x-amz-date", stamp.as_str())];
        http::send(to, method, target, &headers, body).unwrap()
    }

    fn authorization(&self, stamp: &str, host: &str, method: &str, target: &str, body: &[u8]) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // Every service but S3 encodes the path once more.
        let path = path.replace('%', "%25").replace(':', "%3A").replace('$', "%24");
        let hash = hex::encode(Sha256::digest(body));
        let request =
            format!("{method}\n{path}\n{query}\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{hash}");
        let scope = format!("{}/us-east-1/lambda/aws4_request", &stamp[..8]);
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex::encode(Sha256::digest(&request)));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = mac(&key, part);
        }
        let signature = hex::encode(mac(&key, &text));
        let id = &self.id;
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
        )
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
