//! What a function of this contract may say about itself, in its configuration's `http`.

use anyfn_core::ports::Inside;
use anyfn_types::{Config, Error};
use serde::Deserialize;

/// Bytes of a unix socket's path.
const PATH_MAX: usize = 107;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// Where the server listens, 1..=65535; told to it as `PORT`. Default 8080.
    port: u16,
    /// A unix socket to listen on instead, an absolute path below `/tmp`; told to it as `ANYFN_SOCKET`.
    socket: Option<String>,
    /// A path that answers below 400 when the server is ready. Default: it is ready when it accepts.
    pub(super) health: Option<String>,
    /// Calls that one process takes at once, 1..=1000. Default 80.
    pub(super) concurrency: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { port: 8080, socket: None, health: None, concurrency: 80 }
    }
}

impl Settings {
    /// Errors: `http_settings`.
    pub(super) fn of(config: &Config) -> Result<Self, Error> {
        let bad = |why: String| Error::invalid("http_settings", format!("`http`: {why}"));
        let settings = match config.extra.get("http") {
            Some(given) => Self::deserialize(given).map_err(|e| bad(e.to_string()))?,
            None => Self::default(),
        };
        if settings.port == 0 {
            return Err(bad("`port` is 1 to 65535".to_owned()));
        }
        if !(1..=1000).contains(&settings.concurrency) {
            return Err(bad("`concurrency` is 1 to 1000".to_owned()));
        }
        let below_tmp = |path: &String| {
            path.starts_with("/tmp/")
                && path.len() <= PATH_MAX
                && !path.contains("..")
                && !path.contains('\0')
        };
        if settings.socket.as_ref().is_some_and(|path| !below_tmp(path)) {
            return Err(bad(format!("`socket` is a path below /tmp of at most {PATH_MAX} bytes")));
        }
        let plain = |path: &String| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if settings.health.as_ref().is_some_and(|path| !plain(path)) {
            return Err(bad("`health` is a path".to_owned()));
        }
        Ok(settings)
    }

    pub(super) fn address(&self) -> Inside {
        self.socket.as_ref().map_or(Inside::Tcp(self.port), |path| Inside::Unix(path.clone()))
    }

    /// What the server finds in its environment.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let mut all = vec![("PORT".to_owned(), self.port.to_string())];
        all.extend(self.socket.iter().map(|path| ("ANYFN_SOCKET".to_owned(), path.clone())));
        all
    }
}

#[cfg(test)]
mod tests;
