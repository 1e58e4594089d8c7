//! Whether a condition that a row satisfied holds for the masked row.

use super::expression::{Expression, Operand, Operator};

/// What is known about a masked column's values.
pub(super) enum Known {
    /// They do not depend on the original: these are some of them, the extremes among them.
    Values(Vec<String>),
    /// They follow the original, and this much stays.
    Like {
        sign: bool,
        length: bool,
        form: bool,
    },
    /// The column is not masked.
    Original,
    Nothing,
}

/// What masking does to a condition that the original row satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds, whatever the original was.
    Always,
    /// It holds because it did before.
    Still,
    Never,
    Unknown,
}

/// Whether masked values satisfy a constraint that the originals satisfied.
pub(super) fn judge(expression: &Expression, known: &dyn Fn(&str) -> Known) -> Verdict {
    use Verdict::{Always, Never, Still, Unknown};
    let each = |parts: &[Expression]| parts.iter().map(|p| judge(p, known)).collect::<Vec<_>>();
    match expression {
        Expression::All(parts) => match each(parts) {
            all if all.contains(&Never) => Never,
            all if all.contains(&Unknown) => Unknown,
            all if all.contains(&Still) => Still,
            _ => Always,
        },
        // The original may have satisfied any one of them, so all have to hold still, or one always.
        Expression::Any(parts) => match each(parts) {
            all if all.contains(&Always) => Always,
            all if all.iter().all(|v| *v == Still) => Still,
            all if all.iter().all(|v| *v == Never) => Never,
            _ => Unknown,
        },
        Expression::Not(inner) => match inner.as_ref() {
            // NOT NULL columns are judged where masks make NULL.
            Expression::IsNull(Operand::Column(name)) => match known(name) {
                Known::Values(values) if values.is_empty() => Never,
                Known::Values(_) | Known::Like { .. } | Known::Original => Still,
                Known::Nothing => Unknown,
            },
            inner => match over_values(inner, known) {
                Some(true) => Never,
                Some(false) => Always,
                None if untouched(inner, known) => Still,
                None => Unknown,
            },
        },
        Expression::IsNull(Operand::Column(name)) => match known(name) {
            Known::Values(values) if values.is_empty() => Always,
            // NULL stays NULL under every mask.
            Known::Values(_) | Known::Like { .. } | Known::Original => Still,
            Known::Nothing => Unknown,
        },
        Expression::IsNull(_) | Expression::Unknown => Unknown,
        atom => match over_values(atom, known) {
            Some(true) => Always,
            Some(false) => Never,
            None if untouched(atom, known) || over_likeness(atom, known) => Still,
            None => Unknown,
        },
    }
}

/// The comparison is one of an unmasked column with literals.
fn untouched(atom: &Expression, known: &dyn Fn(&str) -> Known) -> bool {
    let original = |operand: &Operand| match operand {
        Operand::Column(name) | Operand::Length(name) => matches!(known(name), Known::Original),
        Operand::Number(_) | Operand::Text(_) => true,
        Operand::Unknown => false,
    };
    match atom {
        Expression::Compare(a, _, b) => original(a) && original(b),
        Expression::OneOf(a, list) => original(a) && list.iter().all(original),
        Expression::Matches(a, ..) | Expression::Like(a, ..) => original(a),
        _ => false,
    }
}

/// A comparison on values that are known.
fn over_values(atom: &Expression, known: &dyn Fn(&str) -> Known) -> Option<bool> {
    let (Expression::Compare(operand, ..)
    | Expression::OneOf(operand, _)
    | Expression::Matches(operand, ..)
    | Expression::Like(operand, ..)) = atom
    else {
        return None;
    };
    let (Operand::Column(name) | Operand::Length(name)) = operand else { return None };
    let Known::Values(values) = known(name) else { return None };
    let verdicts: Vec<Option<bool>> = values
        .iter()
        .map(|value| {
            let value = match operand {
                Operand::Length(_) => value.chars().count().to_string(),
                _ => value.clone(),
            };
            holds(atom, &value)
        })
        .collect();
    if verdicts.contains(&Some(false)) {
        Some(false)
    } else {
        verdicts.into_iter().all(|v| v == Some(true)).then_some(true)
    }
}

fn holds(atom: &Expression, value: &str) -> Option<bool> {
    match atom {
        Expression::Compare(_, operator, right) => compare(value, *operator, right),
        Expression::OneOf(_, list) => {
            let all: Vec<_> = list.iter().map(|right| compare(value, Operator::Equal, right)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else {
                all.into_iter().all(|v| v.is_some()).then_some(false)
            }
        }
        Expression::Matches(_, pattern, fold) => {
            let built =
                regex::RegexBuilder::new(pattern).case_insensitive(*fold).size_limit(1 << 20).build().ok()?;
            Some(built.is_match(value))
        }
        Expression::Like(_, pattern, fold) => {
            let translated: String = pattern
                .chars()
                .map(|c| match c {
                    '%' => ".*".to_owned(),
                    '_' => ".".to_owned(),
                    c => regex_syntax::escape(&c.to_string()),
                })
                .collect();
            let built = regex::RegexBuilder::new(&format!("^(?s:{translated})$"))
                .case_insensitive(*fold)
                .build()
                .ok()?;
            (!pattern.contains('\\')).then(|| built.is_match(value))
        }
        _ => None,
    }
}

fn compare(value: &str, operator: Operator, right: &Operand) -> Option<bool> {
    let order = match right {
        Operand::Number(n) => value.parse::<f64>().ok()?.partial_cmp(n)?,
        Operand::Text(text) => {
            // Beside equality, the only texts whose order is ours to tell are dates as ISO has them.
            let dates = [value, text]
                .iter()
                .all(|t| crate::engine::time::parse_date(t.get(..10).unwrap_or("")).is_some());
            match operator {
                Operator::Equal | Operator::NotEqual => value.cmp(text.as_str()),
                _ if dates => value.cmp(text.as_str()),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Greater => order.is_gt(),
    })
}

/// A comparison on values of which only something is known, and that something keeps it true.
fn over_likeness(atom: &Expression, known: &dyn Fn(&str) -> Known) -> bool {
    use Operator::{Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    match atom {
        Expression::Compare(Operand::Column(name), operator, Operand::Number(n)) => {
            let at_zero = *n == 0.0 && *operator != Operator::Equal;
            let next_to_zero = matches!((operator, *n), (GreaterOrEqual, 1.0) | (LessOrEqual, -1.0));
            let ordered = matches!(operator, Greater | GreaterOrEqual | Less | LessOrEqual | NotEqual);
            matches!(known(name), Known::Like { sign: true, .. }) && ordered && (at_zero || next_to_zero)
        }
        Expression::Compare(Operand::Length(name), _, Operand::Number(_)) => {
            matches!(known(name), Known::Like { length: true, .. })
        }
        Expression::Matches(Operand::Column(name), pattern, _) => {
            matches!(known(name), Known::Like { form: true, .. }) && blind_to_digits(pattern)
        }
        _ => false,
    }
}

/// The pattern does not tell one digit from another: outside repetition counts it names digits only as `0-9` or `\d`.
fn blind_to_digits(pattern: &str) -> bool {
    let mut rest = pattern.replace("0-9", "");
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else { return false };
        rest.replace_range(open..=open + close, "");
    }
    !rest.chars().any(|c| c.is_ascii_digit())
}
