//! The one place that knows YAML. Booleans are `true` and `false` alone, a key may stand once, and a number never
//! changes silently: `010` stays text.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error};

use crate::limits::Limits;
use crate::node::Node;
use crate::problem::{Place, Problem};

/// One document's text and the line of the file on which it begins, from 1.
pub(crate) struct Chunk<'a> {
    pub line: usize,
    pub text: &'a str,
}

impl Chunk<'_> {
    /// The file's line of the first word that is no comment.
    pub fn first_line(&self) -> usize {
        self.line + self.text.lines().position(says_something).unwrap_or_default()
    }
}

/// Splits a file at its document marks. A `---` or `...` at the beginning of a line is a mark wherever it stands: YAML
/// forbids it inside of scalars. Documents of comments and blank lines alone are left out.
pub(crate) fn documents(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_mark(line, "---") || is_mark(line, "...") {
            chunks.push(Chunk { line: start_line, text: &text[start..at] });
            // What follows `---` on its line belongs to the document; `...` ends one and carries nothing.
            start = if is_mark(line, "...") { at + line.len() } else { at + 3 };
            start_line = if is_mark(line, "...") { index + 2 } else { index + 1 };
        }
        at += line.len();
    }
    chunks.push(Chunk { line: start_line, text: &text[start..] });
    chunks.retain(|chunk| chunk.text.lines().any(says_something));
    chunks
}

fn is_mark(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn says_something(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['#', '%'])
}

/// Parses one document, of which `left` values may be. The line in the error is the file's.
pub(crate) fn parse(path: &str, chunk: &Chunk<'_>, limits: &Limits, left: usize) -> Result<Node, Problem> {
    serde_saphyr::from_str_with_options::<Node>(chunk.text, options(limits, left)).map_err(|error| {
        let line = error.location().map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        let place = Place::new(path, chunk.line + line.saturating_sub(1));
        Problem::new(place, message(&error, limits))
    })
}

fn options(limits: &Limits, nodes: usize) -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_depth: limits.depth,
        max_nodes: nodes,
        max_events: nodes.saturating_mul(2).saturating_add(16),
        max_aliases: 1_000,
        max_anchors: 1_000,
        max_documents: 1,
        max_merge_keys: 1_000,
        max_reader_input_bytes: usize::try_from(limits.file_bytes).ok(),
        max_total_scalar_bytes: usize::try_from(limits.file_bytes).unwrap_or(usize::MAX),
        enforce_alias_anchor_ratio: false,
    };
    serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: nodes,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        legacy_octal_numbers: false,
        leading_zero_numbers_as_strings: true,
        // A snippet would print the values around the mistake, and they may be secret.
        with_snippet: false,
    }
}

fn message(error: &Error, limits: &Limits) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => message(error, limits),
        Error::Budget { breach, .. } => budget_message(breach, limits),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => format!(
            "aliases (*name) expand to more than the {} values that one file may have; write the parts out, or split the file",
            limits.nodes
        ),
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("the key {key:?} stands twice in one map; remove one of them"),
            None => "a key stands twice in one map; remove one of them".to_owned(),
        },
        Error::InvalidUtf8Input => "the file is not UTF-8; save it as UTF-8".to_owned(),
        Error::UnknownAnchor { .. } => {
            "an alias (*name) names an anchor (&name) that does not stand before it in this document; anchors do not reach beyond '---'".to_owned()
        }
        other => format!(
            "this is not YAML: {}; mend it, or list the file in .keelwayignore if it is not meant for the cluster",
            first_line(&other.render())
        ),
    }
}

fn budget_message(breach: &BudgetBreach, limits: &Limits) -> String {
    match breach {
        BudgetBreach::Depth { .. } => {
            format!("values are nested deeper than the {} levels that are read; flatten them", limits.depth)
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
            "the document has more than 1000 anchors, aliases or merge keys; write the parts out".to_owned()
        }
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => format!(
            "the file has more than the {} values that are read, aliases expanded; split it, or write aliases out",
            limits.nodes
        ),
        _ => format!(
            "the document is larger than what is read (at most {} bytes); split it",
            limits.file_bytes
        ),
    }
}

