//! Masks over numbers.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "noise is inexact by nature, and clamped to its type"
)]

use crate::draw::Draw;

/// A decimal as an integer and the digits after its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) mantissa: i128,
    pub(crate) scale: u32,
}

impl Decimal {
    /// `None` for `NaN`, infinities and numbers of more than 36 digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.len() + fraction.len() > 37 {
            return None;
        }
        let mut mantissa: i128 = whole.parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        if scale > 0 {
            let part: i128 = fraction.parse().ok().filter(|n| *n >= 0)?;
            mantissa = mantissa * 10i128.pow(scale) + if whole.starts_with('-') { -part } else { part };
        }
        Some(Self { mantissa, scale })
    }

    /// A finite number, rounded to `scale` digits after the point.
    pub(crate) fn from_f64(n: f64, scale: u32) -> Option<Self> {
        Self::parse(&format!("{n:.*}", scale as usize))
    }

    /// Appends the number as Postgres prints it.
    pub(crate) fn push(self, out: &mut String) {
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        if self.mantissa < 0 {
            out.push('-');
        }
        out.push_str(whole);
        if self.scale > 0 {
            out.push('.');
            out.push_str(fraction);
        }
    }
}

/// How far `noise` moves a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spread {
    Percent(f64),
    By(f64),
}

impl Spread {
    /// The largest step from `magnitude`, at least 1, where `unit` of them are 1.
    fn steps(self, magnitude: u128, unit: u128) -> i128 {
        let wanted = match self {
            // Through parts per million: f64 alone would lose the low digits of long numbers.
            Self::Percent(p) => {
                magnitude / 1_000_000 * (p * 10_000.0) as u128
                    + (magnitude % 1_000_000) * (p * 10_000.0) as u128 / 1_000_000
            }
            Self::By(by) => (by * unit as f64) as u128,
        };
        i128::try_from(wanted).unwrap_or(i128::MAX / 4).max(1)
    }

    /// `mantissa` moved up or down by 1 to the largest step; never by nothing.
    fn shift(self, mantissa: i128, unit: u128, draw: &mut Draw) -> i128 {
        let most = self.steps(mantissa.unsigned_abs(), unit).min(i128::MAX / 4);
        let step = draw.between(1, most);
        if draw.next() & 1 == 0 { mantissa.saturating_add(step) } else { mantissa.saturating_sub(step) }
    }

    /// An integer with noise, within the type's range.
    pub(crate) fn int(self, value: i64, min: i64, max: i64, draw: &mut Draw) -> i64 {
        let moved = self.shift(value.into(), 1, draw);
        // At the edge of the range the other direction is free.
        let moved = if (i128::from(min)..=i128::from(max)).contains(&moved) {
            moved
        } else {
            2 * i128::from(value) - moved
        };
        moved.clamp(min.into(), max.into()) as i64
    }

    /// A decimal with noise, of the same scale.
    pub(crate) fn decimal(self, value: Decimal, draw: &mut Draw) -> Decimal {
        Decimal { mantissa: self.shift(value.mantissa, 10u128.pow(value.scale), draw), ..value }
    }

    /// A float with noise.
    pub(crate) fn float(self, value: f64, draw: &mut Draw) -> f64 {
        if !value.is_finite() {
            return value;
        }
        let most = match self {
            Self::Percent(p) => value.abs() * p / 100.0,
            Self::By(by) => by,
        };
        let share = (draw.next() >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0;
        value + share * most
    }
}

/// The largest multiple of `step` that is not above `value`.
pub(crate) fn floor_to(value: i128, step: i128) -> i128 {
    value - value.rem_euclid(step.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decimals_read_back_as_they_print(mantissa in -10i128.pow(30)..10i128.pow(30), scale in 0..20u32) {
            let mut text = String::new();
            Decimal { mantissa, scale }.push(&mut text);
            prop_assert_eq!(Decimal::parse(&text), Some(Decimal { mantissa, scale }));
        }

        #[test]
        fn noise_moves_every_integer_and_stays_near(value: i32, percent in 0.1..50.0f64, tag: [u8; 32]) {
            let value = i64::from(value);
            let noisy = Spread::Percent(percent).int(value, i64::MIN, i64::MAX, &mut Draw::new(&tag));
            prop_assert_ne!(noisy, value);
            prop_assert!((noisy - value).abs() as f64 <= (value.abs() as f64 * percent / 100.0).max(1.0));
        }

        #[test]
        fn noise_stays_within_the_type(value: i16, by in 0.0..1e9f64, tag: [u8; 32]) {
            let noisy = Spread::By(by).int(value.into(), -32768, 32767, &mut Draw::new(&tag));
            prop_assert!((-32768..=32767).contains(&noisy));
        }

        #[test]
        fn any_text_is_a_decimal_or_none(text in "[-0-9.eE]{0,45}") {
            let _ = Decimal::parse(&text);
        }
    }
}
