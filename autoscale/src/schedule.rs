//! Minimums by the wall clock of a time zone: `min: 10` on weekdays 08:30–10:00 Asia/Tokyo.
//!
//! A window is compared with the civil time of its zone, so a change to summer time moves it with the people who
//! wrote it. The zone data is compiled in: the law reads no files.
use crate::settings::SettingsError;
use jiff::{
    Timestamp,
    civil::Time,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// As users write a [`Schedule`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    min: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<Weekday>,
    from: String,
    to: String,
    time_zone: String,
}

/// A minimum that holds in a window of the week. Overlapping windows take the larger minimum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schedule {
    min: u32,
    /// Monday first; a window past midnight belongs to the day on which it begins.
    days: [bool; 7],
    from: Time,
    to: Time,
    zone: TimeZone,
    written: Written,
}

impl From<Schedule> for Written {
    fn from(s: Schedule) -> Self {
        s.written
    }
}

impl TryFrom<Written> for Schedule {
    type Error = SettingsError;

    fn try_from(written: Written) -> Result<Self, SettingsError> {
        let time = |text: &str| {
            text.parse::<Time>().map_err(|_| {
                SettingsError::Schedule(format!("`{text}` is no time of day; write it like \"08:30\""))
            })
        };
        let (from, to) = (time(&written.from)?, time(&written.to)?);
        if from == to {
            return Err(SettingsError::Schedule("`from` equals `to`; for a whole day use `min`".into()));
        }
        let zone = TimeZoneDatabase::bundled().get(&written.time_zone).map_err(|_| {
            SettingsError::Schedule(format!(
                "`{}` is no time zone; write an IANA name such as Europe/Berlin",
                written.time_zone
            ))
        })?;
        let mut days = [written.days.is_empty(); 7];
        for day in &written.days {
            days[*day as usize] = true;
        }
        Ok(Self { min: written.min, days, from, to, zone, written })
    }
}

impl Schedule {
    /// A schedule from its parts; no days means every day.
    ///
    /// # Errors
    /// When a time of day or the zone cannot be understood.
    pub fn new(min: u32, days: &[Weekday], from: &str, to: &str, zone: &str) -> Result<Self, SettingsError> {
        let (from, to, time_zone) = (from.to_owned(), to.to_owned(), zone.to_owned());
        Self::try_from(Written { min, days: days.to_vec(), from, to, time_zone })
    }

    /// Whether the window is open at this moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let civil = self.zone.to_datetime(at);
        let (time, today) = (civil.time(), civil.weekday().to_monday_zero_offset());
        let day = |offset: i8| self.days[usize::try_from((today + offset).rem_euclid(7)).unwrap_or(0)];
        if self.from < self.to {
            day(0) && self.from <= time && time < self.to
        } else {
            (day(0) && time >= self.from) || (day(-1) && time < self.to)
        }
    }
}

/// The largest minimum of the windows open now or when a pod asked for now would be ready.
pub fn minimum(schedules: &[Schedule], now: Timestamp, cold_start_seconds: f64) -> Option<u32> {
    let lead = jiff::SignedDuration::from_millis((cold_start_seconds.clamp(0.0, 3600.0) * 1000.0) as i64);
    let ready = now.checked_add(lead).unwrap_or(now);
    schedules.iter().filter(|s| s.is_open(now) || s.is_open(ready)).map(|s| s.min).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const WEEKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

    #[test]
    fn weekdays_in_tokyo_are_prewarmed_by_the_cold_start() {
        let s = [Schedule::new(10, &WEEKDAYS, "08:30", "10:00", "Asia/Tokyo").unwrap()];
        assert_eq!(minimum(&s, at("2026-03-01T23:29:00Z"), 25.0), None, "Monday 08:29:00");
        assert_eq!(minimum(&s, at("2026-03-01T23:29:35Z"), 25.0), Some(10), "Monday 08:29:35");
        assert_eq!(minimum(&s, at("2026-03-02T00:59:59Z"), 25.0), Some(10), "Monday 09:59:59");
        assert_eq!(minimum(&s, at("2026-03-02T01:00:00Z"), 25.0), None, "Monday 10:00");
        assert_eq!(minimum(&s, at("2026-02-28T23:45:00Z"), 25.0), None, "Sunday 08:45");
    }

    #[test]
    fn a_window_moves_with_summer_time() {
        let s = Schedule::new(4, &[], "08:30", "10:00", "Europe/Berlin").unwrap();
        assert!(s.is_open(at("2026-03-28T07:30:00Z")), "08:30 in winter is 07:30 UTC");
        assert!(s.is_open(at("2026-03-29T06:30:00Z")), "08:30 in summer is 06:30 UTC");
        assert!(!s.is_open(at("2026-03-29T08:15:00Z")), "10:15 in summer");
        let night = Schedule::new(4, &[], "02:30", "03:30", "Europe/Berlin").unwrap();
        assert!(night.is_open(at("2026-03-29T01:00:00Z")), "02:30 does not exist; the window opens at 03:00");
        assert!(!night.is_open(at("2026-03-29T00:59:59Z")));
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_it_begins() {
        let s = Schedule::new(3, &[Weekday::Fri], "22:00", "02:00", "UTC").unwrap();
        assert!(s.is_open(at("2026-11-20T23:00:00Z")), "Friday");
        assert!(s.is_open(at("2026-11-21T01:59:00Z")), "Saturday");
        assert!(!s.is_open(at("2026-11-20T01:00:00Z")), "Friday before");
    }

    #[test]
    fn overlapping_windows_take_the_larger_minimum() {
        let s = [
            Schedule::new(3, &[], "08:00", "12:00", "UTC").unwrap(),
            Schedule::new(7, &[], "09:00", "10:00", "UTC").unwrap(),
        ];
        assert_eq!(minimum(&s, at("2026-11-20T09:30:00Z"), 0.0), Some(7));
        assert_eq!(minimum(&s, at("2026-11-20T11:30:00Z"), 0.0), Some(3));
    }

    #[test]
    fn nonsense_is_refused_with_the_cure() {
        let e = Schedule::new(1, &[], "8 am", "10:00", "UTC").unwrap_err().to_string();
        assert!(e.contains("08:30"), "{e}");
        let e = Schedule::new(1, &[], "08:00", "10:00", "Mars/Olympus").unwrap_err().to_string();
        assert!(e.contains("Europe/Berlin"), "{e}");
    }
}
