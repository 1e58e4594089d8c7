//! JSON paths as a policy writes them: `$.customer.name`, `$.items[*].price`, `$.by_day.*`, `$."odd key"`.

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    AnyKey,
    Items,
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
