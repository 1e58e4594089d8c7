//! Dates and timestamps: Postgres counts from 2000-01-01. Civil days after Howard Hinnant's `days_from_civil`.

use super::value::{INFINITE, push_int};

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Days from 1970-01-01 to 2000-01-01.
const EPOCH: i64 = 10_957;
/// The last day that a `date` holds (5874897-12-31) and the first (4713-11-24 BC); timestamps end earlier.
pub(crate) const DATE_RANGE: (i64, i64) = (-2_451_545, 2_145_031_948);
/// The days that a timestamp holds (to 294276-12-31).
pub(crate) const TIMESTAMP_RANGE: (i64, i64) = (-2_451_545, 106_751_990);

/// Days since 2000-01-01 of a proleptic Gregorian date; year 0 is 1 BC.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 - EPOCH
}

/// Year, month and day of a number of days since 2000-01-01.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + EPOCH + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let mp = (5 * of_year + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * mp + 2) / 5 + 1)
}

/// Appends a date as `DateStyle = ISO` prints it.
pub(crate) fn push_date(days: i64, out: &mut Vec<u8>) {
    if push_infinity(days, out) {
        return;
    }
    let before = push_day(days, out);
    if before {
        out.extend_from_slice(b" BC");
    }
}

/// Appends year, month and day; says whether the year is before Christ.
fn push_day(days: i64, out: &mut Vec<u8>) -> bool {
    let (year, month, day) = civil(days);
    push_padded(if year > 0 { year } else { 1 - year }, 4, out);
    out.push(b'-');
    push_padded(month, 2, out);
    out.push(b'-');
    push_padded(day, 2, out);
    year <= 0
}

fn push_infinity(n: i64, out: &mut Vec<u8>) -> bool {
    if n == INFINITE {
        out.extend_from_slice(b"infinity");
    } else if n == -INFINITE {
        out.extend_from_slice(b"-infinity");
    }
    n.abs() == INFINITE
}

/// Appends a timestamp as `DateStyle = ISO` prints it; with a zone, in UTC.
pub(crate) fn push_timestamp(micros: i64, zone: bool, out: &mut Vec<u8>) {
    if push_infinity(micros, out) {
        return;
    }
    let before = push_day(micros.div_euclid(DAY), out);
    out.push(b' ');
    push_time(micros.rem_euclid(DAY), out);
    if zone {
        out.extend_from_slice(b"+00");
    }
    if before {
        out.extend_from_slice(b" BC");
    }
}

/// Appends a time of day.
pub(crate) fn push_time(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros / 1_000_000;
    for (i, part) in [seconds / 3600, seconds / 60 % 60, seconds % 60].into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        push_padded(part, 2, out);
    }
    let fraction = micros % 1_000_000;
    if fraction > 0 {
        out.push(b'.');
        push_padded(fraction, 6, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

fn push_padded(n: i64, width: u32, out: &mut Vec<u8>) {
    let mut limit = 10i64.pow(width - 1);
    while limit > n.max(1) {
        out.push(b'0');
        limit /= 10;
    }
    push_int(n, out);
}

/// Reads a date: `2020-01-31`, `0044-03-15 BC`, `infinity`.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(INFINITE),
        "-infinity" => return Some(-INFINITE),
        _ => {}
    }
    let (text, before) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().filter(|p| p.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok();
    let (year, month, day) = (part()?, part()?, part()?);
    let year = if before { 1 - year } else { year };
    let found = (year.abs() < 6_000_000).then(|| days(year, month, day))?;
    (civil(found) == (year, month, day)).then_some(found)
}

/// Reads a timestamp: `2020-01-31 23:59:59.5+09`, `T` between date and time too; a zone is taken off.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    if let "infinity" | "-infinity" = text {
        return parse_date(text);
    }
    let (text, before) = match text.strip_suffix(" BC") {
        Some(text) => (text, " BC"),
        None => (text, ""),
    };
    let Some(at) = text.find([' ', 'T']) else {
        return parse_date(&format!("{text}{before}"))?.checked_mul(DAY);
    };
    let day = parse_date(&format!("{}{before}", &text[..at]))?;
    let clock = &text[at + 1..];
    let zone = clock.find(['+', '-', 'Z']).unwrap_or(clock.len());
    let micros = day.checked_mul(DAY)?.checked_add(parse_time(&clock[..zone])?)?;
    micros.checked_sub(parse_zone(&clock[zone..])?)
}

/// Reads a time of day.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut part =
        || parts.next().map_or(Some(0), |p| p.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let seconds = part()? * 3600 + part()? * 60 + part()?;
    if fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{fraction:0<6}").parse::<i64>().ok()?;
    Some(seconds * 1_000_000 + micros)
}

/// Microseconds east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let rest = match text.as_bytes().first() {
        None | Some(b'Z') => return Some(0),
        Some(_) => &text[1..],
    };
    let offset = parse_time(rest)?;
    Some(if text.starts_with('-') { -offset } else { offset })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn dates_read_back_as_they_print(day in DATE_RANGE.0..DATE_RANGE.1) {
            prop_assert_eq!(parse_date(&text(|o| push_date(day, o))), Some(day));
        }

        #[test]
        fn timestamps_read_back_as_they_print(micros in -211_813_488_000_000_000i64..9_223_371_331_200_000_000, zone: bool) {
            prop_assert_eq!(parse_timestamp(&text(|o| push_timestamp(micros, zone, o))), Some(micros));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "[-0-9:.+ TZBC]{0,30}") {
            let _ = (parse_date(&text), parse_timestamp(&text), parse_time(&text));
        }
    }

    #[test]
    fn known_days_are_right() {
        assert_eq!(parse_date("2000-01-01"), Some(0));
        assert_eq!(parse_date("1970-01-01"), Some(-10_957));
        assert_eq!(parse_date("2024-02-30"), None);
        assert_eq!(parse_timestamp("2000-01-01 09:00:00+09"), Some(0));
        assert_eq!(text(|o| push_date(days(-43, 3, 15), o)), "0044-03-15 BC");
        assert_eq!(text(|o| push_timestamp(1_500_000, true, o)), "2000-01-01 00:00:01.5+00");
    }
}
