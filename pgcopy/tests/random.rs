//! Random schemas and policies: whatever they are, the copy holds what it promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

/// Cases per run; each is a database of its own on the same two servers.
const CASES: u32 = 8;

/// A column: its type, an expression over the row number `i`, and the masks that suit it. `TAG` makes the values of each
/// column its own: the leak scan would rightly object to a kept column that repeats a masked one.
const COLUMNS: [(&str, &str, &[&str]); 9] = [
    (
        "text",
        "CASE WHEN i % 5 > 0 THEN 'secret value ' || md5(i || 'TAG') END",
        &["{hash: {}}", "{\"null\": {}}", "{lorem: {}}", "{fullName: {}}"],
    ),
    ("varchar(80)", "'user' || i || 'TAG@corp.test'", &["{email: {}}"]),
    ("int", "i * 7", &["{\"null\": {}}"]),
    ("numeric(12,3)", "i / 7.0", &["{\"null\": {}}"]),
    ("timestamptz", "'2020-01-01'::timestamptz + i * interval '1 hour'", &["{\"null\": {}}"]),
    ("uuid", "md5(i || 'TAG')::uuid", &["{uuid: {}}", "{id: {}}"]),
    ("jsonb", "jsonb_build_object('a', i)", &["{\"null\": {}}"]),
    ("text[]", "ARRAY['x' || i, NULL]", &["{\"null\": {}}"]),
    ("inet", "'10.1.0.0'::inet + i", &["{ip: {}}"]),
];

const NAMES: [&str; 5] = ["plain", "With \"quotes\"", "dots.in.it", "顧客 表", "select"];

#[derive(Clone, Debug)]
struct Case {
    tables: Vec<TableCase>,
}

#[derive(Clone, Debug)]
struct TableCase {
    rows: u32,
    /// Columns by number in [`COLUMNS`]; the mask by number, if any.
    columns: Vec<(usize, Option<usize>)>,
    /// The table that this one refers to.
    parent: Option<usize>,
    /// Keys are masked one to one.
    masked_key: bool,
    partitioned: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let column = (0..COLUMNS.len(), proptest::option::of(0..4_usize));
    let table = (
        0..120_u32,
        proptest::collection::vec(column, 1..6),
        proptest::option::of(0..5_usize),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(rows, columns, parent, masked_key, partitioned)| TableCase {
            rows,
            columns,
            parent,
            masked_key,
            partitioned,
        });
    proptest::collection::vec(table, 1..5).prop_map(|tables| Case { tables })
}

fn ident(name: &str) -> String {
    pgcopy::sql::ident(name)
}

impl Case {
    /// The parent of a table: itself or one before it, so that rows can be inserted in order.
    fn parent(&self, at: usize) -> Option<usize> {
        self.tables[at]
            .parent
            .map(|parent| parent % (at + 1))
            .filter(|parent| self.tables[*parent].rows > 0 && !self.tables[*parent].partitioned)
    }

    fn sql(&self) -> String {
        let mut sql = String::new();
        for (at, table) in self.tables.iter().enumerate() {
            let name = ident(NAMES[at]);
            let columns: String = table
                .columns
                .iter()
                .enumerate()
                .map(|(n, (kind, _))| format!(", {} {}", ident(&format!("c {n}")), COLUMNS[*kind].0))
                .collect();
            let value = |(n, (kind, _)): (usize, &(usize, Option<usize>))| {
                format!(", {}", COLUMNS[*kind].1.replace("TAG", &format!("-{at}-{n}")))
            };
            let values: String = table.columns.iter().enumerate().map(value).collect();
            let refers = self
                .parent(at)
                .map(|parent| format!(" REFERENCES {}", ident(NAMES[parent])))
                .unwrap_or_default();
            let split = if table.partitioned { " PARTITION BY HASH (id)" } else { "" };
            sql += &format!("CREATE TABLE {name} (id int PRIMARY KEY, ref int{columns}){split};\n");
            if table.partitioned {
                for n in 0..2 {
                    sql += &format!(
                        "CREATE TABLE \"part {at} {n}\" PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER {n});\n"
                    );
                }
            }
            let link = self.parent(at).map_or("NULL".to_owned(), |parent| {
                format!("CASE WHEN i % 3 > 0 THEN 1 + i % {} END", self.tables[parent].rows)
            });
            sql += &format!(
                "INSERT INTO {name} SELECT i, {link}{values} FROM generate_series(1, {}) i;\n",
                table.rows
            );
            if !refers.is_empty() {
                sql += &format!("ALTER TABLE {name} ADD FOREIGN KEY (ref){refers};\n");
            }
        }
        if let Some(last) = self.back() {
            let (first, to) = (ident(NAMES[0]), ident(NAMES[last]));
            sql += &format!(
                "ALTER TABLE {first} ADD back int REFERENCES {to}; UPDATE {first} SET back = 1 + id * 3 % {};\n",
                self.tables[last].rows
            );
        }
        sql + "ANALYZE;"
    }

    /// Whether a table's key is masked, and with it every column that refers to it.
    fn masks_key(&self, at: usize) -> bool {
        self.tables[at].masked_key && !self.tables[at].partitioned
    }

