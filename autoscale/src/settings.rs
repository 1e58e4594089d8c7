//! What a user writes about scaling, checked once.
use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// Settings of one process. Several targets may stand together; the largest demand wins.
///
/// ```
/// let s: autoscale::Settings =
///     serde_json::from_str(r#"{"min": 2, "max": 20, "rpm": 600, "concurrency": 20}"#)?;
/// s.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Fewest pods while awake.
    pub min: u32,
    /// Most pods, ever.
    pub max: u32,
    /// Requests per minute that one pod shall serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<f64>,
    /// 95th percentile of wait plus upstream time to stay under, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// Requests that one pod serves at once (its slots), open streams among them. Learned when it is absent and `rpm` is
    /// absent too; streams weigh nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<f64>,
    /// Minimums by the clock on the wall.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Schedule>,
    /// Sleep when nobody asks; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_to_zero: Option<ScaleToZero>,
}

/// When a process may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleToZero {
    /// Seconds without any request before the last pod goes.
    pub after_seconds: f64,
}

/// Why settings are refused; each message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    /// `max` is 0 or below `min`.
    Bounds {
        /// The minimum written.
        min: u32,
        /// The maximum written.
        max: u32,
    },
    /// A target is not a positive finite number.
    Target(&'static str),
    /// A schedule cannot be understood.
    Schedule(String),
}

impl std::error::Error for SettingsError {}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bounds { min, max } => write!(
                f,
                "min {min} and max {max} leave no room; write 1 ≤ max and min ≤ max (sleep is `scaleToZero`, not `min: 0`)"
            ),
            Self::Target(name) => write!(f, "`{name}` must be a positive number; write one or drop the line"),
            Self::Schedule(why) => write!(f, "schedule: {why}"),
        }
    }
}

impl Settings {
    /// Settings with only the bounds, for callers that add targets one by one.
    pub fn between(min: u32, max: u32) -> Self {
        Self { min, max, rpm: None, p95: None, concurrency: None, schedule: Vec::new(), scale_to_zero: None }
    }

    /// Refuses settings that cannot be meant.
    ///
    /// # Errors
    /// A [`SettingsError`] whose message names the line and the cure.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.max == 0 || self.min > self.max {
            return Err(SettingsError::Bounds { min: self.min, max: self.max });
        }
        let after = self.scale_to_zero.map(|z| z.after_seconds);
        let targets = [
            ("rpm", self.rpm),
            ("p95", self.p95),
            ("concurrency", self.concurrency),
            ("scaleToZero.afterSeconds", after),
        ];
        for (name, value) in targets {
            if value.is_some_and(|v| !(v.is_finite() && v > 0.0)) {
                return Err(SettingsError::Target(name));
            }
        }
        Ok(())
    }

    /// A target if it can be used; settings that were never checked do no harm.
    pub(crate) fn usable(value: Option<f64>) -> Option<f64> {
        value.filter(|v| v.is_finite() && *v > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_settings_are_refused_with_the_cure() {
        let e = Settings::between(5, 2).check().unwrap_err().to_string();
        assert!(e.contains("min 5") && e.contains("scaleToZero"), "{e}");
        let e = Settings { rpm: Some(f64::NAN), ..Settings::between(1, 2) }.check().unwrap_err();
        assert_eq!(e, SettingsError::Target("rpm"));
        assert!(Settings::between(0, 1).check().is_ok());
    }

    #[test]
    fn a_misspelt_setting_is_an_error_and_not_silence() {
        let e = serde_json::from_str::<Settings>(r#"{"min":1,"max":2,"rmp":600}"#).unwrap_err();
        assert!(e.to_string().contains("rmp"));
    }
}
