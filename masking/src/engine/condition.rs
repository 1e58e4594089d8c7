//! Conditions over a row, against raw values.

#![allow(clippy::cast_precision_loss, reason = "thresholds are compared as floats")]

use super::Wire;
use super::codec::{Codec, Unpacked};
use super::value::Value;
use crate::policy::{Condition, Scalar};
use crate::schema::Column;

/// A condition, built for one column.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The field of the row that it looks at.
    field: usize,
    codec: Codec,
    fold_case: bool,
    check: Check,
}

#[derive(Clone, Debug)]
enum Check {
    /// Canonical forms, and whether being one of them makes the condition hold.
    OneOf(Vec<Vec<u8>>, bool),
    Below(f64, bool),
    Starts(String),
    Ends(String),
    IsNull(bool),
}

impl Test {
    /// # Errors
    /// A condition with no or several comparisons, or one that the column's type does not have.
    pub(crate) fn new(
        condition: &Condition,
        column: &Column,
        field: usize,
        wire: Wire,
    ) -> Result<Self, String> {
        let name = &condition.column;
        let ty = &column.ty;
        let codec = Codec::new(ty, wire)
            .filter(|_| !ty.is_array())
            .ok_or_else(|| format!("a condition cannot read `{name}` of type {}", ty.name))?;
        let fold_case = matches!(ty.base().kind, crate::schema::TypeKind::Citext);
        let check = check(condition, Codec::new(ty, Wire::Text).unwrap_or(codec), fold_case)
            .map_err(|why| format!("the condition on `{name}` {why}"))?;
        Ok(Self { field, codec, fold_case, check })
    }

    /// The condition holds, or cannot be told (NULL, no value of its type): then the value is masked.
    pub(crate) fn holds(
        &self,
        fields: &[Option<&[u8]>],
        unpacked: &mut Unpacked,
        canonical: &mut Vec<u8>,
    ) -> bool {
        let raw = fields.get(self.field).copied().flatten();
        if let Check::IsNull(wanted) = self.check {
            return raw.is_none() == wanted;
        }
        let Some(value) = raw.and_then(|raw| self.codec.decode(raw, unpacked)) else { return true };
        match (&self.check, value) {
            (Check::OneOf(list, wanted), value) => {
                canonical.clear();
                value.canonical(self.fold_case, canonical);
                list.contains(canonical) == *wanted
            }
            (Check::Below(limit, wanted), value) => number(&value).is_none_or(|n| (n < *limit) == *wanted),
            (Check::Starts(start), Value::Text(text)) => text.starts_with(start),
            (Check::Ends(end), Value::Text(text)) => text.ends_with(end),
            _ => true,
        }
    }
}

fn check(condition: &Condition, codec: Codec, fold_case: bool) -> Result<Check, String> {
    let canonical = |scalar: &Scalar| {
        let text = scalar.to_string();
        let mut unpacked = Unpacked::default();
        let value = codec.decode(text.as_bytes(), &mut unpacked);
        let value = value.ok_or_else(|| format!("compares with `{text}`, which is no value of its type"))?;
        let mut out = Vec::new();
        value.canonical(fold_case, &mut out);
        Ok::<_, String>((out, number(&value)))
    };
    let list = |scalars: &[Scalar], wanted| {
        let forms = scalars.iter().map(|s| canonical(s).map(|(form, _)| form)).collect::<Result<_, _>>()?;
        Ok(Check::OneOf(forms, wanted))
    };
    let below = |scalar: &Scalar, wanted| {
        let limit = canonical(scalar)?.1.ok_or("has no order; only numbers, dates and timestamps do")?;
        Ok(Check::Below(limit, wanted))
    };
    let text = |text: &str| {
        let fits = matches!(codec.form, super::codec::Form::Text | super::codec::Form::Bpchar);
        fits.then(|| text.to_owned()).ok_or_else(|| "works on texts only".to_owned())
    };
    let Condition {
        column: _,
        equals,
        not_equals,
        one_of,
        not_in,
        less_than,
        at_least,
        starts_with,
        ends_with,
        is_null,
    } = condition;
    let mut checks = Vec::new();
    checks.extend(equals.as_ref().map(|s| list(std::slice::from_ref(s), true)));
    checks.extend(not_equals.as_ref().map(|s| list(std::slice::from_ref(s), false)));
    checks.extend(one_of.as_ref().map(|s| list(s, true)));
    checks.extend(not_in.as_ref().map(|s| list(s, false)));
    checks.extend(less_than.as_ref().map(|s| below(s, true)));
    checks.extend(at_least.as_ref().map(|s| below(s, false)));
    checks.extend(starts_with.as_deref().map(|s| text(s).map(Check::Starts)));
    checks.extend(ends_with.as_deref().map(|s| text(s).map(Check::Ends)));
    checks.extend(is_null.map(|wanted| Ok(Check::IsNull(wanted))));
    if checks.len() != 1 {
        return Err("needs exactly one comparison, such as `equals: customer`".to_owned());
    }
    checks.pop().unwrap_or_else(|| Err("needs a comparison".to_owned()))
}

/// A value's place in its order.
fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(n) | Value::Days(n) | Value::Micros(n) | Value::Time(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        Value::Decimal(text) => text.parse().ok(),
        _ => None,
    }
}
