//! CHECK constraints under masks: judged on what a mask makes, not by running SQL.

use super::expression::parse;
use super::verdict::{Known, Verdict, judge};
use super::{Case, Choice, Chosen, TableCase};
use crate::engine::Wire;
use crate::engine::codec::Codec;
use crate::engine::value::{Made, Value};
use crate::key::DomainKey;
use crate::mask::{Build, Input, Masker, Words};
use crate::policy::{Doubt, Leaf, Mask};
use crate::problem::{Code, Problem};
use crate::schema::Check;

/// How many masked values a constraint is tried on.
const SAMPLES: u8 = 64;

pub(super) fn check(case: &Case<'_>, problems: &mut Vec<Problem>) {
    for table in case.tables.iter().filter(|t| !t.truncate) {
        for check in &table.table.checks {
            let masked: Vec<_> =
                check.columns.iter().filter_map(|c| table.chosen(c)).filter(|c| changes(c)).collect();
            if let Some(first) = masked.first() {
                let verdict = judge(&parse(&check.expression), &|name| known(case, table, name));
                problems.extend(problem(
                    table,
                    first,
                    check,
                    verdict,
                    masked.iter().all(|c| c.accepts(Doubt::Check)),
                ));
            }
        }
        for chosen in table.columns.iter().filter(|c| changes(c)) {
            for check in chosen.column.ty.domain_checks() {
                // A domain's constraint says VALUE for the value.
                let own = || known(case, table, &chosen.column.name);
                let verdict = judge(&parse(&check.expression), &|name| {
                    if name.eq_ignore_ascii_case("value") { own() } else { Known::Nothing }
                });
                problems.extend(problem(table, chosen, check, verdict, chosen.accepts(Doubt::Check)));
            }
        }
    }
}

/// The mask makes other values than the column had; NULL satisfies every CHECK but IS NOT NULL.
fn changes(chosen: &Chosen<'_>) -> bool {
    !matches!(
        chosen.choice,
        Choice::Keep | Choice::Generated | Choice::Open | Choice::Mask(Mask::Shuffle(_) | Mask::Default(_))
    )
}

fn problem(
    table: &TableCase<'_>,
    chosen: &Chosen<'_>,
    check: &Check,
    verdict: Verdict,
    accepted: bool,
) -> Option<Problem> {
    let name = &chosen.column.name;
    let expression = &check.expression;
    match verdict {
        Verdict::Always | Verdict::Still => None,
        Verdict::Never => {
            let why = format!(
                "constraint {} ({expression}) refuses what the mask makes; choose a mask that satisfies it",
                check.name
            );
            Some(table.error(Code::Check, name, why))
        }
        Verdict::Unknown if accepted => None,
        Verdict::Unknown => {
            let why = format!(
                "constraint {} ({expression}) reads the masked column, and whether masked values satisfy it cannot be \
                 told; choose another mask, or add `accept: [check]` if you know that they do",
                check.name
            );
            Some(table.error(Code::Check, name, why))
        }
    }
}

fn known(case: &Case<'_>, table: &TableCase<'_>, name: &str) -> Known {
    let Some(chosen) = table.chosen(name) else { return Known::Nothing };
    let Choice::Mask(mask) = &chosen.choice else { return Known::Original };
    let Some(leaf) = mask.leaf() else { return Known::Nothing };
    let like = |sign, length, form| Known::Like { sign, length, form };
    match leaf {
        _ if chosen.column.ty.is_array() => Known::Nothing,
        Leaf::Null(_) => Known::Values(Vec::new()),
        Leaf::Id(_) => like(true, false, false),
        Leaf::Digits(_) | Leaf::Phone(_) | Leaf::Card(_) | Leaf::Iban(_) | Leaf::Zip(_) => {
            like(true, true, true)
        }
        Leaf::Lorem(_) | Leaf::Partial(_) => like(false, true, false),
        Leaf::Noise(_) | Leaf::DateShift(_) | Leaf::Generalize(_) | Leaf::Uuid(_) => Known::Nothing,
        Leaf::Email(ref options) if options.keep_domain => Known::Nothing,
        Leaf::Choice(ref options) if !options.values.is_empty() => {
            Known::Values(options.values.iter().map(ToString::to_string).collect())
        }
        Leaf::Constant(ref options) => Known::Values(options.value.iter().map(ToString::to_string).collect()),
        leaf => samples(case, chosen, &leaf).map_or(Known::Nothing, Known::Values),
    }
}

/// Masked values of a mask that does not look at the original.
fn samples(case: &Case<'_>, chosen: &Chosen<'_>, leaf: &Leaf) -> Option<Vec<String>> {
    let ty = &chosen.column.ty;
    let codec = Codec::new(ty, Wire::Text)?;
    let email_domain = case.policy.email_domain.clone().unwrap_or_else(|| super::EMAIL_DOMAIN.to_owned());
    let words = Words { locale: case.policy.locale, email_domain, max: codec.max.map(|m| m as usize) };
    let key = DomainKey::new(&[0; 32]);
    let value = match codec.form {
        crate::engine::codec::Form::Date => Value::Days(0),
        crate::engine::codec::Form::Timestamp | crate::engine::codec::Form::Timestamptz => Value::Micros(0),
        _ => Value::Text("10.0.0.1"),
    };
    let masker = Masker::new(leaf, Build { ty, codec, words, key: key.clone(), fold_case: false }).ok()?;
    let mut made = Vec::new();
    for i in 0..SAMPLES {
        let tag = key.tag(&[i]);
        let mut text = String::new();
        let input = Input { value, canonical: b"", tag, person: tag, gender: None };
        let one = masker.make(&input, &mut Vec::new(), &mut text).ok()?;
        let mut out = Vec::new();
        match one {
            Made::Null | Made::Same => return None,
            Made::Literal(i) => out.extend_from_slice(masker.literal(i)),
            one => codec.encode(&one, &text, &mut out)?,
        }
        made.push(String::from_utf8(out).ok()?);
    }
    if let Leaf::Int(options) = leaf {
        made.extend(options.min.or(Some(0)).into_iter().chain(options.max).map(|n| n.to_string()));
    }
    if let Leaf::Numeric(options) = leaf {
        made.extend([options.min.unwrap_or(0.0), options.max.unwrap_or(1000.0)].map(|n| n.to_string()));
    }
    if let Leaf::Date(options) = leaf {
        made.extend(options.from.clone().into_iter().chain(options.to.clone()));
    }
    Some(made)
}
