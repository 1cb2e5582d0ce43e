use super::{from_seconds, read, write};
use crate::schema::TimestampFormat::{DateTime, EpochSeconds, HttpDate};
use crate::value::Timestamp;

#[test]
fn each_form_is_written_and_read_back() {
    for (micros, epoch, date_time, http_date) in [
        (0, "0", "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_398_796_238_000_000, "1398796238", "2014-04-29T18:30:38Z", "Tue, 29 Apr 2014 18:30:38 GMT"),
        (-1_000_000, "-1", "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
    ] {
        let at = Timestamp(micros);
        for (format, text) in [(EpochSeconds, epoch), (DateTime, date_time), (HttpDate, http_date)] {
            assert_eq!(write(at, format), text);
            assert_eq!(read(text, format), Some(at), "{text}");
        }
    }
}

#[test]
fn fractions_are_kept() {
    let at = Timestamp(946_845_296_123_000);
    assert_eq!(write(at, EpochSeconds), "946845296.123");
    assert_eq!(write(at, DateTime), "2000-01-02T20:34:56.123Z");
    assert_eq!(read("2000-01-02T21:34:56.123+01:00", DateTime), Some(at));
    assert_eq!(read("Sun, 02 Jan 2000 20:34:56.123 GMT", HttpDate), Some(at));
    assert_eq!(write(Timestamp(-1_500_000), EpochSeconds), "-1.5");
}

#[test]
fn what_is_no_time_is_refused() {
    for seconds in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
        assert_eq!(from_seconds(seconds), None);
    }
    for text in ["", "now", "2014-13-01T00:00:00Z", "1e400"] {
        for format in [EpochSeconds, DateTime, HttpDate] {
            assert_eq!(read(text, format), None, "{text}");
        }
    }
}
