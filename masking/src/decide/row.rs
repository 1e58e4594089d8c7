//! Decisions per column, with what a mask reads from the rest of its row.

use std::collections::BTreeSet;

use super::domains::{Domain, Domains};
use super::{Case, Choice, Chosen, TableCase, plain, sequence_floor};
use crate::decisions::{ColumnDecision, Decision, EngineMask, SqlMask, Subject};
use crate::engine::template::{Piece, parse};
use crate::engine::{Test, Wire};
use crate::policy::{Leaf, Mask};
use crate::problem::{Code, Problem};
use crate::schema::KeyKind;

/// The decisions of a table's columns.
pub(super) fn columns(
    case: &Case<'_>,
    at: usize,
    domains: &Domains,
    problems: &mut Vec<Problem>,
) -> Vec<ColumnDecision> {
    let table = &case.tables[at];
    let needed = read_raw(table);
    let mut groups: Vec<(bool, &str)> = Vec::new();
    let mut decided = Vec::new();
    for (place, chosen) in table.columns.iter().enumerate() {
        let decision = match &chosen.choice {
            Choice::Generated => Decision::Generated,
            Choice::Keep | Choice::Open => Decision::Keep,
            Choice::Mask(Mask::Shuffle(options)) => {
                Decision::Sql(SqlMask::Shuffle { group: group(options, &chosen.column.name, &mut groups) })
            }
            Choice::Mask(mask) => {
                let simple = plain(mask).filter(|d| {
                    !d.is_copied() || !(chosen.conditional() || needed.contains(chosen.column.name.as_str()))
                });
                simple.unwrap_or_else(|| {
                    Decision::Engine(Box::new(engine(table, at, place, chosen, mask, domains)))
                })
            }
        };
        let column = chosen.column.clone();
        let mut made = ColumnDecision { column, decision, sequence_floor: None };
        made.sequence_floor = sequence_floor(&made);
        decided.push(made);
    }
    if !table.truncate {
        context(table, &decided, problems);
    }
    decided
}

/// The place of a shuffle group; a column without one is a group of its own.
fn group<'a>(
    options: &'a crate::policy::Shuffle,
    column: &'a str,
    groups: &mut Vec<(bool, &'a str)>,
) -> usize {
    // A column's name and a group's of the same spelling are two things.
    let name = options.group.as_deref().map_or((false, column), |group| (true, group));
    groups.iter().position(|g| *g == name).unwrap_or_else(|| {
        groups.push(name);
        groups.len() - 1
    })
}

/// Columns whose original values other masks read.
fn read_raw<'a>(table: &'a TableCase<'_>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for chosen in &table.columns {
        names.extend(chosen.rule.iter().flat_map(|r| &r.when).map(|c| c.column.as_str()));
        names.extend(own_subject(chosen));
    }
    names.extend(table.rule.and_then(|r| r.subject.as_deref()));
    names
}

fn own_subject<'a>(chosen: &'a Chosen<'_>) -> Option<&'a str> {
    match chosen.mask() {
        Some(Mask::DateShift(options)) => options.subject.as_deref(),
        _ => None,
    }
}

fn follows_person(mask: &Mask) -> bool {
    matches!(
        mask,
        Mask::FirstName(_)
            | Mask::LastName(_)
            | Mask::FullName(_)
            | Mask::Email(_)
            | Mask::Username(_)
            | Mask::DateShift(_)
    )
}

fn is_name(mask: &Mask) -> bool {
    matches!(mask, Mask::FirstName(_) | Mask::LastName(_) | Mask::FullName(_))
}

fn engine(
    table: &TableCase<'_>,
    at: usize,
    place: usize,
    chosen: &Chosen<'_>,
    mask: &Mask,
    domains: &Domains,
) -> EngineMask {
    let empty = Domain::default();
    let domain = domains.get(at, place).unwrap_or(&empty);
    let rule = chosen.rule;
    let subject = subject(table, chosen, mask, domain).and_then(|name| {
        let place = table.columns.iter().position(|c| c.column.name == name)?;
        let of = domains.get(at, place)?;
        Some(Subject { column: name.to_owned(), domain: of.name.clone(), fold_case: of.fold_case })
    });
    EngineMask {
        mask: mask.clone(),
        domain: domain.name.clone(),
        fold_case: domain.fold_case,
        random: chosen.random(),
        subject,
        gender: gender(table, mask).map(str::to_owned),
        when: rule.map(|r| r.when.clone()).unwrap_or_default(),
        otherwise: rule.and_then(|r| r.otherwise),
        max: domain.max,
    }
}

/// The column that says whom the row is about, for a mask that follows the person. A domain shared with other columns
/// goes before: there equal values have to stay equal.
fn subject<'a>(
    table: &'a TableCase<'_>,
    chosen: &'a Chosen<'_>,
    mask: &Mask,
    domain: &Domain,
) -> Option<&'a str> {
    if let Mask::Json(_) = mask {
        return table.rule.and_then(|r| r.subject.as_deref()).filter(|s| *s != chosen.column.name);
    }
    if !follows_person(mask) || chosen.random() {
        return None;
    }
    if let Some(own) = own_subject(chosen) {
        return Some(own);
    }
    if let Some(named) = table.rule.and_then(|r| r.subject.as_deref()) {
        return (named != chosen.column.name && (!domain.shared || matches!(mask, Mask::DateShift(_))))
            .then_some(named);
    }
    let names = table.columns.iter().filter(|c| c.mask().is_some_and(is_name)).count();
    if domain.shared || names < 2 || matches!(mask, Mask::DateShift(_)) {
        return None;
    }
    let primary = table.table.keys.iter().find(|k| k.kind == KeyKind::Primary)?;
    let [column] = primary.columns.as_slice() else { return None };
    // A key that the source replaces by a constant, or that is left out, says nothing about a person.
    let readable = match &table.chosen(column)?.choice {
        Choice::Keep => true,
        Choice::Mask(mask) => {
            mask.leaf().is_some_and(|leaf| !matches!(leaf, Leaf::Null(_) | Leaf::Constant(_)))
        }
        Choice::Generated | Choice::Open => false,
    };
    (readable && column != &chosen.column.name).then_some(column.as_str())
}

