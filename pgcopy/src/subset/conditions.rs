//! Typed conditions as SQL. Only names from the catalog and quoted literals reach the text; a literal takes the column's
//! type, so an index can serve it.

use std::fmt::Write as _;

use masking::{Condition, Scalar, SubsetRule};

use crate::catalog::Table;
use crate::error::{Error, Result};
use crate::sql::{ident, literal};

/// The query that yields `(tableoid, ctid)` of the chosen rows.
pub(super) fn choice(table: &Table, rule: &SubsetRule) -> Result<String> {
    let mut text = format!("SELECT t.tableoid, t.ctid FROM {} t", table.sql());
    if let Some(percent) = rule.percent {
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(Error::Usage(format!(
                "subset: percent of {} must be above 0 and up to 100",
                rule.name
            )));
        }
        // The same rows every time, as long as the table stands still.
        let _ = write!(text, " TABLESAMPLE BERNOULLI ({percent}) REPEATABLE (42)");
    }
    let conditions =
        rule.conditions.iter().map(|condition| sql(table, condition)).collect::<Result<Vec<String>>>()?;
    if !conditions.is_empty() {
        let _ = write!(text, " WHERE {}", conditions.join(" AND "));
    }
    Ok(text)
}

fn sql(table: &Table, condition: &Condition) -> Result<String> {
    let column = table.column(&condition.column).ok_or_else(|| {
        Error::Usage(format!(
            "subset: {} has no column {}; correct the condition",
            table.title(),
            condition.column
        ))
    })?;
    let name = format!("t.{}", ident(&column.name));
    let value = |scalar: &Scalar| format!("{}::{}", literal(&scalar.to_string()), column.sql_type);
    let list = |scalars: &[Scalar]| scalars.iter().map(value).collect::<Vec<_>>().join(", ");
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
    let mut parts = Vec::new();
    parts.extend(equals.as_ref().map(|v| format!("{name} = {}", value(v))));
    parts.extend(not_equals.as_ref().map(|v| format!("{name} <> {}", value(v))));
    parts.extend(
        one_of
            .as_ref()
            .map(|v| if v.is_empty() { "false".into() } else { format!("{name} IN ({})", list(v)) }),
    );
    parts.extend(
        not_in
            .as_ref()
            .map(|v| if v.is_empty() { "true".into() } else { format!("{name} NOT IN ({})", list(v)) }),
    );
    parts.extend(less_than.as_ref().map(|v| format!("{name} < {}", value(v))));
    parts.extend(at_least.as_ref().map(|v| format!("{name} >= {}", value(v))));
    parts.extend(starts_with.as_ref().map(|v| format!("starts_with({name}::text, {})", literal(v))));
    parts.extend(
        ends_with.as_ref().map(|v| format!("right({name}::text, {}) = {}", v.chars().count(), literal(v))),
    );
    parts.extend(is_null.map(|null| format!("{name} IS {}NULL", if null { "" } else { "NOT " })));
    match parts.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(Error::Usage(format!(
            "subset: the condition on {}.{} needs exactly one comparison",
            table.title(),
            column.name
        ))),
    }
}
