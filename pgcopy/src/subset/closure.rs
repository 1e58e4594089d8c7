//! The query behind one table's part of a subset.

use std::fmt::Write as _;

use std::collections::{BTreeMap, HashMap};

use super::{Edge, Share};
use crate::catalog::{Catalog, Oid, Table};
use crate::error::{Error, Result};
use crate::sql::ident;

/// A condition on `t` that holds for the rows of `table` (a leaf or a plain table) within the closure.
///
/// Two recursive sets: `d` holds the rows that a descent reaches, `a` holds `d`, every row of a whole table that can
/// lead to this one, and everything that these need.
pub(super) fn filter(
    catalog: &Catalog,
    table: &Table,
    edges: &[Edge],
    roots: &BTreeMap<Oid, String>,
    shares: &HashMap<Oid, Share>,
) -> Result<String> {
    let root = catalog.root(table).oid;
    let ascents = useful(edges, root);
    let share = |oid: &Oid| shares.get(oid).copied().unwrap_or(Share::Whole);
    let descents: Vec<&Edge> = edges
        .iter()
        .filter(|edge| share(&edge.child) == Share::Descent && share(&edge.parent) == Share::Descent)
        .collect();
    let seeds = roots.values().cloned().collect::<Vec<_>>().join(" UNION ");
    let down = steps(catalog, &descents, "d", true)?;
    let mut text = format!("WITH RECURSIVE d(t, c) AS (({seeds}){down})");
    let up = steps(catalog, &ascents, "a", false)?;
    let mut begin = vec!["SELECT t, c FROM d".to_owned()];
    for oid in whole(&ascents, &share) {
        let whole = known(catalog, oid)?;
        begin.push(format!("SELECT w.tableoid, w.ctid FROM {} w", whole.sql()));
    }
    let _ = write!(text, ", a(t, c) AS (({}){up})", begin.join(" UNION "));
    Ok(format!("t.ctid IN ({text} SELECT a.c FROM a WHERE a.t = {}::oid)", table.oid))
}

/// Edges that an ascent towards `root` can take.
fn useful(edges: &[Edge], root: Oid) -> Vec<&Edge> {
    let mut reached = vec![root];
    let mut useful: Vec<&Edge> = Vec::new();
    let mut at = 0;
    while let Some(parent) = reached.get(at).copied() {
        at += 1;
        for edge in edges.iter().filter(|edge| edge.parent == parent) {
            useful.push(edge);
            if !reached.contains(&edge.child) {
                reached.push(edge.child);
            }
        }
    }
    useful
}

/// Whole tables whose rows need others on the way.
fn whole(ascents: &[&Edge], share: &dyn Fn(&Oid) -> Share) -> Vec<Oid> {
    let mut whole: Vec<Oid> =
        ascents.iter().map(|edge| edge.child).filter(|child| share(child) == Share::Whole).collect();
    whole.sort_unstable();
    whole.dedup();
    whole
}

/// The recursive term: one branch per edge, from the row at hand to its neighbours.
fn steps(catalog: &Catalog, edges: &[&Edge], set: &str, down: bool) -> Result<String> {
    if edges.is_empty() {
        return Ok(String::new());
    }
    let mut branches = Vec::new();
    for edge in edges {
        let (child, parent) = (known(catalog, edge.child)?, known(catalog, edge.parent)?);
        let on: Vec<String> = edge
            .columns
            .iter()
            .zip(&edge.parent_columns)
            .map(|(c, p)| format!("ch.{} = pa.{}", ident(c), ident(p)))
            .collect();
        let (from, to, here) = if down { ("pa", "ch", parent) } else { ("ch", "pa", child) };
        let tables = format!("{} ch, {} pa", child.sql(), parent.sql());
        branches.push(format!(
            "SELECT {to}.tableoid, {to}.ctid FROM {tables} WHERE {set}.t = {from}.tableoid AND {set}.c = {from}.ctid \
             AND {set}.t IN ({}) AND {}",
            oids(catalog, here),
            on.join(" AND ")
        ));
    }
    Ok(format!(" UNION SELECT x.t, x.c FROM {set}, LATERAL ({}) x(t, c)", branches.join(" UNION ALL ")))
}

/// The table itself, or its leaves: what `tableoid` can be.
fn oids(catalog: &Catalog, table: &Table) -> String {
    let list: Vec<String> = catalog
        .tables
        .iter()
        .filter(|other| catalog.root(other).oid == table.oid && !other.partitioned)
        .map(|other| other.oid.to_string())
        .collect();
    if list.is_empty() { "0".to_owned() } else { list.join(", ") }
}

fn known(catalog: &Catalog, oid: Oid) -> Result<&Table> {
    catalog
        .table(oid)
        .ok_or_else(|| Error::Usage("the catalog changed while the subset was planned".to_owned()))
}
