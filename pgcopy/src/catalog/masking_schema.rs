//! The catalog as the masking policy's checks want it.

use masking::{
    Check, Field, ForeignKey, Generated, Key, KeyKind, Schema, SchemaText, TableName, Type, TypeKind as Kind,
};

use super::{Catalog, Column, Constraint, ConstraintKind, Oid, Table, TypeKind};

/// How deep types may nest before the rest counts as opaque.
const DEPTH: u32 = 16;

impl Catalog {
    /// The description that [`masking::decide`] checks a policy against.
    pub fn masking_schema(&self) -> Schema {
        Schema {
            tables: self.tables.iter().map(|table| self.masking_table(table)).collect(),
            views: self.masking_views(),
            texts: self
                .texts
                .iter()
                .map(|(object, text)| SchemaText { object: object.clone(), text: text.clone() })
                .collect(),
        }
    }

    fn masking_table(&self, table: &Table) -> masking::Table {
        let of =
            |kinds: &'static [ConstraintKind]| table.constraints.iter().filter(|c| kinds.contains(&c.kind));
        let parent = table.parents.first().and_then(|oid| self.table(*oid));
        masking::Table {
            name: table.masking_name(),
            columns: table.columns.iter().map(|column| self.masking_column(table, column)).collect(),
            keys: of(&[ConstraintKind::Primary, ConstraintKind::Unique, ConstraintKind::Exclusion])
                .map(key)
                .collect(),
            foreign_keys: of(&[ConstraintKind::Foreign])
                .filter(|c| !c.inherited)
                .filter_map(|c| self.foreign_key(c))
                .collect(),
            checks: of(&[ConstraintKind::Check])
                .map(|c| Check {
                    name: c.name.clone(),
                    columns: c.columns.clone(),
                    expression: c.definition.clone(),
                })
                .collect(),
            expressions: self.expressions(table),
            parent: parent.map(Table::masking_name),
            partition_key: table.partition_key.clone(),
            #[allow(clippy::cast_precision_loss)]
            rows: Some(table.rows as f64).filter(|rows| *rows > 0.0),
        }
    }

    fn masking_column(&self, table: &Table, column: &Column) -> masking::Column {
        let generated = column.generated.then(|| {
            let title = format!("{}.{}", table.title(), column.name);
            let derived = self.derived.iter().find(|d| d.kind == "generated column" && d.name == title);
            let reads = derived.map(|d| d.columns.iter().map(|(_, name)| name.clone()).collect());
            Generated {
                expression: column.default.clone().unwrap_or_default(),
                reads: reads.unwrap_or_default(),
            }
        });
        let default = column.default.clone().filter(|_| !column.generated);
        let key = (table.schema.clone(), table.name.clone(), column.name.clone());
        masking::Column {
            name: column.name.clone(),
            ty: self.masking_type(column.type_oid, column.modifier, &column.sql_type, 0),
            not_null: column.not_null,
            sequence: column.identity || default.as_ref().is_some_and(|d| d.starts_with("nextval(")),
            default,
            generated,
            n_distinct: self.distinct.get(&key).copied(),
        }
    }

    fn masking_type(&self, oid: Oid, modifier: i32, name: &str, depth: u32) -> Type {
        let kind = self.types.get(oid).filter(|_| depth < DEPTH).map_or(Kind::Other, |info| {
            let inner = |oid: Oid, modifier: i32| {
                let title = self.types.get(oid).map_or("", |inner| inner.title.as_str());
                self.masking_type(oid, modifier, title, depth + 1)
            };
            match (info.kind, info.element, info.base) {
                (TypeKind::Domain, _, Some(base)) => Kind::Domain {
                    base: Box::new(inner(base, info.base_modifier)),
                    not_null: info.not_null,
                    checks: info
                        .checks
                        .iter()
                        .map(|(name, expression)| Check {
                            name: name.clone(),
                            columns: Vec::new(),
                            expression: expression.clone(),
                        })
                        .collect(),
                },
                (TypeKind::Enum, ..) => Kind::Enum { labels: info.labels.clone() },
                (TypeKind::Composite, ..) => Kind::Composite {
                    fields: info
                        .fields
                        .iter()
                        .map(|(name, oid)| Field { name: name.clone(), ty: inner(*oid, -1) })
                        .collect(),
                },
                (TypeKind::Base, Some(element), _) => Kind::Array(Box::new(inner(element, modifier))),
                (TypeKind::Base, ..) => scalar(&info.schema, &info.name, modifier),
                _ => Kind::Other,
            }
        });
        Type { name: name.to_owned(), kind }
    }

