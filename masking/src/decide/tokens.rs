//! SQL expressions in tokens, casts left out.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// An identifier; the flag says quoted.
    Word(String, bool),
    Text(String),
    Number(f64),
    Symbol(String),
}

/// Splits a text and drops casts. `None` for what no expression holds.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let start = at;
        let run = |at: &mut usize, test: &dyn Fn(char) -> bool| {
            while chars.get(*at).copied().is_some_and(test) {
                *at += 1;
            }
        };
        match c {
            _ if c.is_whitespace() => at += 1,
            '\'' | '"' => {
                let (body, end) = quoted(&chars, at)?;
                tokens.push(if c == '"' { Token::Word(body, true) } else { Token::Text(body) });
                at = end;
            }
            '0'..='9' => {
                run(&mut at, &|c| c.is_ascii_digit() || c == '.');
                tokens.push(Token::Number(chars[start..at].iter().collect::<String>().parse().ok()?));
            }
            _ if c.is_alphabetic() || c == '_' => {
                run(&mut at, &|c| c.is_alphanumeric() || c == '_' || c == '$');
                tokens.push(Token::Word(chars[start..at].iter().collect(), false));
            }
            ':' if chars.get(at + 1) == Some(&':') => at = cast(&chars, at + 2)?,
            '(' | ')' | '[' | ']' | ',' | '.' => {
                at += 1;
                tokens.push(Token::Symbol(c.to_string()));
            }
            _ => {
                run(&mut at, &|c| "<>=!~*+-/%|&^@#".contains(c));
                if at == start {
                    return None;
                }
                tokens.push(Token::Symbol(chars[start..at].iter().collect()));
            }
        }
    }
    Some(tokens)
}

/// A quoted text and where it ends.
fn quoted(chars: &[char], start: usize) -> Option<(String, usize)> {
    let quote = chars[start];
    let mut body = String::new();
    let mut at = start + 1;
    loop {
        match *chars.get(at)? {
            c if c == quote && chars.get(at + 1) == Some(&quote) => {
                body.push(quote);
                at += 2;
            }
            c if c == quote => return Some((body, at + 1)),
            c => {
                body.push(c);
                at += 1;
            }
        }
    }
}

/// Where the type's name behind `::` ends: words, quoted ones too, a length, brackets.
fn cast(chars: &[char], mut at: usize) -> Option<usize> {
    const MORE: [&str; 7] = ["varying", "precision", "without", "with", "time", "zone", "bit"];
    let word = |mut at: usize| {
        let start = at;
        while chars.get(at).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            at += 1;
        }
        (chars[start..at].iter().collect::<String>(), at)
    };
    if chars.get(at) == Some(&'"') {
        at = quoted(chars, at)?.1;
    } else {
        at = word(at).1;
    }
    loop {
        match chars.get(at) {
            Some('(') if chars.get(at + 1).is_some_and(char::is_ascii_digit) => {
                at += chars[at..].iter().position(|c| *c == ')')? + 1;
            }
            Some('[') => at += chars[at..].iter().position(|c| *c == ']')? + 1,
            Some(' ') if MORE.contains(&word(at + 1).0.as_str()) => at = word(at + 1).1,
            _ => return Some(at),
        }
    }
}
