//! Which rule decides each column.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Choice, Chosen, TableCase, inline, paste, pattern};
use crate::policy::{ColumnRule, Mask, Policy, TableRule, nearest};
use crate::problem::{Code, Problem};
use crate::schema::{Column, Schema, Table};
use crate::suggest;

/// Finds what decides each column; says what nothing decides.
pub(super) fn choose<'a>(policy: &'a Policy, schema: &'a Schema, problems: &mut Vec<Problem>) -> Case<'a> {
    names(policy, schema, problems);
    let mut used = BTreeSet::new();
    let mut tables = Vec::new();
    let mut index = BTreeMap::new();
    for table in &schema.tables {
        let rule = rule_of(policy, schema, table);
        let truncate = rule.is_some_and(|r| r.truncate);
        let columns = table
            .columns
            .iter()
            .map(|column| choose_column(policy, table, column, rule, truncate, &mut used));
        let case = TableCase { table, truncate, rule, columns: columns.collect() };
        index.insert(&table.name, tables.len());
        tables.push(case);
    }
    for pattern in policy.patterns.iter().filter(|p| !used.contains(p.name.as_str())) {
        let why = format!("pattern `{}` decides no column; mend or drop it", pattern.name);
        problems.push(Problem::warning(Code::UnusedPattern, why));
    }
    let case = Case { policy, schema, tables, index };
    undecided(&case, problems);
    case
}

/// The rule for a table: its own, or that of the table that it is a partition or child of.
fn rule_of<'a>(policy: &'a Policy, schema: &'a Schema, table: &'a Table) -> Option<&'a TableRule> {
    let mut at = table;
    // Inheritance has no cycles; the bound keeps a wrong description from hanging us.
    for _ in 0..64 {
        if let Some(rule) = policy.table(&at.name) {
            return Some(rule);
        }
        at = schema.table(at.parent.as_ref()?)?;
    }
    None
}

fn choose_column<'a>(
    policy: &'a Policy,
    table: &Table,
    column: &'a Column,
    rule: Option<&'a TableRule>,
    truncate: bool,
    used: &mut BTreeSet<&'a str>,
) -> Chosen<'a> {
    let own = rule.and_then(|r| r.columns.iter().find(|c| c.name == column.name));
    let choice = match own {
        _ if column.generated.is_some() => Choice::Generated,
        _ if truncate => Choice::Keep,
        Some(ColumnRule { keep: true, mask: None, .. }) => Choice::Keep,
        Some(ColumnRule { keep: false, mask: Some(mask), .. }) => Choice::Mask(mask.clone()),
        Some(_) => Choice::Open,
        None => match policy.patterns.iter().find(|p| pattern::applies(p, table, column)) {
            Some(found) => {
                used.insert(&found.name);
                Choice::Mask(found.mask.clone())
            }
            None => Choice::Open,
        },
    };
    Chosen { column, choice, rule: own }
}

/// One problem per column that nothing decides, with a suggestion.
fn undecided(case: &Case<'_>, problems: &mut Vec<Problem>) {
    for table in &case.tables {
        let open = table.columns.iter().filter(|c| c.choice == Choice::Open && c.rule.is_none());
        for chosen in open {
            let name = &chosen.column.name;
            // A foreign key goes with what it refers to.
            let referred = table.table.foreign_keys.iter().find_map(|key| {
                let at = key.columns.iter().position(|c| c == name)?;
                let target = case.table(&key.target)?.chosen(key.target_columns.get(at)?)?;
                Some((target, &key.target))
            });
            let (line, because) = match referred {
                Some((target, to)) if target.choice == Choice::Keep => {
                    (paste(name, "keep: true"), format!("it refers to {to}, which is kept"))
                }
                Some((Chosen { choice: Choice::Mask(mask), .. }, to)) => {
                    (paste(name, &inline(mask)), format!("it refers to {to}, which is masked so"))
                }
                _ => {
                    let found = suggest::by_name(&table.table.name, chosen.column);
                    (found.line(name), found.because)
                }
            };
            let why = format!("nothing decides this column, so the copy stops (suggested: {because})");
            let mut problem = table.error(Code::Undecided, name, why).paste(line);
            if table.rule.is_none() {
                let line = problem.paste.take().unwrap_or_default();
                problem = problem.paste(format!("- name: {}\n  columns:\n    {line}", table.table.name));
            }
            problems.push(problem);
        }
    }
}

/// Rules that say nothing, too much, or speak of what does not exist.
fn names(policy: &Policy, schema: &Schema, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for rule in &policy.tables {
        if !seen.insert(&rule.name) {
            problems.push(
                Problem::error(Code::Duplicate, "the policy has two rules for this table; join them")
                    .at(&rule.name),
            );
        }
        let Some(table) = schema.table(&rule.name) else {
            let all: Vec<String> = schema.tables.iter().map(|t| t.name.to_string()).collect();
            let near = nearest(&rule.name.to_string(), all.iter().map(String::as_str));
            let hint =
                near.map_or_else(|| "drop the rule".to_owned(), |near| format!("did you mean {near}?"));
            problems.push(
                Problem::error(Code::Missing, format!("the database has no such table; {hint}"))
                    .at(&rule.name),
            );
            continue;
        };
        columns(rule, table, problems);
    }
    let mut patterns = BTreeSet::new();
    for pattern in &policy.patterns {
        if !patterns.insert(&pattern.name) {
            problems
                .push(Problem::error(Code::Duplicate, format!("two patterns are named `{}`", pattern.name)));
        }
        if let Mask::Json(_) | Mask::Composite(_) | Mask::Template(_) | Mask::Shuffle(_) = pattern.mask {
            let why = format!(
                "pattern `{}`: the mask `{}` needs a rule for its very column",
                pattern.name,
                pattern.mask.name()
            );
            problems.push(Problem::error(Code::BadRule, why));
        }
    }
}

fn columns(rule: &TableRule, table: &Table, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for column in &rule.columns {
        let mut error =
            |code, why: String| problems.push(Problem::error(code, why).column(&rule.name, &column.name));
        if !seen.insert(&column.name) {
            error(Code::Duplicate, "the policy has two rules for this column; keep one".to_owned());
        }
        let Some(found) = table.column(&column.name) else {
            let near = nearest(&column.name, table.columns.iter().map(|c| c.name.as_str()));
            let hint =
                near.map_or_else(|| "drop the rule".to_owned(), |near| format!("did you mean `{near}`?"));
            error(Code::Missing, format!("the table has no such column; {hint}"));
            continue;
        };
        if found.generated.is_some() {
            if column.mask.is_some() {
                error(
                    Code::Generated,
                    "the column is generated and follows what it is made from; drop the rule".to_owned(),
                );
            }
            continue;
        }
        match (column.keep, &column.mask) {
            (true, Some(_)) => {
                error(Code::BadRule, "the rule says both `keep` and `mask`; choose one".to_owned());
            }
            (false, None) => {
                error(Code::BadRule, "the rule decides nothing; say `keep: true` or a `mask`".to_owned());
            }
            (true, None) if column.random || !column.when.is_empty() || column.otherwise.is_some() => {
                error(
                    Code::BadRule,
                    "`random`, `when` and `otherwise` belong to a mask, not to `keep`".to_owned(),
                );
            }
            _ if column.when.is_empty() != column.otherwise.is_none() => {
                let why = "`when` needs `otherwise: keep` or `otherwise: nullify`, and the other way round";
                error(Code::BadRule, why.to_owned());
            }
            _ => {}
        }
    }
}
