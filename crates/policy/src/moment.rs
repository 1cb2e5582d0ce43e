//! Dates as Signature Version 4 writes them.

use anyfn_types::Millis;
use time::{OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc2822};

/// `20261121T183000Z` into milliseconds; also the `Date` header's form, which some clients sign instead.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    let moment = basic(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok())?;
    u64::try_from(moment.unix_timestamp()).ok().map(|seconds| seconds * 1000)
}

fn basic(text: &str) -> Option<OffsetDateTime> {
    let form = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, form).ok().map(PrimitiveDateTime::assume_utc)
}

/// Milliseconds as `20261121T183000Z`; what is out of range becomes the epoch.
pub fn basic_date(at: Millis) -> String {
    let moment = i64::try_from(at / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (moment.date(), moment.time());
    let (h, m, s) = clock.as_hms();
    format!("{:04}{:02}{:02}T{h:02}{m:02}{s:02}Z", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::{basic_date, parse};

    #[test]
    fn dates_are_read_and_written() {
        let at = 1_440_938_160_000;
        assert_eq!(parse("20150830T123600Z"), Some(at));
        assert_eq!(parse("Sun, 30 Aug 2015 12:36:00 GMT"), Some(at));
        assert_eq!(basic_date(at + 999), "20150830T123600Z");
        for bad in [
            "",
            "20150830",
            "20150830T123600",
            "20151330T123600Z",
            "2015-08-30T12:36:00Z",
            "19000101T000000Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
