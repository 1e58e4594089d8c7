//! What a database holds, read from its catalog: plain data, no connection. [`load`] fills it, the plan and the
//! policy's checks read it.

mod load;
mod masking_schema;
mod queries;
pub mod types;

use std::collections::{BTreeMap, HashMap};

pub use load::load;
pub(crate) use load::server;
use serde::Serialize;
pub use types::{TypeInfo, TypeKind, Types};

/// An object id of the server.
pub type Oid = u32;

/// One database.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// The server and the database.
    pub server: Server,
    /// Ordinary and partitioned tables, by schema and name.
    pub tables: Vec<Table>,
    /// Sequences.
    pub sequences: Vec<Sequence>,
    /// Types by id.
    pub types: Types,
    /// What is derived from columns: generated columns, indexes, views, materialised views, statistics.
    pub derived: Vec<Derived>,
    /// Objects that a copy leaves out, for the report.
    pub left_out: Vec<LeftOut>,
    /// Foreign tables and what depends on them, by kind and name: none of it can exist in a copy.
    pub foreign: Vec<LeftOut>,
    /// Texts that go along with the schema, each with the object that holds it.
    pub texts: Vec<(String, String)>,
    /// Estimated distinct values by schema, table and column.
    pub distinct: HashMap<(String, String, String), f64>,
    /// `ALTER DATABASE … SET` of this database, as `name=value`.
    pub settings: Vec<String>,
}

/// The server's side of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `server_version_num`, such as 150007.
    pub version: u32,
    /// Identifies the cluster.
    pub system_id: String,
    /// Identifies the database within the cluster.
    pub database_oid: Oid,
    /// Whether the server is a standby.
    pub standby: bool,
    /// Whether the role is a superuser or has BYPASSRLS.
    pub bypass_rls: bool,
    /// Whether the role is a superuser.
    pub superuser: bool,
    /// The encoding's name.
    pub encoding: String,
    /// LC_COLLATE.
    pub collate: String,
    /// LC_CTYPE.
    pub ctype: String,
    /// `c`, `i` or `b`.
    pub provider: String,
    /// The ICU or builtin locale, if any.
    pub locale: Option<String>,
    /// Version of the collation library.
    pub collation_version: Option<String>,
}

impl Server {
    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }
}

/// A table; `parents` are what it inherits from or is a partition of.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "as the catalog has them")]
pub struct Table {
    /// Object id.
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Whether this is a partitioned table, which holds no rows itself.
    pub partitioned: bool,
    /// Whether this is a partition.
    pub partition: bool,
    /// Parents, first the one whose policy a partition follows.
    pub parents: Vec<Oid>,
    /// Row level security is switched on.
    pub row_security: bool,
    /// Unlogged tables cannot be read on a standby.
    pub unlogged: bool,
    /// Whether the access method is `heap`, so that ctid ranges mean pages.
    pub heap: bool,
    /// Estimated rows.
    pub rows: u64,
    /// Bytes of the heap alone.
    pub heap_bytes: u64,
    /// Bytes with TOAST.
    pub bytes: u64,
    /// Columns of the partition key, by name.
    pub partition_key: Vec<String>,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Constraints and unique indexes.
    pub constraints: Vec<Constraint>,
}

impl Table {
    /// `schema.name` for people.
    pub fn title(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The quoted name for statements.
    pub fn sql(&self) -> String {
        crate::sql::qualified(&self.schema, &self.name)
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Names of the columns with these numbers.
    pub fn names(&self, numbers: &[i16]) -> Vec<String> {
        let by_number: BTreeMap<_, _> = self.columns.iter().map(|c| (c.number, &c.name)).collect();
        numbers.iter().filter_map(|n| by_number.get(n).map(|name| (*name).clone())).collect()
    }
}

/// A column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Attribute number.
    pub number: i16,
    /// Name.
    pub name: String,
    /// Type id, a domain's own id if it is one.
    pub type_oid: Oid,
    /// The type as SQL writes it, with length.
    pub sql_type: String,
    /// The type's modifier (length + 4 for varchar), -1 without.
    pub modifier: i32,
    /// NOT NULL, by column or by domain.
    pub not_null: bool,
    /// A default or the expression of a generated column.
    pub default: Option<String>,
    /// `GENERATED ALWAYS AS (…)`, stored or virtual.
    pub generated: bool,
    /// Part of an identity.
    pub identity: bool,
    /// Its comment.
    pub comment: Option<String>,
}

/// What kind of constraint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConstraintKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE, as constraint or index.
    Unique,
    /// FOREIGN KEY.
    Foreign,
    /// CHECK.
    #[default]
    Check,
    /// EXCLUDE.
    Exclusion,
}

/// A constraint of a table.
#[derive(Clone, Debug, Default)]
pub struct Constraint {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: ConstraintKind,
    /// Columns in order of the key; columns in the expression for a CHECK.
    pub columns: Vec<String>,
    /// The table that a foreign key references.
    pub target: Option<Oid>,
    /// The columns that it references, in the same order.
    pub target_columns: Vec<String>,
    /// False for NOT VALID.
    pub validated: bool,
    /// As SQL writes it.
    pub definition: String,
    /// Columns that an index's expressions read.
    pub expression_columns: Vec<String>,
    /// The copy that a partition has of its parent's constraint.
    pub inherited: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
}

/// A sequence and its state when the snapshot was taken.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// The columns that draw from it: id of the table and number.
    pub columns: Vec<(Oid, i16)>,
    /// Its largest value.
    pub max: i64,
}

/// Something that holds or shows values of columns without being one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Derived {
    /// `generated column`, `index`, `view`, `materialized view`, `statistics`.
    pub kind: String,
    /// Its name; for a generated column `schema.table.column`.
    pub name: String,
    /// The table and column that it reads.
    pub columns: Vec<(Oid, String)>,
    /// As SQL writes it.
    pub definition: String,
}

/// An object or a class of objects that the copy does not bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Kind, such as `publication`.
    pub kind: String,
    /// Name, or a count.
    pub name: String,
}

impl Catalog {
    /// The table with this id.
    pub fn table(&self, oid: Oid) -> Option<&Table> {
        self.tables.iter().find(|table| table.oid == oid)
    }

    /// The table of this schema and name.
    pub fn find(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }

    /// The table whose policy decides for this one: a partition's topmost ancestor, else the table itself.
    pub fn root<'a>(&'a self, table: &'a Table) -> &'a Table {
        let mut at = table;
        while at.partition {
            match at.parents.first().and_then(|oid| self.table(*oid)) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    /// Tables that hold rows: everything but partitioned parents (and unlogged tables of a standby).
    pub fn with_rows(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().filter(|t| !(t.partitioned || t.unlogged && self.server.standby))
    }

    /// What must not change between planning and the snapshot: tables and columns with their types.
    #[allow(clippy::type_complexity, reason = "compared, never taken apart")]
    pub fn shape(&self) -> Vec<(Oid, String, Vec<(String, Oid, String, bool)>)> {
        self.tables
            .iter()
            .map(|t| {
                let columns = t.columns.iter();
                let columns =
                    columns.map(|c| (c.name.clone(), c.type_oid, c.sql_type.clone(), c.generated)).collect();
                (t.oid, t.title(), columns)
            })
            .collect()
    }
}
