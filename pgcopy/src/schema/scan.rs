//! Searches the schema's text for values of the data before anything is applied.

use crate::error::Finding;

use super::{Statement, literals};

/// Statements whose literals hold one of `values`. The finding names the object, never the value.
pub fn scan<'a>(statements: impl Iterator<Item = &'a Statement>, values: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for statement in statements {
        let texts = literals(&statement.sql);
        let hit = |value: &&String| texts.iter().any(|text| text.contains(value.as_str()));
        if values.iter().any(|value| hit(&value)) {
            let subject =
                statement.subject.clone().or_else(|| statement.tables.first().cloned()).unwrap_or_default();
            found.push(Finding {
                rule: "schema-value".to_owned(),
                subject: format!("{} {subject}", statement.kind.title()),
                message: "its text holds a value of a masked column, which would go along with the schema; \
                    change the object, or keep the column"
                    .to_owned(),
                warning: false,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::schema::Schema;

    #[test]
    fn a_default_that_quotes_a_row_is_found_and_not_repeated() {
        let schema =
            Schema::parse("CREATE TABLE t (a text DEFAULT 'carol@corp.example');\nCREATE TABLE u (b int);");
        let found = super::scan(schema.before.iter(), &["carol@corp.example".to_owned()]);
        assert_eq!(found.len(), 1);
        assert!(!found[0].to_string().contains("carol"));
    }
}
