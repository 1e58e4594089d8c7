//! Masks over numbers and dates.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "drawn between two values of the target's type"
)]

use super::number::{Decimal, Spread, floor_to};
use super::{Input, Kind, Masker, Refused, date};
use crate::draw::Draw;
use crate::engine::time::{DATE_RANGE, DAY, TIMESTAMP_RANGE};
use crate::engine::value::{Made, Value};

/// NaN and the infinities say nothing of a person and stay; a number that is longer than what is computed with does not.
fn no_number(value: &str) -> Result<Made, Refused> {
    if value.bytes().any(|b| b.is_ascii_digit()) {
        return Err("the number has more digits than this mask works on (37); use `digits`");
    }
    Ok(Made::Same)
}

impl Masker {
    pub(super) fn number(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let mut draw = Draw::new(&input.tag);
        match (&self.kind, input.value) {
            (Kind::Int(min, max), _) => Ok(Made::Int(draw.between((*min).into(), (*max).into()) as i64)),
            (Kind::Numeric { min, max, scale }, _) => {
                Decimal { mantissa: draw.between(*min, *max), scale: *scale }.push(text);
                Ok(Made::Decimal)
            }
            (Kind::Step(step), Value::Int(n)) => {
                let floor = floor_to(n.into(), i128::from(*step)).max(self.range.0.into());
                Ok(Made::Int(i64::try_from(floor).unwrap_or(n)))
            }
            (Kind::Step(step), Value::Float(n)) if n.is_finite() => {
                Ok(Made::Float((n / *step as f64).floor() * *step as f64))
            }
            (Kind::Step(step), Value::Decimal(value)) => {
                let Some(value) = Decimal::parse(value) else { return no_number(value) };
                let step = i128::from(*step).saturating_mul(10i128.pow(value.scale));
                self.fit(Decimal { mantissa: floor_to(value.mantissa, step), ..value }).push(text);
                Ok(Made::Decimal)
            }
            (_, Value::Float(_)) => Ok(Made::Same),
            _ => Err("the mask works on numbers only"),
        }
    }

    pub(super) fn noise(
        &self,
        spread: Spread,
        input: &Input<'_>,
        text: &mut String,
    ) -> Result<Made, Refused> {
        let mut draw = Draw::new(&input.tag);
        match input.value {
            Value::Int(n) => Ok(Made::Int(spread.int(n, self.range.0, self.range.1, &mut draw))),
            Value::Float(n) => Ok(Made::Float(spread.float(n, &mut draw))),
            Value::Decimal(value) => {
                let Some(value) = Decimal::parse(value) else { return no_number(value) };
                self.fit(spread.decimal(value, &mut draw)).push(text);
                Ok(Made::Decimal)
            }
            Value::Days(_) | Value::Micros(_) => {
                let Spread::By(days) = spread else { return Err("dates have no percent; say `by: <days>`") };
                let by = date::shift_of(&input.tag, days.clamp(1.0, 1e6) as u32);
                Ok(moved(input.value, by))
            }
            _ => Err("the mask works on numbers and dates only"),
        }
    }

    /// A number within the column's precision.
    pub(super) fn fit(&self, value: Decimal) -> Decimal {
        let Some((whole, _)) = self.numeric.filter(|(whole, _)| whole + value.scale < 38) else {
            return value;
        };
        let limit = 10i128.pow(whole + value.scale) - 1;
        Decimal { mantissa: value.mantissa.clamp(-limit, limit), ..value }
    }

    pub(super) fn date(&self, input: &Input<'_>) -> Result<Made, Refused> {
        match (&self.kind, input.value) {
            (Kind::Date(from, to), Value::Days(_)) => {
                Ok(Made::Days(Draw::new(&input.tag).between((*from).into(), (*to).into()) as i64))
            }
            (Kind::Date(from, to), Value::Micros(_)) => {
                let (from, to) =
                    (i128::from(*from) * i128::from(DAY), (i128::from(*to) + 1) * i128::from(DAY) - 1);
                // Whole seconds: most data has no finer ones.
                let seconds =
                    Draw::new(&input.tag).between(from.div_euclid(1_000_000), to.div_euclid(1_000_000));
                Ok(Made::Micros(i64::try_from(seconds * 1_000_000).unwrap_or(0)))
            }
            (Kind::DateShift(most), value @ (Value::Days(_) | Value::Micros(_))) => {
                Ok(moved(value, date::shift_of(&input.person, *most)))
            }
            (Kind::Unit(unit), Value::Days(day)) => Ok(Made::Days(date::floor_day(day, *unit))),
            (Kind::Unit(unit), Value::Micros(micros)) => Ok(Made::Micros(date::floor_micros(micros, *unit))),
            _ => Err("the mask works on dates and timestamps only"),
        }
    }
}

fn moved(value: Value<'_>, by: i64) -> Made {
    match value {
        Value::Days(day) => Made::Days(date::shift(day, by, DATE_RANGE)),
        Value::Micros(micros) => {
            let range = (TIMESTAMP_RANGE.0 * DAY, TIMESTAMP_RANGE.1 * DAY);
            Made::Micros(date::shift(micros, by * DAY, range))
        }
        _ => Made::Same,
    }
}
