//! Texts put together from a row's masked columns.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Column(String),
}

/// Reads a template: `{column}` is a column, `{{` and `}}` are braces.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                text.push(c);
            }
            '{' => {
                let mut column = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => column.push(c),
                        None => {
                            return Err(
                                "the template opens `{` and never closes it; a brace itself is `{{`".into()
                            );
                        }
                    }
                }
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Column(column));
            }
            '}' => return Err("the template closes `}` without opening it; a brace itself is `}}`".into()),
            other => text.push(other),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_name_columns_unless_doubled() {
        let (text, column) = (|t: &str| Piece::Text(t.into()), |c: &str| Piece::Column(c.into()));
        assert_eq!(
            parse("{{{a}}} <{b}>"),
            Ok(vec![text("{"), column("a"), text("} <"), column("b"), text(">")])
        );
        assert!(parse("{a").is_err() && parse("a}").is_err());
    }
}
