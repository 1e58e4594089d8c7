//! Whether a mask fits its column: type, NULL, length, enum labels.

use super::nature::{Injective, fits, injective, permutes, stand_in};
use super::{Case, Choice, Chosen, TableCase, inline, paste};
use crate::engine::Wire;
use crate::engine::codec::Codec;
use crate::mask::Pattern;
use crate::policy::{Leaf, Mask, PasswordHash, Scalar};
use crate::problem::{Code, Problem};
use crate::types::{Family, Type, TypeKind};

pub(super) fn check(case: &Case<'_>, problems: &mut Vec<Problem>) {
    for table in case.tables.iter().filter(|t| !t.truncate) {
        for chosen in &table.columns {
            if let Choice::Mask(mask) = &chosen.choice {
                column(case, table, chosen, mask, problems);
            }
        }
    }
}

fn column(
    case: &Case<'_>,
    table: &TableCase<'_>,
    chosen: &Chosen<'_>,
    mask: &Mask,
    problems: &mut Vec<Problem>,
) {
    let (column, ty) = (chosen.column, &chosen.column.ty);
    let name = &column.name;
    let refuses_null = column.not_null || ty.refuses_null();
    if chosen.makes_null() && refuses_null {
        let line = paste(name, &inline(&stand_in(ty)));
        problems.push(
            table.error(Code::NotNull, name, "the mask makes NULL and the column refuses it").paste(line),
        );
    }
    let family = ty.family();
    let wrong = |why: String| table.error(Code::WrongType, name, why);
    match mask {
        Mask::Json(_) if family != Family::Json || ty.is_array() => {
            problems
                .push(wrong(format!("the mask `json` works on json and jsonb; the column is {}", ty.name)));
        }
        Mask::Template(_) if family != Family::Text || ty.is_array() => {
            problems.push(wrong(format!("the mask `template` works on texts; the column is {}", ty.name)));
        }
        Mask::Composite(options) => problems.extend(composite(table, chosen, options)),
        Mask::Default(_) if column.default.is_none() && refuses_null => {
            problems.push(table.error(
                Code::NotNull,
                name,
                "the column has no default and refuses NULL; choose a mask",
            ));
        }
        _ => {}
    }
    let json = if let Mask::Json(options) = mask { options.paths.as_slice() } else { &[] };
    for path in json.iter().filter(|p| p.keep == p.mask.is_some()) {
        problems.push(table.error(
            Code::BadRule,
            name,
            format!("path {} needs either `keep: true` or a `mask`", path.path),
        ));
    }
    let Some(leaf) = mask.leaf() else { return };
    if !fits(&leaf, family) || (ty.is_array() && matches!(leaf, Leaf::Password(_))) {
        let line = paste(name, &inline(&stand_in(ty)));
        problems.push(wrong(format!("the mask `{}` does not work on {}", leaf.name(), ty.name)).paste(line));
        return;
    }
    if chosen.random() && permutes(&leaf) {
        let why = format!(
            "`{}` maps each value to one other, so it cannot draw afresh; drop `random`",
            leaf.name()
        );
        problems.push(table.error(Code::BadRule, name, why));
    }
    problems.extend(length(case, &leaf, ty).map(|why| table.error(Code::TooShort, name, why)));
    problems.extend(precision(&leaf, ty).map(|why| table.error(Code::TooShort, name, why)));
    problems.extend(values(&leaf, ty).map(|(code, why)| table.error(code, name, why)));
}

fn composite(
    table: &TableCase<'_>,
    chosen: &Chosen<'_>,
    options: &crate::policy::CompositeMask,
) -> Vec<Problem> {
    let (name, ty) = (&chosen.column.name, &chosen.column.ty);
    let TypeKind::Composite { fields } = &ty.base().kind else {
        return vec![table.error(
            Code::WrongType,
            name,
            format!("the mask `composite` works on composite types; the column is {}", ty.name),
        )];
    };
    let mut problems = Vec::new();
    let mut bad = |code, why: String| problems.push(table.error(code, name, why));
    for rule in options.fields.iter().filter(|r| !fields.iter().any(|f| f.name == r.name)) {
        bad(Code::Missing, format!("the type {} has no field `{}`", ty.name, rule.name));
    }
    for field in fields {
        match options.fields.iter().find(|r| r.name == field.name) {
            None => {
                bad(Code::Undecided, format!("nothing decides field `{}`; add it to `fields`", field.name));
            }
            Some(rule) if rule.keep == rule.mask.is_some() => {
                bad(Code::BadRule, format!("field `{}` needs either `keep: true` or a `mask`", field.name));
            }
            Some(rule) => {
                if let Some(leaf) = rule.mask.as_ref().filter(|leaf| !fits(leaf, field.ty.family())) {
                    bad(
                        Code::WrongType,
                        format!(
                            "field `{}`: `{}` does not work on {}",
                            field.name,
                            leaf.name(),
                            field.ty.name
                        ),
                    );
                }
            }
        }
    }
    problems
}

