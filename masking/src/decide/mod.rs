//! Policy + schema → decisions, or every problem at once. Fails closed.
//!
//! In this order: which rule decides each column ([`rules`]), which columns share a domain ([`domains`]), whether each
//! mask fits its column ([`fit`]), its keys ([`keys`]), its CHECKs ([`checks`]) and its row ([`row`]), and what else
//! would carry data out ([`copies`]).

mod checks;
mod copies;
mod domains;
mod expression;
mod fit;
mod keys;
mod nature;
pub(crate) mod pattern;
mod row;
mod rules;
pub(crate) mod shapes;
mod tokens;
mod verdict;

use std::collections::BTreeMap;

pub(crate) use nature::stand_in;

use crate::decisions::{ColumnDecision, Decision, Decisions, SqlMask, TableDecision};
use crate::name::TableName;
use crate::policy::{ColumnRule, Doubt, Leaf, Mask, Otherwise, Policy, TableRule};
use crate::problem::{Code, Problem, Severity};
use crate::schema::{Column, Schema, Table};

/// Words of a text of a schema that look like personal data: e-mail addresses, account, card and phone numbers.
pub fn personal_words(text: &str) -> impl Iterator<Item = (shapes::Shape, &str)> {
    shapes::words(text)
}

/// Domain of made-up e-mail addresses and URLs, reserved by RFC 2606.
const EMAIL_DOMAIN: &str = "example.com";

/// What decides a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    Keep,
    Generated,
    Mask(Mask),
    /// Nothing; a problem says so.
    Open,
}

/// A column and what decides it.
pub(crate) struct Chosen<'a> {
    pub(crate) column: &'a Column,
    pub(crate) choice: Choice,
    /// Its own rule, if it has one (patterns and generated columns have none).
    pub(crate) rule: Option<&'a ColumnRule>,
}

impl Chosen<'_> {
    pub(crate) fn mask(&self) -> Option<&Mask> {
        if let Choice::Mask(mask) = &self.choice { Some(mask) } else { None }
    }

    pub(crate) fn accepts(&self, doubt: Doubt) -> bool {
        self.rule.is_some_and(|rule| rule.accept.contains(&doubt))
    }

    pub(crate) fn random(&self) -> bool {
        self.rule.is_some_and(|rule| rule.random)
    }

    /// Only some rows are masked.
    pub(crate) fn conditional(&self) -> bool {
        self.rule.is_some_and(|rule| !rule.when.is_empty())
    }

    /// Rows that `when` leaves out keep their values.
    pub(crate) fn keeps_some(&self) -> bool {
        self.rule.is_some_and(|rule| rule.otherwise == Some(Otherwise::Keep))
    }

    /// Some value may become NULL.
    pub(crate) fn makes_null(&self) -> bool {
        matches!(self.choice, Choice::Mask(Mask::Null(_)))
            || self.rule.is_some_and(|rule| rule.otherwise == Some(Otherwise::Nullify))
    }
}

/// A table and what decides its columns.
pub(crate) struct TableCase<'a> {
    pub(crate) table: &'a Table,
    pub(crate) truncate: bool,
    pub(crate) rule: Option<&'a TableRule>,
    pub(crate) columns: Vec<Chosen<'a>>,
}

impl<'a> TableCase<'a> {
    pub(crate) fn chosen(&self, name: &str) -> Option<&Chosen<'a>> {
        self.columns.iter().find(|c| c.column.name == name)
    }

    /// A problem at a column of this table.
    pub(crate) fn error(&self, code: Code, column: &str, why: impl Into<String>) -> Problem {
        Problem::error(code, why).column(&self.table.name, column)
    }
}

/// Everything that is being decided.
pub(crate) struct Case<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) schema: &'a Schema,
    pub(crate) tables: Vec<TableCase<'a>>,
    pub(crate) index: BTreeMap<&'a TableName, usize>,
}

impl<'a> Case<'a> {
    pub(crate) fn table(&self, name: &TableName) -> Option<&TableCase<'a>> {
        self.index.get(name).and_then(|i| self.tables.get(*i))
    }
}

