//! A part of the database that is whole: chosen root rows, everything that belongs to them, everything that they need.
//!
//! Rows of a chosen table that satisfy its conditions are taken. From a taken row we *descend* to the rows that refer to
//! it, and so on; from every taken row we *ascend* to the rows that it refers to, and never descend from those. Tables
//! that no descent reaches are taken whole, unless a descent's ascent reaches them: then only what is needed.
//! The sets of rows live in the source's query (`tableoid`, `ctid`), so our memory does not grow and cycles end.

mod closure;
mod conditions;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use masking::SubsetRule;

use crate::catalog::{Catalog, ConstraintKind, Oid, Table};
use crate::error::{Error, Result};

/// One foreign key between two tables that the closure walks along. Partitions are walked through their roots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    child: Oid,
    columns: Vec<String>,
    parent: Oid,
    parent_columns: Vec<String>,
}

/// How much of a table is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All rows.
    Whole,
    /// Chosen rows and what belongs to them.
    Descent,
    /// Only what others need.
    Needed,
}

/// The WHERE condition of every table that is not taken whole, by the table's id; empty without a subset.
///
/// # Errors
/// [`Error::Usage`] if a rule names a table that does not exist or compares a column that it does not have.
pub fn filters(catalog: &Catalog, rules: &[SubsetRule]) -> Result<HashMap<Oid, String>> {
    if rules.is_empty() {
        return Ok(HashMap::new());
    }
    let edges = edges(catalog);
    let roots = roots(catalog, rules)?;
    let shares = shares(catalog, &edges, &roots);
    let mut filters = HashMap::new();
    for table in catalog.with_rows() {
        let root = catalog.root(table);
        if shares.get(&root.oid) != Some(&Share::Whole) {
            filters.insert(table.oid, closure::filter(catalog, table, &edges, &roots, &shares)?);
        }
    }
    Ok(filters)
}

/// The chosen tables with the SQL that chooses their rows.
fn roots(catalog: &Catalog, rules: &[SubsetRule]) -> Result<BTreeMap<Oid, String>> {
    let mut roots = BTreeMap::new();
    for rule in rules {
        let table = catalog.find(&rule.name.schema, &rule.name.table).ok_or_else(|| {
            Error::Usage(format!(
                "subset: there is no table {}; correct the name or drop the rule",
                rule.name
            ))
        })?;
        let root = catalog.root(table);
        if root.oid != table.oid {
            return Err(Error::Usage(format!(
                "subset: {} is a partition; choose from {}",
                rule.name,
                root.title()
            )));
        }
        roots.insert(table.oid, conditions::choice(table, rule)?);
    }
    Ok(roots)
}

/// Foreign keys between roots of partition trees, without duplicates.
fn edges(catalog: &Catalog) -> Vec<Edge> {
    let mut edges = BTreeSet::new();
    for table in &catalog.tables {
        for key in table.constraints.iter().filter(|c| c.kind == ConstraintKind::Foreign && !c.inherited) {
            let Some(target) = key.target.and_then(|oid| catalog.table(oid)) else { continue };
            edges.insert(Edge {
                child: catalog.root(table).oid,
                columns: key.columns.clone(),
                parent: catalog.root(target).oid,
                parent_columns: key.target_columns.clone(),
            });
        }
    }
    edges.into_iter().collect()
}

fn shares(catalog: &Catalog, edges: &[Edge], roots: &BTreeMap<Oid, String>) -> HashMap<Oid, Share> {
    let mut shares: HashMap<Oid, Share> =
        catalog.tables.iter().filter(|t| !t.partition).map(|t| (t.oid, Share::Whole)).collect();
    let mut reach = |from: Vec<Oid>, share: Share, down: bool| {
        let mut open = from;
        while let Some(at) = open.pop() {
            for edge in edges {
                let (here, there) = if down { (edge.parent, edge.child) } else { (edge.child, edge.parent) };
                if here == at && shares.get(&there) == Some(&Share::Whole) {
                    shares.insert(there, share);
                    open.push(there);
                }
            }
        }
        shares.clone()
    };
    for root in roots.keys() {
        reach(vec![*root], Share::Descent, true);
    }
    let mut descended: Vec<Oid> = reach(Vec::new(), Share::Descent, true)
        .into_iter()
        .filter(|(_, share)| *share == Share::Descent)
        .map(|(oid, _)| oid)
        .collect();
    descended.extend(roots.keys());
    descended.sort_unstable();
    let mut shares = reach(descended, Share::Needed, false);
    for root in roots.keys() {
        shares.insert(*root, Share::Descent);
    }
    shares
}

/// How much of a table is taken.
///
/// # Errors
/// As [`filters`].
pub fn share(catalog: &Catalog, rules: &[SubsetRule], table: &Table) -> Result<Share> {
    let roots = roots(catalog, rules)?;
    let shares = shares(catalog, &edges(catalog), &roots);
    Ok(shares.get(&catalog.root(table).oid).copied().unwrap_or(Share::Whole))
}