/// The parser's own words, without the location that we say ourselves.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn json(text: &str) -> Result<Value, String> {
        let chunks = documents(text);
        assert_eq!(chunks.len(), 1, "one document");
        parse("a.yaml", &chunks[0], &Limits::default(), Limits::default().nodes)
            .map(Node::into_json)
            .map_err(|p| p.to_string())
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        let value = json("on: yes\noff: no\ny: n\nflag: true\nother: False\nquoted: \"yes\"\n").unwrap();
        let wanted = json!({
            "on": "yes", "off": "no", "y": "n", "flag": true, "other": false, "quoted": "yes"
        });
        assert_eq!(value, wanted);
    }

    #[test]
    fn a_number_with_a_leading_zero_stays_text() {
        let value = json("a: 010\nb: 0o10\nc: 10\nd: 1.0\ne: \"010\"\nf: 0x1f\n").unwrap();
        assert_eq!(value, json!({"a": "010", "b": 8, "c": 10, "d": 1.0, "e": "010", "f": 31}));
    }

    #[test]
    fn times_and_versions_stay_text() {
        let value = json("at: 2020-01-01\nversion: 1.2.3\nnothing: ~\nempty:\n").unwrap();
        assert_eq!(value, json!({"at": "2020-01-01", "version": "1.2.3", "nothing": null, "empty": null}));
    }

    #[test]
    fn a_key_may_stand_once() {
        let error = json("a: 1\nb:\n  c: 1\n  c: 2\n").unwrap_err();
        assert!(error.starts_with("a.yaml:4: the key \"c\" stands twice"), "{error}");
        assert!(json("{a: 1, a: 1}").is_err());
    }

    #[test]
    fn an_alias_bomb_is_refused_by_its_size() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let refs = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
        }
        let error = json(&bomb).unwrap_err();
        assert!(error.starts_with("a.yaml:") && error.contains("100000 values"), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused_without_a_stack_overflow() {
        for open in ["[", "{a: ", "- "] {
            let error = json(&open.repeat(50_000)).unwrap_err();
            assert!(error.starts_with("a.yaml:"), "{error}");
        }
    }

    #[test]
    fn merge_keys_and_anchors_work_within_a_document() {
        let value = json("base: &base {a: 1}\nmore: {<<: *base, b: 2}\n").unwrap();
        assert_eq!(value["more"], json!({"a": 1, "b": 2}));
    }

    #[test]
    fn documents_are_split_at_marks_alone() {
        let text = "# only a comment\n---\na: |\n  ---\n  text\n--- \nb: 1\n...\n# end\n--- {c: 1}\n---\n";
        let chunks = documents(text);
        let lines: Vec<_> = chunks.iter().map(|chunk| chunk.line).collect();
        assert_eq!(lines, [2, 6, 10]);
        let limits = Limits::default();
        let values: Vec<_> = chunks
            .iter()
            .map(|chunk| parse("a", chunk, &limits, limits.nodes).map(Node::into_json).unwrap())
            .collect();
        assert_eq!(values, [json!({"a": "---\ntext\n"}), json!({"b": 1}), json!({"c": 1})]);
    }

    #[test]
    fn a_mistake_in_the_second_document_names_its_line_in_the_file() {
        let text = "a: 1\n---\nb: 1\nc: [1\nd: 2\n";
        let chunks = documents(text);
        let error = parse("x.yaml", &chunks[1], &Limits::default(), Limits::default().nodes).unwrap_err();
        assert!((4..=6).contains(&error.place.line), "{error}");
    }

    #[test]
    fn an_error_shows_no_value_of_the_file() {
        let error = json("password: hunter2\nother: \"hunter2\n").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
