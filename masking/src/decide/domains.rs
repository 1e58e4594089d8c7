//! Which columns share a domain: those tied by foreign keys, by partitioning, or by a name of the policy.

use std::collections::BTreeMap;

use super::Case;
use crate::problem::{Code, Problem};
use crate::schema::KeyKind;
use crate::types::{Family, TypeKind};

/// The domains of all columns.
pub(crate) struct Domains {
    of: BTreeMap<(usize, usize), usize>,
    list: Vec<Domain>,
}

/// One domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Domain {
    /// What its key derives from.
    pub(crate) name: String,
    /// Equal regardless of case.
    pub(crate) fold_case: bool,
    /// Characters that its shortest text column holds.
    pub(crate) max: Option<u32>,
    /// More than one column is in it, or the policy names it.
    pub(crate) shared: bool,
}

/// A union-find forest over columns.
struct Forest(Vec<usize>);

impl Forest {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[b] = a;
    }
}

impl Domains {
    pub(crate) fn new(case: &Case<'_>, problems: &mut Vec<Problem>) -> Self {
        let nodes: Vec<(usize, usize)> = (case.tables.iter().enumerate())
            .flat_map(|(t, table)| (0..table.columns.len()).map(move |c| (t, c)))
            .collect();
        let number: BTreeMap<_, _> = nodes.iter().enumerate().map(|(i, node)| (*node, i)).collect();
        let node = |table, name: &str| {
            let t = *case.index.get(table)?;
            let c = case.tables[t].columns.iter().position(|c| c.column.name == name)?;
            number.get(&(t, c)).copied()
        };
        let mut forest = Forest((0..nodes.len()).collect());
        let mut referring = vec![false; nodes.len()];
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for table in &case.tables {
            for key in &table.table.foreign_keys {
                for (from, to) in key.columns.iter().zip(&key.target_columns) {
                    if let (Some(from), Some(to)) = (node(&table.table.name, from), node(&key.target, to)) {
                        forest.join(to, from);
                        referring[from] = true;
                    }
                }
            }
            for chosen in &table.columns {
                let Some(own) = node(&table.table.name, &chosen.column.name) else { continue };
                if let Some(above) = table.table.parent.as_ref().and_then(|p| node(p, &chosen.column.name)) {
                    forest.join(above, own);
                    referring[own] = true;
                }
                if let Some(domain) = chosen.rule.and_then(|r| r.domain.as_deref()) {
                    forest.join(*named.entry(domain).or_insert(own), own);
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for i in 0..nodes.len() {
            groups.entry(forest.root(i)).or_default().push(i);
        }
        let mut domains = Self { of: BTreeMap::new(), list: Vec::new() };
        for group in groups.values() {
            for i in group {
                domains.of.insert(nodes[*i], domains.list.len());
            }
            let members: Vec<_> = group.iter().map(|i| (nodes[*i], referring[*i])).collect();
            domains.list.push(describe(case, &members, problems));
        }
        domains
    }

    /// The domain of a column.
    pub(crate) fn get(&self, table: usize, column: usize) -> Option<&Domain> {
        self.list.get(*self.of.get(&(table, column))?)
    }
}

/// Names a domain after the column that the others refer to, unless the policy names it.
fn describe(case: &Case<'_>, members: &[((usize, usize), bool)], problems: &mut Vec<Problem>) -> Domain {
    let at = |(t, c): (usize, usize)| (&case.tables[t], &case.tables[t].columns[c]);
    let full = |node| format!("{}.{}", at(node).0.table.name, at(node).1.column.name);
    let mut names: Vec<(&str, (usize, usize))> = Vec::new();
    for (node, _) in members {
        if let Some(name) = at(*node).1.rule.and_then(|r| r.domain.as_deref()) {
            names.push((name, *node));
        }
    }
    names.sort_unstable();
    if let (Some((first, _)), Some((other, node))) = (names.first(), names.last())
        && first != other
    {
        let why = format!(
            "columns tied by foreign keys name two domains, `{first}` and `{other}`; name one of them"
        );
        let (table, chosen) = at(*node);
        problems.push(table.error(Code::ForeignKey, &chosen.column.name, why));
    }
    let automatic =
        || members.iter().min_by_key(|(node, refers)| (*refers, full(*node))).map(|(node, _)| full(*node));
    let name = match names.first() {
        Some((name, _)) => format!("named/{name}"),
        None => format!("column/{}", automatic().unwrap_or_default()),
    };
    let types = members.iter().map(|(node, _)| at(*node).1.column.ty.element());
    let max = members.iter().filter_map(|(node, _)| at(*node).1.column.ty.max_chars()).min();
    let shared = members.len() > 1 || !names.is_empty();
    let citext = types.clone().any(|ty| ty.kind == TypeKind::Citext);
    let fold_case = citext && folds(case, members, problems);
    Domain { name, fold_case, max, shared }
}

/// A domain with a `citext` column folds case, unless a case-sensitive text column of it is a key: a foreign key to that
/// one compares case.
fn folds(case: &Case<'_>, members: &[((usize, usize), bool)], problems: &mut Vec<Problem>) -> bool {
    let mut keys = [None, None];
    for ((t, c), _) in members {
        let table = &case.tables[*t];
        let column = table.columns[*c].column;
        let unique = table
            .table
            .keys
            .iter()
            .any(|k| k.kind != KeyKind::Exclusion && k.columns == [column.name.clone()]);
        if unique && column.ty.family() == Family::Text {
            keys[usize::from(column.ty.element().kind == TypeKind::Citext)] = Some((table, column));
        }
    }
    if let [Some((table, column)), Some((other, _))] = keys {
        let why = format!(
            "the column is unique by case and shares a domain with {}, whose citext key is not; name two domains",
            other.table.name
        );
        problems.push(table.error(Code::Unique, &column.name, why));
    }
    keys[0].is_none() || keys[1].is_some()
}
