//! Just enough of SQL's expressions to judge common CHECK constraints as Postgres prints them. What is not understood
//! is unknown, never guessed.

use super::tokens::{Token, tokens};

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