/// The kept column that holds the person's gender.
fn gender<'a>(table: &'a TableCase<'_>, mask: &'a Mask) -> Option<&'a str> {
    let (Mask::FirstName(options) | Mask::FullName(options)) = mask else { return None };
    if let Some(named) = &options.gender {
        return Some(named);
    }
    let known = ["gender", "sex", "性別"];
    let found = table.columns.iter().find(|c| known.contains(&c.column.name.to_lowercase().as_str()));
    found.filter(|c| c.choice == Choice::Keep && !c.column.ty.is_array()).map(|c| c.column.name.as_str())
}

/// Whether what masks read from their row is there.
fn context(table: &TableCase<'_>, decided: &[ColumnDecision], problems: &mut Vec<Problem>) {
    let raw = |name: &str| {
        let found = decided.iter().find(|c| c.column.name == name);
        match found.map(|c| &c.decision) {
            None => Err("the table has no such column"),
            Some(Decision::Keep | Decision::Engine(_)) => Ok(()),
            Some(Decision::Sql(_)) => {
                Err("it is replaced before it leaves the source; choose another mask for it")
            }
            Some(Decision::Generated | Decision::Default) => {
                Err("it is not copied, so its value is not there")
            }
        }
    };
    if let Some(rule) = table.rule.filter(|r| r.subject.as_deref().is_some_and(|s| table.chosen(s).is_none()))
    {
        let why = format!(
            "the subject `{}` is no column of the table",
            rule.subject.as_deref().unwrap_or_default()
        );
        problems.push(Problem::error(Code::RowContext, why).at(&table.table.name));
    }
    for column in decided {
        let Decision::Engine(engine) = &column.decision else { continue };
        let mut bad = |why: String| problems.push(table.error(Code::RowContext, &column.column.name, why));
        for condition in &engine.when {
            let test = raw(&condition.column).map_err(str::to_owned).and_then(|()| {
                let at = decided.iter().find(|c| c.column.name == condition.column);
                at.map_or(Ok(()), |c| Test::new(condition, &c.column, 0, Wire::Text).map(|_| ()))
            });
            if let Err(why) = test {
                bad(format!("`when` reads `{}`: {why}", condition.column));
            }
        }
        let subject = engine.subject.as_ref().map(|s| ("subject", s.column.as_str()));
        for (what, name) in subject.into_iter().chain(engine.gender.as_deref().map(|g| ("gender", g))) {
            if let Err(why) = raw(name) {
                bad(format!("the {what} `{name}`: {why}"));
            }
        }
        if let Some(name) =
            engine.gender.as_deref().filter(|g| table.chosen(g).is_some_and(|c| c.choice != Choice::Keep))
        {
            bad(format!(
                "the gender `{name}` is masked, so a name that fits it would give it away; keep it, or drop `gender`"
            ));
        }
        if let Mask::DateShift(crate::policy::DateShift { subject: Some(name), .. }) = &engine.mask
            && engine.subject.is_none()
        {
            bad(format!("the subject `{name}` is no column of the table"));
        }
        template(table, decided, &engine.mask).into_iter().for_each(&mut bad);
    }
}

/// What a template reads in vain.
fn template(table: &TableCase<'_>, decided: &[ColumnDecision], mask: &Mask) -> Vec<String> {
    let Mask::Template(options) = mask else { return Vec::new() };
    let pieces = match parse(&options.text) {
        Ok(pieces) => pieces,
        Err(why) => return vec![why],
    };
    let wrong = |piece: &Piece| {
        let Piece::Column(name) = piece else { return None };
        let nested =
            table.chosen(name).and_then(Chosen::mask).is_some_and(|m| matches!(m, Mask::Template(_)));
        let found = decided.iter().find(|c| &c.column.name == name);
        match found.map(|c| c.decision.is_copied()) {
            None => Some(format!("the template reads `{name}`, which is no column of the table")),
            Some(false) => Some(format!("the template reads `{name}`, which is not copied")),
            Some(true) if nested => Some(format!("the template reads `{name}`, which is a template itself")),
            Some(true) => None,
        }
    };
    pieces.iter().filter_map(wrong).collect()
}

/// Whether the subset's rows can be chosen.
pub(super) fn subset(case: &Case<'_>, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for rule in &case.policy.subset {
        let mut bad = |why: String| problems.push(Problem::error(Code::Subset, why).at(&rule.name));
        if !seen.insert(&rule.name) {
            bad("the subset names this table twice; join the conditions".to_owned());
        }
        if rule.percent.is_some_and(|p| !(p > 0.0 && p <= 100.0)) {
            bad("`percent` is above 0 and up to 100".to_owned());
        }
        if rule.percent.is_none() && rule.conditions.is_empty() {
            bad("the subset chooses nothing; give `where` or `percent`".to_owned());
        }
        let Some(table) = case.schema.table(&rule.name) else {
            bad("the database has no such table".to_owned());
            continue;
        };
        for condition in &rule.conditions {
            let test = match table.column(&condition.column) {
                None => Err(format!("the table has no column `{}`", condition.column)),
                Some(column) => Test::new(condition, column, 0, Wire::Text).map(|_| ()),
            };
            if let Err(why) = test {
                bad(why);
            }
        }
    }
}