    fn foreign_key(&self, constraint: &Constraint) -> Option<ForeignKey> {
        Some(ForeignKey {
            name: constraint.name.clone(),
            columns: constraint.columns.clone(),
            target: self.table(constraint.target?)?.masking_name(),
            target_columns: constraint.target_columns.clone(),
            not_valid: !constraint.validated,
        })
    }

    fn expressions(&self, table: &Table) -> Vec<masking::ExpressionUse> {
        let mine = |d: &&super::Derived| {
            matches!(d.kind.as_str(), "index" | "statistics")
                && d.columns.iter().any(|(oid, _)| *oid == table.oid)
        };
        self.derived
            .iter()
            .filter(mine)
            .map(|d| masking::ExpressionUse {
                name: format!("{} {}", d.kind, d.name),
                reads: d.columns.iter().map(|(_, name)| name.clone()).collect(),
                expression: d.definition.clone(),
            })
            .collect()
    }

    fn masking_views(&self) -> Vec<masking::View> {
        let views = self.derived.iter().filter(|d| d.kind.ends_with("view"));
        views
            .map(|d| {
                let (schema, name) = d.name.split_once('.').unwrap_or(("public", &d.name));
                let reads = d.columns.iter().filter_map(|(oid, column)| {
                    self.table(*oid).map(|table| (table.masking_name(), column.clone()))
                });
                masking::View {
                    name: TableName::new(schema, name),
                    materialized: d.kind == "materialized view",
                    reads: reads.collect(),
                }
            })
            .collect()
    }
}

impl Table {
    /// The name under which a policy speaks of this table.
    pub fn masking_name(&self) -> TableName {
        TableName::new(&self.schema, &self.name)
    }
}

fn key(constraint: &Constraint) -> Key {
    Key {
        name: constraint.name.clone(),
        kind: match constraint.kind {
            ConstraintKind::Primary => KeyKind::Primary,
            ConstraintKind::Exclusion => KeyKind::Exclusion,
            _ => KeyKind::Unique,
        },
        columns: constraint.columns.clone(),
        expression_columns: constraint.expression_columns.clone(),
        nulls_not_distinct: constraint.nulls_not_distinct,
    }
}

/// A scalar of `pg_catalog` (or citext). Lengths are stored with 4 added (`VARHDRSZ`), numeric's as
/// precision × 65536 + scale + 4.
fn scalar(schema: &str, name: &str, modifier: i32) -> Kind {
    let bound = u32::try_from(modifier - 4).ok();
    match (schema, name) {
        (_, "citext") if schema != "pg_catalog" => Kind::Citext,
        (other, _) if other != "pg_catalog" => Kind::Other,
        (_, "bool") => Kind::Bool,
        (_, "int2") => Kind::Int2,
        (_, "int4") => Kind::Int4,
        (_, "int8") => Kind::Int8,
        (_, "numeric") => {
            Kind::Numeric { precision: bound.map(|b| b >> 16), scale: bound.map(|b| b & 0x7ff) }
        }
        (_, "float4") => Kind::Float4,
        (_, "float8") => Kind::Float8,
        (_, "text" | "name") => Kind::Text { max: (name == "name").then_some(63) },
        (_, "varchar") => Kind::Text { max: bound },
        (_, "bpchar") => Kind::Bpchar { max: bound },
        (_, "uuid") => Kind::Uuid,
        (_, "date") => Kind::Date,
        (_, "time") => Kind::Time,
        (_, "timestamp") => Kind::Timestamp,
        (_, "timestamptz") => Kind::Timestamptz,
        (_, "json") => Kind::Json,
        (_, "jsonb") => Kind::Jsonb,
        (_, "bytea") => Kind::Bytea,
        (_, "inet") => Kind::Inet,
        (_, "cidr") => Kind::Cidr,
        (_, "macaddr") => Kind::Macaddr,
        (_, "tsvector") => Kind::Tsvector,
        _ => Kind::Other,
    }
}
