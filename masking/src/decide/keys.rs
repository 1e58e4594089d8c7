//! Unique keys and foreign keys under masks.

use super::domains::Domains;
use super::fit::email_domain;
use super::nature::{Injective, injective};
use super::{Case, Choice, Chosen, TableCase, inline, paste};
use crate::policy::{Doubt, Leaf, Mask};
use crate::problem::{Code, Problem, Severity};
use crate::schema::{Column, ForeignKey, Key, KeyKind};
use crate::types::Family;

pub(super) fn check(case: &Case<'_>, domains: &Domains, problems: &mut Vec<Problem>) {
    for (at, table) in case.tables.iter().enumerate() {
        if !table.truncate {
            for key in &table.table.keys {
                problems.extend(unique(case, at, key, domains));
            }
        }
        for key in &table.table.foreign_keys {
            let Some(target) = case.table(&key.target) else { continue };
            let targets = ruled(case, target);
            for table in ruled(case, table) {
                problems.extend(targets.iter().flat_map(|target| foreign(table, target, key)));
            }
        }
    }
}

/// What is wrong with a key's columns: empty if different rows stay different.
fn unique(case: &Case<'_>, at: usize, key: &Key, domains: &Domains) -> Vec<Problem> {
    let table = &case.tables[at];
    // A key that contains another one whose rows stay different is safe whatever the rest does.
    let safer = table.table.keys.iter().any(|other| {
        other != key
            && other.kind != KeyKind::Exclusion
            && other.expression_columns.is_empty()
            && other.columns.len() < key.columns.len()
            && other.columns.iter().all(|c| key.columns.contains(c))
            && other.columns.iter().all(|c| loses(case, at, c, other, domains).is_none())
    });
    if safer && key.kind != KeyKind::Exclusion {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for name in &key.columns {
        let Some(chosen) = table.chosen(name) else { continue };
        let exclusion =
            key.kind == KeyKind::Exclusion && chosen.mask().is_some() && !chosen.accepts(Doubt::Unique);
        let why = if exclusion && !matches!(chosen.choice, Choice::Mask(Mask::Null(_))) {
            Some("an exclusion constraint reads the masked column; if no two rows can meet, add `accept: [unique]`".to_owned())
        } else {
            loses(case, at, name, key, domains)
        };
        if let Some(why) = why {
            let problem = table.error(Code::Unique, name, format!("key {}: {why}", key.name));
            problems.push(problem.paste(paste(name, &inline(&one_to_one(chosen)))));
        }
    }
    problems.extend(expressions(case, table, key));
    problems
}

/// A mask that keeps a column's values different.
fn one_to_one(chosen: &Chosen<'_>) -> Mask {
    match chosen.mask() {
        Some(Mask::FirstName(_) | Mask::LastName(_) | Mask::FullName(_)) => {
            Leaf::Username(crate::policy::Nothing::default()).into()
        }
        _ if chosen.column.ty.family() == Family::Bytes => Leaf::Hash(crate::policy::Hash::default()).into(),
        _ => Leaf::Id(crate::policy::Nothing::default()).into(),
    }
}

/// Indexes over expressions see masked values through a function.
fn expressions(case: &Case<'_>, table: &TableCase<'_>, key: &Key) -> Vec<Problem> {
    let through = |name: &String| {
        let chosen = table.chosen(name)?;
        let mask = chosen.mask()?;
        // Tags are lower-case and survive lower(), trim() and the like.
        let tag = mask.leaf().is_some_and(|leaf| {
            matches!(injective(&leaf, &chosen.column.ty, email_domain(case, &leaf)), Injective::Tag(_))
        });
        let null = matches!(mask, Mask::Null(_)) && !key.nulls_not_distinct;
        (!tag && !null && !chosen.accepts(Doubt::Unique)).then(|| {
            let why = format!(
                "key {} is over an expression of the masked column, so it cannot be told whether rows stay different; \
                 choose a mask with a tag, or add `accept: [unique]`",
                key.name
            );
            table.error(Code::Unique, name, why)
        })
    };
    let generated =
        key.columns.iter().filter_map(|c| table.chosen(c)?.column.generated.as_ref()).flat_map(|g| &g.reads);
    key.expression_columns.iter().chain(generated).filter_map(through).collect()
}

/// Why a column's different values may become equal.
fn loses(case: &Case<'_>, at: usize, name: &str, key: &Key, domains: &Domains) -> Option<String> {
    let table = &case.tables[at];
    let place = table.columns.iter().position(|c| c.column.name == name)?;
    let chosen = &table.columns[place];
    let mask = chosen.mask()?;
    let single = key.columns.len() == 1;
    match mask {
        Mask::Null(_) if !key.nulls_not_distinct => return None,
        Mask::Default(_) if makes_unique(chosen.column) => return None,
        Mask::Shuffle(_) if single => return None,
        _ => {}
    }
    let leaf = mask.leaf();
    let kind = leaf
        .as_ref()
        .map_or(Injective::No, |leaf| injective(leaf, &chosen.column.ty, email_domain(case, leaf)));
    let max = domains.get(at, place).and_then(|d| d.max).or(chosen.column.ty.max_chars());
    match kind {
        Injective::No => Some(format!("the mask `{}` can make two values equal", mask.name())),
        Injective::Tag(needed) if max.is_some_and(|max| max < needed) => Some(format!(
            "`{}` needs {needed} characters to keep values different; the shortest column of the domain holds {}",
            mask.name(),
            max.unwrap_or(0)
        )),
        Injective::Always | Injective::Form if chosen.conditional() && chosen.keeps_some() => {
            Some("a masked value can meet one that `otherwise: keep` leaves as it is".to_owned())
        }
        Injective::Form if max.is_some_and(|max| max < 6) => {
            Some(format!("`{}` needs 6 digits and more to stay one to one and secret", mask.name()))
        }
        Injective::Always | Injective::Form | Injective::Tag(_) => None,
    }
}

/// The column's default is a new value each time.
fn makes_unique(column: &Column) -> bool {
    let draws = ["nextval(", "gen_random_uuid(", "uuid_generate_v", "uuidv4(", "uuidv7("];
    column.sequence || column.default.as_ref().is_some_and(|d| draws.iter().any(|f| d.contains(f)))
}

/// A table and those of its partitions that have a rule of their own, for which its foreign keys hold too.
fn ruled<'c, 'a>(case: &'c Case<'a>, table: &'c TableCase<'a>) -> Vec<&'c TableCase<'a>> {
    let same = |a: &TableCase<'_>, b: &TableCase<'_>| match (a.rule, b.rule) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let mut found = vec![table];
    let mut at = 0;
    // The bound keeps a wrong description from hanging us.
    while let Some(above) = found.get(at).copied().filter(|_| found.len() <= case.tables.len()) {
        at += 1;
        if !above.table.partition_key.is_empty() {
            found.extend(case.tables.iter().filter(|t| t.table.parent.as_ref() == Some(&above.table.name)));
        }
    }
    found.into_iter().enumerate().filter(|(at, t)| *at == 0 || !same(t, table)).map(|(_, t)| t).collect()
}

/// What is wrong with a foreign key's ends.
fn foreign(table: &TableCase<'_>, target: &TableCase<'_>, key: &ForeignKey) -> Vec<Problem> {
    if table.truncate {
        return Vec::new();
    }
    let severity = if key.not_valid { Severity::Warning } else { Severity::Error };
    let mut problems = Vec::new();
    for (from, to) in key.columns.iter().zip(&key.target_columns) {
        let (Some(source), Some(referred)) = (table.chosen(from), target.chosen(to)) else { continue };
        let dropped = matches!(source.choice, Choice::Mask(Mask::Null(_))) && !source.keeps_some();
        if dropped || source.choice == Choice::Open || referred.choice == Choice::Open {
            continue;
        }
        let why = if target.truncate {
            Some((
                format!(
                    "{} is truncated, so the rows that {} refers to are gone",
                    target.table.name, key.name
                ),
                "mask: {null: {}}".to_owned(),
            ))
        } else {
            mismatch(source, referred)
                .map(|(why, line)| (format!("{} ({}): {why}", key.name, target.table.name), line))
        };
        if let Some((why, line)) = why {
            let problem = table.error(Code::ForeignKey, from, why).paste(paste(from, &line));
            problems.push(Problem { severity, ..problem });
        }
    }
    problems
}

/// Why equal values at both ends would not stay equal, and what to paste at the referring end.
fn mismatch(source: &Chosen<'_>, referred: &Chosen<'_>) -> Option<(String, String)> {
    let same = |mask: &Mask| Some(("both ends need the same mask".to_owned(), inline(mask)));
    match (&source.choice, &referred.choice) {
        // Other values of the same column still refer to rows.
        (Choice::Mask(Mask::Shuffle(_)) | Choice::Keep, Choice::Keep) => None,
        (Choice::Mask(_), Choice::Keep) => {
            Some(("the referred column is kept, so this one has to be".to_owned(), "keep: true".to_owned()))
        }
        (_, Choice::Mask(Mask::Shuffle(_))) => match source.choice {
            Choice::Keep => None,
            _ => Some((
                "the referred values are kept, so these have to be".to_owned(),
                "keep: true".to_owned(),
            )),
        },
        (Choice::Mask(a), Choice::Mask(b)) if a != b => same(b),
        (Choice::Keep, Choice::Mask(b)) => same(b),
        (Choice::Mask(mask), Choice::Mask(_)) => {
            let drawn = source.random() || referred.random();
            let partly = source.conditional() || referred.conditional();
            if drawn {
                Some(("`random` makes another value at each end; drop it".to_owned(), inline(mask)))
            } else if partly {
                Some(("`when` can differ between the two ends; drop it".to_owned(), inline(mask)))
            } else if mask.leaf().is_none() || matches!(mask, Mask::Default(_)) {
                Some((
                    format!("`{}` does not follow from the value alone", mask.name()),
                    inline(&one_to_one(source)),
                ))
            } else {
                None
            }
        }
        _ => None,
    }
}
