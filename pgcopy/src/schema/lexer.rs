//! Just enough of SQL's lexical structure to find where statements end.

/// One token of a statement; comments and white space are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A word, not folded.
    Word(&'a str),
    /// A quoted identifier, unquoted.
    Quoted(String),
    /// A string literal's content, unescaped.
    Text(String),
    /// Any other character.
    Symbol(char),
}

impl Token<'_> {
    /// Whether this is the keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name, if this can be one.
    pub fn name(&self) -> Option<String> {
        match self {
            Token::Word(word) => Some(word.to_lowercase()),
            Token::Quoted(name) => Some(name.clone()),
            _ => None,
        }
    }
}

/// The byte length of the lexical element at the start of `rest`.
fn element(rest: &str, previous_is_word: bool) -> usize {
    let bytes = rest.as_bytes();
    match bytes.first().copied() {
        Some(b'\'') => quoted(rest, 0, b'\'', false),
        Some(b'"') => quoted(rest, 0, b'"', false),
        Some(b'E' | b'e') if !previous_is_word && bytes.get(1) == Some(&b'\'') => {
            quoted(rest, 1, b'\'', true)
        }
        Some(b'-') if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        Some(b'/') if rest.starts_with("/*") => block_comment(rest),
        Some(b'$') if !previous_is_word => dollar(rest).unwrap_or(1),
        Some(first) if is_word(first) => bytes.iter().take_while(|b| is_word(**b)).count(),
        Some(_) => rest.chars().next().map_or(1, char::len_utf8),
        None => 0,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn quoted(rest: &str, start: usize, quote: u8, escapes: bool) -> usize {
    let bytes = rest.as_bytes();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        if escapes && *byte == b'\\' {
            at += 2;
        } else if *byte == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = rest.get(at..at + 2).unwrap_or_default();
        match here {
            "/*" => {
                depth += 1;
                at += 2;
            }
            "*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// `$tag$ … $tag$`; `None` if this dollar opens no quote.
fn dollar(rest: &str) -> Option<usize> {
    let close = rest.get(1..)?.find('$')? + 1;
    let tag = rest.get(1..close)?;
    let valid = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80)
        && !tag.starts_with(|c: char| c.is_ascii_digit());
    let delimiter = rest.get(..=close).filter(|_| valid)?;
    let body = rest.get(close + 1..)?;
    Some(body.find(delimiter).map_or(rest.len(), |at| close + 1 + at + delimiter.len()))
}

/// Elements of `text` with their byte ranges.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    let mut word = false;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let length = element(rest, word).max(1);
        let piece = rest.get(..length).unwrap_or(rest);
        at += piece.len();
        word = piece.bytes().last().is_some_and(is_word) && !piece.starts_with('$');
        Some(piece)
    })
}

/// Cuts a plain dump into statements. `BEGIN ATOMIC … END` bodies stay whole; psql's backslash lines are dropped.
pub fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut bodies = 0_usize;
    let mut previous = String::new();
    let mut skip_line = false;
    for piece in elements(text) {
        if skip_line {
            skip_line = !piece.contains('\n');
            continue;
        }
        if current.is_empty() && (piece.starts_with("--") || piece.trim().is_empty()) {
            continue;
        }
        if current.is_empty() && piece == "\\" {
            skip_line = true;
            continue;
        }
        if piece == ";" && bodies == 0 {
            statements.push(std::mem::take(&mut current));
            continue;
        }
        let word = piece.to_ascii_uppercase();
        match word.as_str() {
            "ATOMIC" if previous == "BEGIN" => bodies += 1,
            "CASE" if bodies > 0 => bodies += 1,
            "END" if bodies > 0 => bodies -= 1,
            _ => {}
        }
        if !piece.trim().is_empty() {
            previous = word;
        }
        current.push_str(piece);
    }
    if !current.trim().is_empty() {
        statements.push(current);
    }
    statements
}

/// The tokens of a statement.
pub fn tokens(statement: &str) -> Vec<Token<'_>> {
    elements(statement)
        .filter(|piece| !piece.trim().is_empty() && !piece.starts_with("--") && !piece.starts_with("/*"))
        .map(|piece| match piece.as_bytes().first() {
            Some(b'"') => Token::Quoted(piece.trim_matches('"').replace("\"\"", "\"")),
            Some(b'\'') => Token::Text(inner(piece).replace("''", "'")),
            Some(b'E' | b'e') if piece.as_bytes().get(1) == Some(&b'\'') => {
                Token::Text(inner(&piece[1..]).replace("''", "'").replace("\\\\", "\\").replace("\\'", "'"))
            }
            Some(b'$') if piece.len() > 1 => {
                let tag = piece[1..].find('$').map_or(0, |at| at + 2);
                Token::Text(piece.get(tag..piece.len().saturating_sub(tag)).unwrap_or_default().to_owned())
            }
            Some(first) if is_word(*first) => Token::Word(piece),
            _ => Token::Symbol(piece.chars().next().unwrap_or(' ')),
        })
        .collect()
}

fn inner(piece: &str) -> &str {
    piece.strip_prefix('\'').and_then(|p| p.strip_suffix('\'')).unwrap_or(piece)
}

/// Every text that a statement carries as data: literals, and function bodies in dollar quotes.
pub fn literals(statement: &str) -> Vec<String> {
    tokens(statement)
        .into_iter()
        .filter_map(|token| match token {
            Token::Text(text) => Some(text),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_fakes_a_boundary_stays_one_statement() {
        let text = "--\n-- Name: f\n--\n\nCREATE FUNCTION f() AS $_$ ;\n--\n-- Name: x; Type: TABLE\nDROP TABLE y; $_$;\n\
            COMMENT ON TABLE t IS 'a;b''c;';\nSELECT E'\\';' /* ; */ ;";
        let parts = split(text);
        assert_eq!(parts.len(), 3, "{parts:?}");
        assert!(parts[0].starts_with("CREATE FUNCTION") && parts[0].ends_with("$_$"));
    }

    #[test]
    fn an_sql_body_with_begin_atomic_stays_whole() {
        let text = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END;\nSELECT 1;";
        assert_eq!(split(text).len(), 2);
    }

    #[test]
    fn psql_commands_are_dropped() {
        assert_eq!(split("\\restrict abc\n\nSET a = 1;\n\\unrestrict abc\n"), ["SET a = 1"]);
    }

    #[test]
    fn names_and_literals_are_unquoted() {
        let found = tokens("COMMENT ON TABLE \"a\"\"b\".c IS 'it''s' || $x$body$x$");
        assert!(found.contains(&Token::Quoted("a\"b".into())));
        assert_eq!(literals("SELECT 'it''s', $x$body$x$, E'a\\'b'"), ["it's", "body", "a'b"]);
    }
}