    /// The table that the first one refers to by a column of its own, which closes a cycle.
    fn back(&self) -> Option<usize> {
        let last = self.tables.len() - 1;
        Some(last).filter(|last| self.tables[*last].rows > 0 && !self.tables[*last].partitioned)
    }

    /// Referring table, its column, and the table that it refers to.
    fn links(&self) -> Vec<(usize, &'static str, usize)> {
        let parents = (0..self.tables.len()).filter_map(|at| Some((at, "ref", self.parent(at)?)));
        parents.chain(self.back().map(|last| (0, "back", last))).collect()
    }

    fn rules(&self) -> Vec<(String, String)> {
        let mut rules = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            for (n, (kind, mask)) in table.columns.iter().enumerate() {
                let masks = COLUMNS[*kind].2;
                if let Some(mask) = mask {
                    rules.push((
                        format!("public.{}.c {n}", NAMES[at]),
                        format!("mask: {}, accept: [frequency]", masks[mask % masks.len()]),
                    ));
                }
            }
            if self.masks_key(at) {
                rules.push((format!("public.{}.id", NAMES[at]), "mask: {id: {}}".to_owned()));
            }
        }
        for (at, column, to) in self.links() {
            if self.masks_key(to) {
                rules.push((
                    format!("public.{}.{column}", NAMES[at]),
                    "mask: {id: {}}, accept: [frequency]".to_owned(),
                ));
            }
        }
        rules
    }
}

/// Each link joins as many rows as at the source, in groups of the same sizes; masked keys are other numbers.
async fn joins(case: &Case, source: &Server, from: &str, target: &Server, to: &str) {
    for (at, column, parent) in case.links() {
        let (child, table) = (ident(NAMES[at]), ident(NAMES[parent]));
        let groups = format!(
            "SELECT string_agg(n::text, ',' ORDER BY n) FROM (SELECT count(a.id) n FROM {table} b \
             LEFT JOIN {child} a ON a.{column} = b.id GROUP BY b.id) g"
        );
        assert_eq!(target.value(to, &groups).await, source.value(from, &groups).await, "{case:?}");
        let ids = format!("SELECT string_agg({column}::text, ',' ORDER BY {column}) FROM {child}");
        let (here, there) = (source.value(from, &ids).await, target.value(to, &ids).await);
        assert_eq!(here != there, case.masks_key(parent) && !here.is_empty(), "{case:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_schemas_and_policies_keep_every_promise() {
    let (source, target) = (Server::start(15), Server::start(18));
    source.prepare(None).await;
    target.prepare(None).await;
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    for number in 0..CASES {
        let case = cases().new_tree(&mut runner).unwrap().current();
        let (from, to) = (format!("case{number}"), format!("copy{number}"));
        source.sql("postgres", &format!("CREATE DATABASE {from}")).await;
        source.sql(&from, &case.sql()).await;
        let rules = case.rules();
        let rules: Vec<(&str, &str)> =
            rules.iter().map(|(name, rule)| (name.as_str(), rule.as_str())).collect();
        let policy = policy(&source, &from, &rules).await;
        let report =
            copy(&options(source.endpoint("admin", &from), target.endpoint("copier", &to), &policy)).await;
        for (at, table) in case.tables.iter().enumerate() {
            let name = ident(NAMES[at]);
            let rows = target.value(&to, &format!("SELECT count(*) FROM {name}")).await;
            assert_eq!(rows, table.rows.to_string(), "{case:?}");
            for (n, (kind, mask)) in table.columns.iter().enumerate() {
                let column = ident(&format!("c {n}"));
                let kept = format!(
                    "SELECT md5(string_agg({column}::text, ',' ORDER BY {column}::text COLLATE \"C\")) FROM {name}"
                );
                if mask.is_none() {
                    assert_eq!(target.value(&to, &kept).await, source.value(&from, &kept).await, "{case:?}");
                } else if matches!(*kind, 0 | 1) {
                    // High-entropy source values: none is left.
                    let left = format!(
                        "SELECT count(*) FROM {name} WHERE {column} LIKE '%secret value%' OR {column} LIKE '%@corp.test'"
                    );
                    assert_eq!(target.value(&to, &left).await, "0", "{case:?}");
                }
            }
        }
        joins(&case, &source, &from, &target, &to).await;
        let again = format!("again{number}");
        copy(&options(source.endpoint("admin", &from), target.endpoint("copier", &again), &policy)).await;
        for name in NAMES.iter().take(case.tables.len()) {
            let all = format!(
                "SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM {} t",
                ident(name)
            );
            assert_eq!(target.value(&to, &all).await, target.value(&again, &all).await, "{case:?}");
        }
        let invalid = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated";
        assert_eq!(target.value(&to, invalid).await, "0");
        let columns: usize = case
            .tables
            .iter()
            .enumerate()
            .map(|(at, table)| {
                let back = usize::from(at == 0 && case.back().is_some());
                (table.columns.len() + 2 + back) * if table.partitioned { 3 } else { 1 }
            })
            .sum();
        assert_eq!(report.columns.len(), columns, "every column is decided: {case:?}");
    }
}
