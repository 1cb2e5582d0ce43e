//! Timestamps in the three forms of AWS's protocols: epoch seconds, RFC 3339, and RFC 9110's IMF-fixdate.

use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::schema::TimestampFormat;
use crate::value::Timestamp;

const MICROS: i64 = 1_000_000;
const HTTP_DATE: &[FormatItem<'static>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const HTTP_DATE_FRACTION: &[FormatItem<'static>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second].[subsecond] GMT"
);

/// Writes in `format`.
pub(crate) fn write(at: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::EpochSeconds => epoch_seconds(at),
        TimestampFormat::DateTime => date_time(at),
        TimestampFormat::HttpDate => http_date(at),
    }
}

/// Reads text that was written in `format`. `None` where it is not such a time.
pub(crate) fn read(text: &str, format: TimestampFormat) -> Option<Timestamp> {
    match format {
        TimestampFormat::EpochSeconds => from_seconds(text.trim().parse().ok()?),
        TimestampFormat::DateTime => OffsetDateTime::parse(text, &Rfc3339).ok().and_then(from_calendar),
        TimestampFormat::HttpDate => {
            let parse = |form: &[FormatItem<'static>]| PrimitiveDateTime::parse(text, form).ok();
            parse(HTTP_DATE)
                .or_else(|| parse(HTTP_DATE_FRACTION))
                .and_then(|at| from_calendar(at.assume_utc()))
        }
    }
}

/// From seconds with a fraction, kept to the millisecond, because a double has no more to give for today's dates.
pub(crate) fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let millis = (seconds * 1000.0).round();
    // Within the years 0 to 9999, so that every form can print it.
    ((-6.3e13..=2.54e14).contains(&millis)).then_some(Timestamp::from_millis(millis as i64))
}

fn from_calendar(at: OffsetDateTime) -> Option<Timestamp> {
    i64::try_from(at.unix_timestamp_nanos() / 1000).ok().map(Timestamp)
}

fn calendar(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(UtcOffset::UTC)
}

/// RFC 3339 in UTC, with a fraction only where there is one.
pub(crate) fn date_time(at: Timestamp) -> String {
    calendar(at).format(&Rfc3339).unwrap_or_default()
}

fn http_date(at: Timestamp) -> String {
    calendar(at).format(HTTP_DATE).unwrap_or_default()
}

fn epoch_seconds(at: Timestamp) -> String {
    let (sign, micros) = (if at.0 < 0 { "-" } else { "" }, at.0.unsigned_abs());
    let (whole, fraction) = (micros / MICROS.unsigned_abs(), micros % MICROS.unsigned_abs());
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:06}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests;
