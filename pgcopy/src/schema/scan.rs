//! Searches the schema's text for values of the data before anything is applied.

use std::collections::HashSet;

use masking::AcceptedText;

use crate::error::Finding;

use super::{Statement, literals};

/// Statements whose literals hold one of `values`. The finding names the object, never the value.
pub fn scan<'a>(statements: impl Iterator<Item = &'a Statement>, values: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for statement in statements {
        let texts = literals(&statement.sql);
        let hit = |value: &&String| texts.iter().any(|text| text.contains(value.as_str()));
        if values.iter().any(|value| hit(&value)) {
            found.push(Finding {
                rule: "schema-value".to_owned(),
                subject: title(statement),
                message: "its text holds a value of a masked column, which would go along with the schema; \
                    change the object, or keep the column"
                    .to_owned(),
                warning: false,
            });
        }
    }
    found
}

/// Statements whose literals look like personal data, whatever object they make: the catalog's texts were judged before,
/// but a dump may hold an object that those do not list, and one from a file need not be of this database.
/// `texts` are the catalog's (object, text); what the policy accepts there is accepted here.
pub fn scan_shapes<'a>(
    statements: impl Iterator<Item = &'a Statement>,
    texts: &[(String, String)],
    accepted: &[AcceptedText],
) -> Vec<Finding> {
    let named = |name: &str| accepted.iter().any(|text| text.name == name);
    let known: HashSet<&str> = (texts.iter().filter(|(object, _)| named(object)))
        .flat_map(|(_, text)| masking::personal_words(text).map(|(_, word)| word))
        .collect();
    let mut found = Vec::new();
    for statement in statements {
        let (title, texts) = (title(statement), literals(&statement.sql));
        let mut words = texts.iter().flat_map(|text| masking::personal_words(text));
        if let Some((shape, _)) = words.find(|(_, word)| !known.contains(word)).filter(|_| !named(&title)) {
            let line = serde_json::Value::from(title.as_str());
            found.push(Finding {
                rule: "schema-text".to_owned(),
                message: format!(
                    "its text holds {}, which the schema would carry out; change it, or accept it\n    \
                     schemaTexts:\n      - name: {line}",
                    shape.noun()
                ),
                subject: title,
                warning: false,
            });
        }
    }
    found
}

/// What a statement makes, for people and for the policy's `schemaTexts`.
fn title(statement: &Statement) -> String {
    let subject = statement.subject.clone().or_else(|| statement.tables.first().cloned());
    format!("{} {}", statement.kind.title(), subject.unwrap_or_default())
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

    #[test]
    fn personal_data_in_any_statement_is_found_and_what_the_policy_accepts_is_not() {
        let schema = Schema::parse(
            "CREATE DOMAIN public.d AS text DEFAULT 'boss@acme.co.jp'::text;\nCOMMENT ON TABLE t IS 'ask it@acme.co.jp';",
        );
        let texts = [("comment on table t".to_owned(), "ask it@acme.co.jp".to_owned())];
        let accept = |names: &[&str]| {
            let names = names.iter().map(|name| masking::AcceptedText { name: (*name).to_owned() });
            let names: Vec<_> = names.collect();
            super::scan_shapes(schema.before.iter().chain(&schema.after), &texts, &names)
        };
        let all = accept(&[]);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(
            !all[0].to_string().contains("boss@") && all[0].to_string().contains("\"definition public.d\""),
            "{all:?}"
        );
        assert_eq!(accept(&["comment on table t"]).len(), 1);
        assert_eq!(accept(&["comment on table t", "definition public.d"]), []);
    }
}
