//! The least rights of a role that copies: SELECT on the columns that the policy lets out or masks in the engine, on
//! `ctid`, on sequences, and nothing else. A column that comes later is then refused by the database itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use masking::{Decision, Decisions, SqlMask};

use crate::catalog::{Catalog, ConstraintKind, Table};
use crate::sql::ident;

/// The statements, in order, each with its semicolon.
pub fn grants(
    catalog: &Catalog,
    decisions: &Decisions,
    subset: &[masking::SubsetRule],
    role: &str,
    bypass: bool,
) -> String {
    let role = ident(role);
    let mut out = String::new();
    if bypass {
        let _ = writeln!(out, "ALTER ROLE {role} BYPASSRLS;");
    }
    let mut schemas: BTreeSet<&str> = catalog.tables.iter().map(|table| table.schema.as_str()).collect();
    schemas.extend(catalog.sequences.iter().map(|sequence| sequence.schema.as_str()));
    for schema in schemas {
        let _ = writeln!(out, "GRANT USAGE ON SCHEMA {} TO {role};", ident(schema));
    }
    for table in &catalog.tables {
        let Some(decision) = decisions.table(&table.masking_name()) else { continue };
        if decision.truncate {
            continue;
        }
        let mut columns: BTreeSet<&str> = BTreeSet::from(["ctid"]);
        if table.partitioned || !subset.is_empty() {
            // A subset walks along foreign keys and tells partitions apart.
            columns.insert("tableoid");
        }
        let read = decision.copied().filter(|column| {
            matches!(
                &column.decision,
                Decision::Keep | Decision::Engine(_) | Decision::Sql(SqlMask::Shuffle { .. })
            )
        });
        columns.extend(read.map(|column| column.column.name.as_str()));
        if !subset.is_empty() {
            columns.extend(walked(catalog, table, subset));
        }
        let list: Vec<String> = columns.iter().map(|column| ident(column)).collect();
        let _ = writeln!(out, "GRANT SELECT ({}) ON {} TO {role};", list.join(", "), table.sql());
    }
    for sequence in &catalog.sequences {
        let name = crate::sql::qualified(&sequence.schema, &sequence.name);
        let _ = writeln!(out, "GRANT SELECT ON SEQUENCE {name} TO {role};");
    }
    out
}

/// Columns that a subset compares or joins.
fn walked<'a>(catalog: &'a Catalog, table: &'a Table, subset: &'a [masking::SubsetRule]) -> Vec<&'a str> {
    let own = table.constraints.iter().filter(|c| c.kind == ConstraintKind::Foreign).flat_map(|c| &c.columns);
    let referenced = catalog
        .tables
        .iter()
        .flat_map(|other| &other.constraints)
        .filter(|c| c.target == Some(table.oid))
        .flat_map(|c| &c.target_columns);
    let conditions = subset
        .iter()
        .filter(|rule| rule.name == catalog.root(table).masking_name())
        .flat_map(|rule| rule.conditions.iter().map(|condition| &condition.column));
    own.chain(referenced).chain(conditions).map(String::as_str).collect()
}
