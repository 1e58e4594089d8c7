//! JSON paths as a policy writes them: `$.customer.name`, `$.items[*].price`, `$.by_day.*`, `$."odd key"`.

use std::collections::BTreeMap;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    AnyKey,
    Items,
}

/// A place in the tree of paths, with the rule that stands there.
#[derive(Clone, Debug)]
pub(crate) struct Node<R> {
    pub(crate) keys: BTreeMap<String, usize>,
    /// `.*`: keys that are not named beside it.
    pub(crate) any: Option<usize>,
    /// `[*]`.
    pub(crate) items: Option<usize>,
    pub(crate) rule: Option<R>,
    pub(crate) mask_keys: bool,
}

impl<R> Default for Node<R> {
    fn default() -> Self {
        Self { keys: BTreeMap::new(), any: None, items: None, rule: None, mask_keys: false }
    }
}

/// The number of a path's node, made where it is new. Node 0 is the root and there from the start.
///
/// # Errors
/// What is wrong with the path.
pub(crate) fn place<R>(nodes: &mut Vec<Node<R>>, path: &str) -> Result<usize, String> {
    let mut at = 0;
    for step in parse(path)? {
        let new = nodes.len();
        let node = &mut nodes[at];
        at = match step {
            Step::Key(key) => *node.keys.entry(key).or_insert(new),
            Step::AnyKey => *node.any.get_or_insert(new),
            Step::Items => *node.items.get_or_insert(new),
        };
        if at == new {
            nodes.push(Node::default());
        }
    }
    Ok(at)
}

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let bad = |why: &str| {
        format!("`{path}` is no path: {why}; write `$.a.b`, `$.items[*].c`, `$.*` or `$.\"odd key\"`")
    };
    let mut rest = path.strip_prefix('$').ok_or_else(|| bad("it does not start with `$`"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::Items);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(".*") {
            steps.push(Step::AnyKey);
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix(".\"") {
            let end = quoted.find('"').ok_or_else(|| bad("a quote is not closed"))?;
            steps.push(Step::Key(quoted[..end].to_owned()));
            rest = &quoted[end + 1..];
        } else if let Some(key) = rest.strip_prefix('.') {
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 {
                return Err(bad("a key is empty"));
            }
            steps.push(Step::Key(key[..end].to_owned()));
            rest = &key[end..];
        } else {
            return Err(bad("only `[*]` may stand in brackets"));
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_they_look() {
        let key = |k: &str| Step::Key(k.to_owned());
        assert_eq!(parse("$"), Ok(vec![]));
        assert_eq!(parse("$.a[*].\"b.c\".*"), Ok(vec![key("a"), Step::Items, key("b.c"), Step::AnyKey]));
        for bad in ["a", "$a", "$..a", "$[0]", "$.\"a", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
