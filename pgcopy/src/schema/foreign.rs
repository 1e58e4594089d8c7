//! What depends on foreign tables, which a copy does not bring: views are left out with all that belongs to them, anything
//! else is refused before a row moves. Left in, its statement would fail in the midst of the copy.

use std::collections::HashSet;

use super::{Kind, Schema, Statement, Token, tokens};
use crate::catalog::LeftOut;
use crate::error::Finding;

impl Schema {
    /// Leaves out the views among `foreign`, and returns what cannot be left out without changing what is left.
    pub fn without_foreign(&mut self, foreign: &[LeftOut]) -> Vec<Finding> {
        let of = |views: bool| {
            let wanted = move |found: &&LeftOut| {
                views == matches!(found.kind.as_str(), "foreign table" | "view" | "materialized view")
            };
            foreign.iter().filter(wanted)
        };
        let gone: HashSet<&str> = of(true).map(|found| found.name.as_str()).collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let (before, after) = (&mut self.before, &mut self.after);
        for statements in [&mut *before, &mut *after] {
            statements.retain(|statement| !belongs(statement, &gone));
        }
        self.left_out.extend(of(true).filter(|found| found.kind != "foreign table").cloned());
        let mut found = Vec::new();
        for other in of(false).filter(|other| self.before.iter().any(|s| makes(s, other))) {
            found.push(refused(&other.kind, &other.name));
        }
        for statement in &self.before {
            let attaches = tokens(&statement.sql).iter().any(|token| token.is("ATTACH"));
            if attaches && mentions(statement, &gone) {
                found.push(refused("partitioned table", statement.subject.as_deref().unwrap_or_default()));
            }
        }
        found
    }
}

fn refused(kind: &str, name: &str) -> Finding {
    Finding {
        rule: "foreign-table".to_owned(),
        subject: format!("{kind} {name}"),
        message: "it depends on a foreign table, which a copy does not bring; change it, or give a dump without it by \
            --schema-file"
            .to_owned(),
        warning: false,
    }
}

/// Whether a statement makes what depends on a foreign table: of functions, the one with these arguments.
fn makes(statement: &Statement, other: &LeftOut) -> bool {
    if other.kind != "function" {
        return statement.subject.as_ref() == Some(&other.name);
    }
    let (made, wanted) = (tokens(&statement.sql), tokens(&other.name));
    // pg_dump and the server may quote different words.
    let same = |(a, b): (&Token<'_>, &Token<'_>)| a == b || a.name().is_some_and(|a| Some(a) == b.name());
    // CREATE OR REPLACE FUNCTION goes before the name.
    made.windows(wanted.len()).take(5).any(|made| made.iter().zip(&wanted).all(same))
}

/// Whether a statement makes one of these relations or something on it.
fn belongs(statement: &Statement, gone: &HashSet<&str>) -> bool {
    if matches!(statement.kind, Kind::Trigger | Kind::Comment | Kind::Refresh) {
        return mentions(statement, gone);
    }
    // Functions may bear the name of a relation.
    let function = tokens(&statement.sql)
        .iter()
        .take(4)
        .any(|token| ["FUNCTION", "PROCEDURE", "AGGREGATE"].iter().any(|keyword| token.is(keyword)));
    let named = statement.subject.iter().chain(&statement.tables).any(|name| gone.contains(name.as_str()));
    named && !function
}

fn mentions(statement: &Statement, gone: &HashSet<&str>) -> bool {
    tokens(&statement.sql).windows(3).any(|three| match three {
        [schema, Token::Symbol('.'), name] => schema
            .name()
            .zip(name.name())
            .is_some_and(|(schema, name)| gone.contains(format!("{schema}.{name}").as_str())),
        _ => false,
    })
}
