//! What else would carry data out: copies of masked columns, frequencies, partition bounds, the schema's own texts.

use std::collections::BTreeSet;

use super::{Case, Choice, Chosen, TableCase, inline, nature, paste, shapes};
use crate::policy::{Doubt, Leaf, Mask, Nothing};
use crate::problem::{Code, Problem};
use crate::suggest;
use crate::types::{Family, TypeKind};

/// Fewer distinct values than this can be told apart by how often they occur.
const FEW: f64 = 50.0;

pub(super) fn check(case: &Case<'_>, problems: &mut Vec<Problem>) {
    for table in case.tables.iter().filter(|t| !t.truncate) {
        partition(case, table, problems);
        for chosen in &table.columns {
            match &chosen.choice {
                Choice::Keep => kept(table, chosen, problems),
                Choice::Mask(mask) => frequency(table, chosen, mask, problems),
                Choice::Generated | Choice::Open => {}
            }
        }
    }
    texts(case, problems);
}

/// Texts of the schema that hold personal data, each once.
fn texts(case: &Case<'_>, problems: &mut Vec<Problem>) {
    let mut all: BTreeSet<(String, &str)> = BTreeSet::new();
    for table in &case.schema.tables {
        let name = &table.name;
        all.extend(
            table.expressions.iter().map(|e| (format!("{} of {name}", e.name), e.expression.as_str())),
        );
        all.extend(
            table.checks.iter().map(|c| (format!("constraint {} of {name}", c.name), c.expression.as_str())),
        );
        for column in &table.columns {
            all.extend(column.default.as_deref().map(|d| (format!("default of {name}.{}", column.name), d)));
            if let TypeKind::Enum { labels } = &column.ty.element().kind {
                all.extend(labels.iter().map(|l| (format!("enum label of {}", column.ty.name), l.as_str())));
            }
        }
    }
    // What the caller names goes before our names for the same text.
    let named: BTreeSet<&str> = case.schema.texts.iter().map(|t| t.text.as_str()).collect();
    let ours =
        all.iter().filter(|(_, text)| !named.contains(text)).map(|(object, text)| (object.as_str(), *text));
    for (object, text) in case.schema.texts.iter().map(|t| (t.object.as_str(), t.text.as_str())).chain(ours) {
        let accepted = case.policy.schema_texts.iter().any(|t| t.name == object);
        if let Some(shape) = shapes::within(text).filter(|_| !accepted) {
            let why =
                format!("the {object} holds {}, which the schema would carry out; change it", shape.noun());
            let line =
                format!("schemaTexts:\n  - name: \"{}\"", object.replace('\\', "\\\\").replace('"', "\\\""));
            problems.push(Problem::error(Code::SchemaText, format!("{why}, or accept it")).paste(line));
        }
    }
}

/// A masked partition key would send rows to other partitions: of the table itself, or, by a rule of a partition's own, of
/// one above it.
fn partition(case: &Case<'_>, table: &TableCase<'_>, problems: &mut Vec<Problem>) {
    let (mut above, mut depth) = (Some(table), 0);
    while let Some(parent) = above {
        for name in &parent.table.partition_key {
            let masks = |table: &TableCase<'_>| table.chosen(name).and_then(Chosen::mask).map(Mask::name);
            let Some(mask) = masks(table) else { continue };
            // A rule that partitions follow is told once, where it stands.
            if depth > 0 && masks(parent).is_some() {
                continue;
            }
            let by = if depth == 0 { "the table".to_owned() } else { parent.table.name.to_string() };
            let why = format!(
                "{by} is partitioned by this column, so `{mask}` would move rows out of their partitions' bounds"
            );
            problems.push(table.error(Code::Partition, name, why).paste(paste(name, "keep: true")));
        }
        depth += 1;
        // The bound keeps a wrong description from hanging us.
        above = parent.table.parent.as_ref().filter(|_| depth < 64).and_then(|name| case.table(name));
    }
}

/// A kept column that holds, or may hold, what is masked elsewhere.
fn kept(table: &TableCase<'_>, chosen: &Chosen<'_>, problems: &mut Vec<Problem>) {
    if chosen.accepts(Doubt::Copy) {
        return;
    }
    let name = &chosen.column.name;
    let masked_text = table
        .columns
        .iter()
        .find(|c| c.mask().is_some() && matches!(c.column.ty.family(), Family::Text | Family::Json));
    if let (TypeKind::Tsvector, Some(source)) = (&chosen.column.ty.base().kind, masked_text) {
        let why = format!(
            "a tsvector holds the words of other columns, `{}` is masked, and triggers do not run during the copy; \
             mask it, or add `accept: [copy]` if it holds nothing of masked columns",
            source.column.name
        );
        problems.push(
            table.error(Code::Copy, name, why).paste(paste(name, &inline(&Leaf::Null(Nothing {}).into()))),
        );
        return;
    }
    let source = table.columns.iter().find(|c| {
        let other = c.column.name.to_lowercase();
        c.mask().is_some()
            && other.len() >= 4
            && chosen.column.ty.family() == Family::Text
            && name.to_lowercase().contains(&other)
    });
    let guess = suggest::by_name(&table.table.name, chosen.column);
    let why = match (source, guess.mask) {
        (Some(source), _) => {
            format!("it is kept and looks like a copy of `{}`, which is masked", source.column.name)
        }
        (None, Some(_)) if guess.sure => format!("it is kept and looks personal: {}", guess.because),
        _ => return,
    };
    let why = format!("{why}; mask it, or add `accept: [copy]`");
    problems
        .push(Problem { severity: crate::problem::Severity::Warning, ..table.error(Code::Copy, name, why) });
}

/// A mask that follows the value keeps how often each occurs.
fn frequency(table: &TableCase<'_>, chosen: &Chosen<'_>, mask: &Mask, problems: &mut Vec<Problem>) {
    let column = chosen.column;
    let follows = mask.leaf().is_some_and(|leaf| {
        !matches!(
            leaf,
            Leaf::Null(_) | Leaf::Constant(_) | Leaf::Password(_) | Leaf::Partial(_) | Leaf::Generalize(_)
        )
    });
    let rows = table.table.rows.unwrap_or(0.0);
    let known = column.n_distinct.map(|n| if n < 0.0 { -n * rows } else { n }).filter(|n| *n > 0.0);
    let few = match column.ty.family() {
        Family::Bool | Family::Enum => true,
        _ => known.is_some_and(|n| n < FEW && rows > n * 2.0),
    };
    let in_key = table.table.foreign_keys.iter().any(|k| k.columns.contains(&column.name))
        || table.table.keys.iter().any(|k| k.columns == [column.name.clone()]);
    if follows && few && !in_key && !chosen.random() && !chosen.accepts(Doubt::Frequency) {
        let count = known.map_or_else(|| "few".to_owned(), |n| format!("about {n:.0}"));
        let why = format!(
            "the column has {count} distinct values, and `{}` makes equal ones from equal ones: how often each occurs \
             tells which is which; draw afresh, or add `accept: [frequency]`",
            mask.name()
        );
        let drawn = if nature::permutes_mask(mask) { nature::stand_in(&column.ty) } else { mask.clone() };
        let line = paste(&column.name, &format!("{}, random: true", inline(&drawn)));
        let problem = table.error(Code::Frequency, &column.name, why).paste(line);
        problems.push(Problem { severity: crate::problem::Severity::Warning, ..problem });
    }
}
