//! How a foreign key is best validated. Its statement and the indexes of the copy in, the join that suits them out.

use std::collections::HashSet;

use crate::conn::Session;
use crate::error::{Context as _, Result};
use crate::schema::{Statement, Token, tokens};

/// Leading columns of indexes by table, where the visibility map says that the index alone suffices.
#[derive(Debug, Default)]
pub(super) struct Indexed(HashSet<(String, Vec<String>)>);

/// Every index of plain columns whose table was loaded frozen. What ANALYZE has not seen counts no pages.
const INDEXES: &str = "SELECT n.nspname || '.' || c.relname, ARRAY(SELECT a.attname::text FROM \
    unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place) JOIN pg_attribute a \
    ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam \
    WHERE m.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL AND c.oid >= 16384 \
    AND c.relallvisible >= c.relpages * 0.9";

impl Indexed {
    /// What the copy has by now.
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let rows = session.client.query(INDEXES, &[]).await.context("listing the copy's indexes")?;
        let mut found = HashSet::new();
        for row in &rows {
            let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
            for count in 1..=columns.len() {
                found.insert((table.clone(), columns[..count].to_vec()));
            }
        }
        Ok(Self(found))
    }

    /// Whether both sides of a foreign key can be read in the key's order from indexes alone: then merging them takes a
    /// fraction of what a hash table of the larger tables does, and the planner knows too little of new tables to see it.
    pub(super) fn ordered(&self, statement: &Statement) -> bool {
        let Some((columns, referenced)) = columns(&statement.sql) else { return false };
        let [from, to @ ..] = statement.tables.as_slice() else { return false };
        let has = |table: &String, columns: Vec<String>| self.0.contains(&(table.clone(), columns));
        has(from, columns) && has(to.first().unwrap_or(from), referenced)
    }
}

/// The columns of a foreign key and those that it refers to, as pg_dump writes them.
fn columns(sql: &str) -> Option<(Vec<String>, Vec<String>)> {
    let tokens = tokens(sql);
    let list = |keyword: &str| {
        let at = tokens.iter().position(|token| token.is(keyword))?;
        let open = at + tokens.get(at..)?.iter().position(|token| *token == Token::Symbol('('))?;
        let names = tokens.get(open + 1..)?.iter().take_while(|token| **token != Token::Symbol(')'));
        Some(names.filter_map(Token::name).collect::<Vec<_>>())
    };
    Some((list("FOREIGN")?, list("REFERENCES")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::classify;

    fn indexed(list: &[(&str, &[&str])]) -> Indexed {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Indexed(list.iter().map(|(table, columns)| ((*table).to_owned(), names(columns))).collect())
    }

    #[test]
    fn keys_are_merged_where_both_sides_have_an_index() {
        let sql = r#"ALTER TABLE ONLY "public"."line" ADD CONSTRAINT "line_x_fkey" FOREIGN KEY ("a b", "c")
            REFERENCES "public"."orders"("id", "part") ON DELETE CASCADE"#;
        assert_eq!(
            columns(sql),
            Some((vec!["a b".to_owned(), "c".to_owned()], vec!["id".to_owned(), "part".to_owned()]))
        );
        let statement = classify(sql);
        let key: (&str, &[&str]) = ("public.orders", &["id", "part"]);
        assert!(indexed(&[key, ("public.line", &["a b", "c"])]).ordered(&statement));
        assert!(!indexed(&[key, ("public.line", &["c", "a b"])]).ordered(&statement));
        assert!(!indexed(&[("public.line", &["a b", "c"])]).ordered(&statement));
    }
}
