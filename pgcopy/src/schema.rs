//! The schema's text: taken from `pg_dump -s`, cut into statements by a lexer that knows SQL's quotes (an object's
//! name or a function's body cannot fake a boundary), sorted into phases, and searched before it is applied.

mod classify;
mod dump;
mod foreign;
mod lexer;
mod scan;

pub use classify::{Kind, Lock, Phase, Statement, classify};
pub use dump::{Dump, PgDump};
pub use lexer::{Token, literals, split, tokens};
pub use scan::{scan, scan_shapes};

use crate::catalog::LeftOut;

/// A schema, sorted.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Before the data, in the dump's order.
    pub before: Vec<Statement>,
    /// After the data.
    pub after: Vec<Statement>,
    /// What was left out, by kind and name.
    pub left_out: Vec<LeftOut>,
}

/// Whether a dump holds rows: the lines of a COPY, or INSERTs, at the beginning of a line as pg_dump writes them.
pub fn holds_rows(text: &str) -> bool {
    text.lines().any(|line| {
        line.starts_with("INSERT INTO ")
            || (line.starts_with("COPY ") && line.trim_end().ends_with("FROM stdin;"))
    })
}

impl Schema {
    /// A dump without rows leaves materialised views empty: adds the statements that fill those in `populated`
    /// (schema and name), in the dump's order, in which each comes after what it reads.
    pub fn refresh(&mut self, populated: &[(String, String)]) {
        let views: Vec<Statement> = self
            .before
            .iter()
            .filter(|statement| tokens(&statement.sql).get(1).is_some_and(|token| token.is("MATERIALIZED")))
            .filter_map(|statement| {
                populated.iter().find(|(s, v)| statement.subject == Some(format!("{s}.{v}")))
            })
            .map(|(schema, view)| {
                classify(&format!("REFRESH MATERIALIZED VIEW {}", crate::sql::qualified(schema, view)))
            })
            .collect();
        self.after.splice(0..0, views);
    }

    /// Sorts the text of a plain dump.
    pub fn parse(text: &str) -> Self {
        let mut schema = Self::default();
        for statement in split(text) {
            let statement = classify(&statement);
            match statement.phase {
                Phase::Before => schema.before.push(statement),
                Phase::After => schema.after.push(statement),
                Phase::Drop => {}
                Phase::LeftOut => {
                    let name = statement.subject.clone().unwrap_or_default();
                    schema.left_out.push(LeftOut { kind: statement.kind.title().to_owned(), name });
                }
            }
        }
        schema
    }
}