/// A rule to paste.
pub(crate) fn paste(column: &str, mask: &str) -> String {
    let plain = column.chars().all(|c| c.is_alphanumeric() || c == '_') && !column.is_empty();
    let name = if plain {
        column.to_owned()
    } else {
        format!("\"{}\"", column.replace('\\', "\\\\").replace('"', "\\\""))
    };
    format!("- {{name: {name}, {mask}}}")
}

/// A mask as YAML in one line.
pub(crate) fn inline(mask: &Mask) -> String {
    let json = serde_json::to_value(mask).unwrap_or_default();
    format!("mask: {}", flow(&json))
}

/// A value as flow YAML: JSON without quotes around keys.
fn flow(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Decides every column.
///
/// # Errors
/// All problems at once (warnings among them) when at least one is an error.
pub fn decide(policy: &Policy, schema: &Schema) -> Result<Decisions, Vec<Problem>> {
    let mut problems = Vec::new();
    let case = rules::choose(policy, schema, &mut problems);
    let domains = domains::Domains::new(&case, &mut problems);
    fit::check(&case, &mut problems);
    keys::check(&case, &domains, &mut problems);
    checks::check(&case, &mut problems);
    copies::check(&case, &mut problems);
    let mut tables = BTreeMap::new();
    for (at, table) in case.tables.iter().enumerate() {
        let columns = row::columns(&case, at, &domains, &mut problems);
        tables.insert(table.table.name.clone(), TableDecision { truncate: table.truncate, columns });
    }
    row::subset(&case, &mut problems);
    problems.sort_by(|a, b| (&a.table, &a.severity).cmp(&(&b.table, &b.severity)));
    if problems.iter().any(|p| p.severity == Severity::Error) {
        return Err(problems);
    }
    let email_domain = policy.email_domain.clone().unwrap_or_else(|| EMAIL_DOMAIN.to_owned());
    let (locale, key_version) = (policy.locale, policy.key_version);
    let decisions = Decisions { tables, warnings: problems, locale, key_version, email_domain };
    prove(&decisions)?;
    Ok(decisions)
}

/// Builds every masker once, so that an option that only shows then stops the copy before a row moves.
fn prove(decisions: &Decisions) -> Result<(), Vec<Problem>> {
    let key = crate::MasterKey::parse(&[b'0'; 64]).ok();
    let secrets = crate::Secrets { master: key, seed: [0; 32] };
    let mut problems = Vec::new();
    for (name, table) in decisions.tables.iter().filter(|(_, t)| !t.truncate) {
        let wire = if table.binary_safe() { crate::Wire::Binary } else { crate::Wire::Text };
        match crate::TableMasker::new(decisions, name, wire, &secrets) {
            Err(crate::MaskError::BadMask { table, column, why }) => {
                problems.push(Problem::error(Code::BadRule, why).column(&table, &column));
            }
            Err(other) => problems.push(Problem::error(Code::BadRule, other.to_string()).at(name)),
            Ok(_) => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The largest value that masked integers of a column reach, where they lie in the lower half of a width class.
fn sequence_floor(column: &ColumnDecision) -> Option<i64> {
    let Decision::Engine(engine) = &column.decision else { return None };
    let id = column.column.sequence && engine.mask.leaf().is_some_and(|leaf| matches!(leaf, Leaf::Id(_)));
    let width = match column.column.ty.base().kind {
        crate::TypeKind::Int2 => 14,
        crate::TypeKind::Int4 => 30,
        crate::TypeKind::Int8 => 62,
        _ => return None,
    };
    id.then_some(1i64 << width)
}

/// The decision without a row's context: what the source's SELECT can do.
fn plain(mask: &Mask) -> Option<Decision> {
    match mask {
        Mask::Null(_) => Some(Decision::Sql(SqlMask::Null)),
        Mask::Default(_) => Some(Decision::Default),
        Mask::Constant(options) => {
            let text = options.value.as_ref()?.to_string();
            Some(Decision::Sql(SqlMask::Constant(text)))
        }
        _ => None,
    }
}
