//! Masks over days and moments.

use crate::draw::Draw;
use crate::engine::time::{DAY, civil, days};
use crate::engine::value::INFINITE;
use crate::key::Tag;
use crate::policy::DateUnit;

/// Days to move by, from 1 to `most`, up or down; alike for one tag.
pub(crate) fn shift_of(tag: &Tag, most: u32) -> i64 {
    let mut draw = Draw::new(tag);
    let step = 1 + draw.below(u64::from(most.max(1))).cast_signed();
    if draw.next() & 1 == 0 { step } else { -step }
}

/// `value` moved by `by`, kept within `range`: beyond an edge it moves the other way. Infinities stay.
pub(crate) fn shift(value: i64, by: i64, range: (i64, i64)) -> i64 {
    if value.abs() == INFINITE {
        return value;
    }
    let moved = value.saturating_add(by);
    if (range.0..=range.1).contains(&moved) {
        moved
    } else {
        value.saturating_sub(by).clamp(range.0, range.1)
    }
}

/// The first day of the unit that a day lies in. Infinities stay.
pub(crate) fn floor_day(day: i64, unit: DateUnit) -> i64 {
    if day.abs() == INFINITE {
        return day;
    }
    let (year, month, _) = civil(day);
    match unit {
        DateUnit::Year => days(year, 1, 1),
        DateUnit::Quarter => days(year, (month - 1) / 3 * 3 + 1, 1),
        DateUnit::Month => days(year, month, 1),
        // 2000-01-03 was a Monday.
        DateUnit::Week => day - (day - 2).rem_euclid(7),
        DateUnit::Day | DateUnit::Hour => day,
    }
}

/// The first moment of the unit that a moment lies in. Infinities stay.
pub(crate) fn floor_micros(micros: i64, unit: DateUnit) -> i64 {
    const HOUR: i64 = 3_600_000_000;
    if micros.abs() == INFINITE {
        return micros;
    }
    if unit == DateUnit::Hour {
        return micros.saturating_sub(micros.rem_euclid(HOUR));
    }
    floor_day(micros.div_euclid(DAY), unit).saturating_mul(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::parse_date;

    #[test]
    fn units_begin_where_the_calendar_says() {
        let day = parse_date("2024-08-15").unwrap();
        let is = |unit, text| assert_eq!(Some(floor_day(day, unit)), parse_date(text));
        is(DateUnit::Year, "2024-01-01");
        is(DateUnit::Quarter, "2024-07-01");
        is(DateUnit::Month, "2024-08-01");
        is(DateUnit::Week, "2024-08-12");
        is(DateUnit::Day, "2024-08-15");
        assert_eq!(floor_micros(3_700_000_000, DateUnit::Hour), 3_600_000_000);
    }

    #[test]
    fn a_shift_never_stands_still_nor_leaves_the_type() {
        for i in 0..=255 {
            let by = shift_of(&[i; 32], 30);
            assert!(by != 0 && by.abs() <= 30);
        }
        assert_eq!(shift(99, 30, (0, 100)), 69);
        assert_eq!(shift(INFINITE, 30, (0, 100)), INFINITE);
    }
}
