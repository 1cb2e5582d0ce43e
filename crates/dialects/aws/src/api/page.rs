//! Pages of listings: `Marker` and `MaxItems`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::fault::{Fault, lambda as say};

/// Items of a page unless the request asks for fewer.
pub(crate) const MAX: usize = 50;

/// Where a page begins and how long it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The key of the last item of the page before.
    pub(crate) after: Option<String>,
    pub(crate) max: usize,
}

impl Ask {
    pub(crate) fn new(marker: Option<&str>, max: Option<i64>) -> Result<Self, Fault> {
        let after = marker.filter(|text| !text.is_empty()).map(open).transpose()?;
        let max = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(MAX).clamp(1, MAX);
        Ok(Self { after, max })
    }

    /// The page of items that are there already, in the order of their keys; each key ascends.
    pub(crate) fn cut<T>(&self, items: impl IntoIterator<Item = (String, T)>) -> (Vec<T>, Option<String>) {
        let past = |key: &String| self.after.as_ref().is_none_or(|after| key > after);
        let mut rest = items.into_iter().filter(|(key, _)| past(key)).peekable();
        let (mut page, mut last) = (Vec::new(), String::new());
        while page.len() < self.max {
            let Some((key, item)) = rest.next() else { return (page, None) };
            last = key;
            page.push(item);
        }
        let next = rest.peek().map(|_| seal(&last));
        (page, next)
    }
}

/// A key as a marker: opaque, so that nobody builds on its form.
pub(crate) fn seal(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn open(marker: &str) -> Result<String, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| say::invalid("The provided marker is invalid."))
}