/// What a column is too short for.
fn length(case: &Case<'_>, leaf: &Leaf, ty: &Type) -> Option<String> {
    let max = ty.max_chars()?;
    let (needed, of) = match leaf {
        Leaf::Password(options) => match options.algorithm {
            PasswordHash::Bcrypt => (60, "a bcrypt hash"),
            PasswordHash::Argon2id => (98, "an argon2id hash"),
        },
        Leaf::Regex(options) => (
            u32::try_from(Pattern::new(&options.pattern).ok()?.longest()).unwrap_or(u32::MAX),
            "the longest text of the pattern",
        ),
        Leaf::Hash(options) => (options.length.unwrap_or(20), "the hash"),
        Leaf::Mac(_) => (17, "a MAC address"),
        Leaf::Uuid(_) => (36, "a UUID"),
        Leaf::Ip(_) => (15, "an address"),
        Leaf::Id(_) | Leaf::Email(_) | Leaf::Username(_) | Leaf::Url(_) => {
            match injective(leaf, ty, email_domain(case, leaf)) {
                Injective::Tag(needed) => (needed, "a text with a tag of 80 bits"),
                _ => return None,
            }
        }
        _ => return None,
    };
    (needed > max)
        .then(|| format!("{of} needs {needed} characters and {} holds {max}; choose another mask", ty.name))
}

/// What a `numeric(precision, scale)` is too narrow for.
fn precision(leaf: &Leaf, ty: &Type) -> Option<String> {
    let TypeKind::Numeric { precision: Some(precision), scale } = &ty.element().kind else { return None };
    let whole = precision.saturating_sub(scale.unwrap_or(0));
    let limit = 10f64.powi(i32::try_from(whole).ok()?);
    let within = |values: [f64; 2]| values.iter().all(|v| v.abs() < limit);
    let why = match leaf {
        // Integers of the widest class have 19 digits.
        Leaf::Id(_) if whole < 19 => {
            format!("`id` can need 19 digits and {} holds {whole}; use `digits`", ty.name)
        }
        Leaf::Numeric(o) if !within([o.min.unwrap_or(0.0), o.max.unwrap_or(1000.0)]) => {
            format!("the range from `min` (0) to `max` (1000) exceeds {}; give both", ty.name)
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a bound this large is out of range however it rounds"
        )]
        Leaf::Int(o) if !within([o.min.unwrap_or(0) as f64, o.max.unwrap_or(i64::MAX) as f64]) => {
            format!("the range from `min` (0) to `max` (2⁶³ − 1) exceeds {}; give both", ty.name)
        }
        _ => return None,
    };
    Some(why)
}

/// Bytes of the domain that e-mail addresses and URLs get.
pub(crate) fn email_domain(case: &Case<'_>, leaf: &Leaf) -> usize {
    let own = if let Leaf::Email(options) = leaf { options.domain.as_deref() } else { None };
    own.or(case.policy.email_domain.as_deref()).unwrap_or(super::EMAIL_DOMAIN).len()
}

/// Literals that the column cannot hold.
fn values(leaf: &Leaf, ty: &Type) -> Option<(Code, String)> {
    let list: Vec<Scalar> = match leaf {
        Leaf::Constant(options) => match &options.value {
            None => {
                return Some((
                    Code::BadRule,
                    "`constant` needs a `value`; for NULL say `null: {}`".to_owned(),
                ));
            }
            Some(value) => vec![value.clone()],
        },
        Leaf::Choice(options) if options.values.is_empty() && ty.family() != Family::Enum => {
            return Some((Code::BadRule, "`choice` needs `values`".to_owned()));
        }
        Leaf::Choice(options) => options.values.clone(),
        Leaf::Hash(options) => {
            let wrong = !(20..=64).contains(&options.length.unwrap_or(20));
            return wrong.then(|| (Code::BadRule, "`length` is from 20 (80 bits) to 64".to_owned()));
        }
        Leaf::Int(options) => options.min.into_iter().chain(options.max).map(Scalar::Int).collect(),
        _ => return None,
    };
    if let TypeKind::Enum { labels } = &ty.element().kind {
        let wrong = list.iter().map(ToString::to_string).find(|v| !labels.contains(v))?;
        return Some((
            Code::Enum,
            format!("`{wrong}` is no label of {}; its labels are {}", ty.name, labels.join(", ")),
        ));
    }
    // Arrays and types that no codec reads go to the server as a literal, which it checks when the copy is planned.
    let codec = Codec::new(ty, Wire::Text).filter(|_| !ty.is_array())?;
    let wrong = list.iter().find(|v| codec.literal(v, &mut Vec::new()).is_none())?;
    Some((Code::WrongType, format!("`{wrong}` is no value of {}", ty.name)))
}
