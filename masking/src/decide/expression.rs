//! Just enough of SQL's expressions to judge common CHECK constraints as Postgres prints them. What is not understood
//! is unknown, never guessed.

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Operand, Operator, Operand),
    OneOf(Operand, Vec<Operand>),
    /// The operand matches a regular expression; the flag says regardless of case.
    Matches(Operand, String, bool),
    Like(Operand, String, bool),
    IsNull(Operand),
    Unknown,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Column(String),
    /// `char_length(column)` and its like.
    Length(String),
    Number(f64),
    Text(String),
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// An identifier; the flag says quoted.
    Word(String, bool),
    Text(String),
    Number(f64),
    Symbol(String),
}

/// Reads `CHECK ((age > 0))` or the expression alone.
pub(crate) fn parse(text: &str) -> Expression {
    let text = text.trim();
    let text = text.strip_prefix("CHECK").map_or(text, str::trim);
    let text = text.strip_suffix("NOT VALID").map_or(text, str::trim);
    let text = text.strip_suffix("NO INHERIT").map_or(text, str::trim);
    let Some(tokens) = tokens(text) else { return Expression::Unknown };
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let found = parser.any();
    if parser.at == parser.tokens.len() { found } else { Expression::Unknown }
}

/// Splits a text and drops casts. `None` for what no expression holds.
fn tokens(text: &str) -> Option<Vec<Token>> {
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

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn word(&mut self, wanted: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.at), Some(Token::Word(w, false)) if w.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Symbol(s)) if s == wanted);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> Expression {
        let mut parts = vec![self.all()];
        while self.word("OR") {
            parts.push(self.all());
        }
        if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) }
    }

    fn all(&mut self) -> Expression {
        let mut parts = vec![self.one()];
        while self.word("AND") {
            parts.push(self.one());
        }
        if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) }
    }

    fn one(&mut self) -> Expression {
        if self.word("NOT") {
            return Expression::Not(Box::new(self.one()));
        }
        // A parenthesis holds a condition or an operand: the first is tried, then the other.
        let start = self.at;
        if self.depth < 40 && self.symbol("(") {
            self.depth += 1;
            let inner = self.any();
            self.depth -= 1;
            let closed = self.symbol(")");
            if closed && inner != Expression::Unknown && self.at_end_of_condition() {
                return inner;
            }
            self.at = start;
        }
        self.comparison()
    }

    fn at_end_of_condition(&self) -> bool {
        match self.tokens.get(self.at) {
            None => true,
            Some(Token::Symbol(s)) => s == ")",
            Some(Token::Word(w, false)) => w.eq_ignore_ascii_case("AND") || w.eq_ignore_ascii_case("OR"),
            Some(_) => false,
        }
    }

    fn comparison(&mut self) -> Expression {
        let left = self.operand();
        if self.word("IS") {
            let not = self.word("NOT");
            if !self.word("NULL") {
                return Expression::Unknown;
            }
            let null = Expression::IsNull(left);
            return if not { Expression::Not(Box::new(null)) } else { null };
        }
        let Some(Token::Symbol(operator)) = self.tokens.get(self.at).cloned() else {
            return Expression::Unknown;
        };
        self.at += 1;
        if operator == "=" && self.word("ANY") {
            return self.list().map_or(Expression::Unknown, |list| Expression::OneOf(left, list));
        }
        let right = self.operand();
        let compare = |operator| Expression::Compare(left.clone(), operator, right.clone());
        match (operator.as_str(), &right) {
            ("<", _) => compare(Operator::Less),
            ("<=", _) => compare(Operator::LessOrEqual),
            ("=", _) => compare(Operator::Equal),
            ("<>" | "!=", _) => compare(Operator::NotEqual),
            (">=", _) => compare(Operator::GreaterOrEqual),
            (">", _) => compare(Operator::Greater),
            ("~" | "~*", Operand::Text(pattern)) => {
                Expression::Matches(left, pattern.clone(), operator == "~*")
            }
            ("!~" | "!~*", Operand::Text(pattern)) => {
                Expression::Not(Box::new(Expression::Matches(left, pattern.clone(), operator == "!~*")))
            }
            ("~~" | "~~*", Operand::Text(pattern)) => {
                Expression::Like(left, pattern.clone(), operator == "~~*")
            }
            ("!~~" | "!~~*", Operand::Text(pattern)) => {
                Expression::Not(Box::new(Expression::Like(left, pattern.clone(), operator == "!~~*")))
            }
            _ => Expression::Unknown,
        }
    }

    /// `(ARRAY['a', 'b'])`, in any number of parentheses.
    fn list(&mut self) -> Option<Vec<Operand>> {
        if self.symbol("(") {
            let list = self.list()?;
            return self.symbol(")").then_some(list);
        }
        if !self.word("ARRAY") || !self.symbol("[") {
            return None;
        }
        let mut list = Vec::new();
        while !self.symbol("]") {
            list.push(self.operand());
            if !self.symbol(",") && self.tokens.get(self.at) != Some(&Token::Symbol("]".into())) {
                return None;
            }
        }
        Some(list)
    }

    fn operand(&mut self) -> Operand {
        const LENGTHS: [&str; 3] = ["char_length", "length", "character_length"];
        // Nothing of a trimmed or lower-cased text changes what the checks here look at, but its case.
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Number(n)) => Operand::Number(n),
            Some(Token::Text(text)) => Operand::Text(text),
            Some(Token::Symbol(s)) if s == "-" => match self.operand() {
                Operand::Number(n) => Operand::Number(-n),
                _ => Operand::Unknown,
            },
            Some(Token::Symbol(s)) if s == "(" && self.depth < 40 => {
                self.depth += 1;
                let inner = self.operand();
                self.depth -= 1;
                if self.symbol(")") { inner } else { Operand::Unknown }
            }
            Some(Token::Word(name, is_quoted)) => {
                if !self.symbol("(") {
                    return Operand::Column(name);
                }
                let argument = self.operand();
                if !self.symbol(")") || is_quoted {
                    return Operand::Unknown;
                }
                match argument {
                    Operand::Column(column) if LENGTHS.contains(&name.as_str()) => Operand::Length(column),
                    _ => Operand::Unknown,
                }
            }
            _ => Operand::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constraints_read_as_postgres_prints_them() {
        let column = |c: &str| Operand::Column(c.into());
        let text = |t: &str| Operand::Text(t.into());
        assert_eq!(
            parse("CHECK ((age > 0))"),
            Expression::Compare(column("age"), Operator::Greater, Operand::Number(0.0))
        );
        assert_eq!(
            parse(
                "CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))"
            ),
            Expression::OneOf(column("status"), vec![text("a"), text("b")])
        );
        assert_eq!(
            parse("CHECK (((email)::text ~* '^.+@.+$'::text) AND (char_length((email)::text) <= 100))"),
            Expression::All(vec![
                Expression::Matches(column("email"), "^.+@.+$".into(), true),
                Expression::Compare(
                    Operand::Length("email".into()),
                    Operator::LessOrEqual,
                    Operand::Number(100.0)
                ),
            ])
        );
        assert_eq!(
            parse("((born >= '1900-01-01'::date) OR (NOT (born IS NOT NULL)))"),
            Expression::Any(vec![
                Expression::Compare(column("born"), Operator::GreaterOrEqual, text("1900-01-01")),
                Expression::Not(Box::new(Expression::Not(Box::new(Expression::IsNull(column("born")))))),
            ])
        );
        assert_eq!(parse("((a + b) > 0)"), Expression::Unknown);
        assert_eq!(parse("my_check(a)"), Expression::Unknown);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[-a-zA-Z0-9 ()\\[\\]'\":<>=~,.]{0,60}") {
            let _ = parse(&text);
        }
    }
}
