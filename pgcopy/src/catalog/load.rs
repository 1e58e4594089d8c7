//! Reads a [`Catalog`] over a session.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::queries as q;
use super::{
    Catalog, Column, Constraint, ConstraintKind, Derived, LeftOut, Oid, Sequence, Server, Table, TypeInfo,
    TypeKind, Types,
};
use crate::conn::Session;
use crate::error::{Context as _, Error, Result};

/// The oldest server that can be a source.
const OLDEST: u32 = 13;

/// Reads the catalog as the session's transaction sees it.
///
/// # Errors
/// [`Error::Database`] if a catalog cannot be read, [`Error::Usage`] if the server is older than 13.
pub async fn load(session: &Session) -> Result<Catalog> {
    let server = server(session).await?;
    if server.major() < OLDEST {
        return Err(Error::Usage(format!(
            "the server is Postgres {}, but {OLDEST} is the oldest that can be copied",
            server.major()
        )));
    }
    let types = types(session).await?;
    let mut tables: Vec<Table> = rows(session, q::TABLES, &[]).await?.iter().map(table).collect();
    let oids: Vec<Oid> = tables.iter().map(|t| t.oid).collect();
    let mut at: HashMap<Oid, usize> = oids.iter().enumerate().map(|(i, oid)| (*oid, i)).collect();
    let mut keys: HashMap<Oid, Vec<i16>> = HashMap::new();
    for row in rows(session, q::TABLES, &[]).await? {
        keys.insert(oid(&row, 0), row.get::<_, Option<Vec<i16>>>(12).unwrap_or_default());
    }
    for row in rows(session, q::COLUMNS, &[&oids]).await? {
        if let Some(table) = at.get(&oid(&row, 0)).and_then(|i| tables.get_mut(*i)) {
            table.columns.push(column(&row, &types));
        }
    }
    for table in &mut tables {
        table.partition_key = table.names(keys.get(&table.oid).map_or(&[][..], Vec::as_slice));
    }
    constraints(session, &mut tables, &mut at, &oids).await?;
    Ok(Catalog {
        derived: derived(session, &oids).await?,
        sequences: rows(session, q::SEQUENCES, &[]).await?.iter().map(sequence).collect(),
        left_out: rows(session, q::LEFT_OUT, &[])
            .await?
            .iter()
            .map(|row| LeftOut { kind: row.get(0), name: row.get(1) })
            .collect(),
        foreign: rows(session, q::FOREIGN, &[])
            .await?
            .iter()
            .map(|row| LeftOut { kind: row.get(0), name: row.get(1) })
            .collect(),
        texts: rows(session, q::TEXTS, &[&oids])
            .await?
            .iter()
            .filter_map(|row| Some((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?)))
            .collect(),
        distinct: rows(session, q::DISTINCT, &[])
            .await?
            .iter()
            .map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3)))
            .collect(),
        settings: rows(session, q::SETTINGS, &[]).await?.iter().map(|row| row.get(0)).collect(),
        server,
        tables,
        types,
    })
}

fn sequence(row: &Row) -> Sequence {
    let column = |text: &String| {
        let (table, number) = text.split_once('.')?;
        Some((table.parse().ok()?, number.parse().ok()?))
    };
    let columns = row.get::<_, Vec<String>>(2).iter().filter_map(column).collect();
    Sequence { schema: row.get(0), name: row.get(1), columns, max: row.get(3) }
}

async fn rows(session: &Session, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
    session.client.query(statement, parameters).await.context("reading the catalog")
}

fn oid(row: &Row, at: usize) -> Oid {
    Oid::try_from(row.get::<_, i64>(at)).unwrap_or_default()
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// Reads what identifies the server and the database.
pub(crate) async fn server(session: &Session) -> Result<Server> {
    let row = session.client.query_one(q::SERVER, &[]).await.context("reading the server's identity")?;
    Ok(Server {
        version: u32::try_from(row.get::<_, i32>(0)).unwrap_or_default(),
        system_id: row.get(1),
        database_oid: oid(&row, 2),
        standby: row.get(3),
        bypass_rls: row.get(4),
        superuser: row.get(5),
        encoding: row.get(6),
        collate: row.get(7),
        ctype: row.get(8),
        provider: row.get::<_, Option<String>>(9).unwrap_or_else(|| "c".to_owned()),
        locale: row.get(10),
        collation_version: row.get(11),
    })
}

async fn types(session: &Session) -> Result<Types> {
    let mut types = HashMap::new();
    for row in rows(session, q::TYPES, &[]).await? {
        let some = |at| Some(oid(&row, at)).filter(|oid| *oid != 0);
        types.insert(
            oid(&row, 0),
            TypeInfo {
                name: row.get(1),
                schema: row.get(2),
                kind: match row.get::<_, &str>(3) {
                    "b" => TypeKind::Base,
                    "c" => TypeKind::Composite,
                    "d" => TypeKind::Domain,
                    "e" => TypeKind::Enum,
                    "r" | "m" => TypeKind::Range,
                    _ => TypeKind::Other,
                },
                element: some(4),
                base: some(5),
                base_modifier: row.get(6),
                not_null: row.get(7),
                labels: row.get(8),
                checks: row.get::<_, Vec<String>>(9).into_iter().zip(row.get::<_, Vec<String>>(10)).collect(),
                title: row.get(11),
                fields: row
                    .get::<_, Vec<String>>(12)
                    .into_iter()
                    .zip(row.get::<_, Vec<i64>>(13).into_iter().filter_map(|oid| Oid::try_from(oid).ok()))
                    .collect(),
            },
        );
    }
    Ok(Types(types))
}

fn table(row: &Row) -> Table {
    let parents: Vec<i64> = row.get(5);
    let rows: f64 = row.get(9);
    Table {
        oid: oid(row, 0),
        schema: row.get(1),
        name: row.get(2),
        partitioned: row.get(3),
        partition: row.get(4),
        parents: parents.into_iter().filter_map(|oid| Oid::try_from(oid).ok()).collect(),
        row_security: row.get(6),
        unlogged: row.get(7),
        heap: row.get(8),
        // reltuples is -1 for a table that was never analysed; the fraction is always zero.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        rows: rows.max(0.0) as u64,
        heap_bytes: unsigned(row.get(10)),
        bytes: unsigned(row.get(11)),
        ..Table::default()
    }
}

fn column(row: &Row, types: &Types) -> Column {
    let type_oid = oid(row, 3);
    let mut domain = types.get(type_oid);
    let mut not_null: bool = row.get(6);
    while let Some(info) = domain {
        not_null |= info.not_null;
        domain = info.base.and_then(|base| types.get(base));
    }
    Column {
        number: row.get(1),
        name: row.get(2),
        type_oid,
        sql_type: row.get(4),
        modifier: row.get(5),
        not_null,
        default: row.get(7),
        generated: row.get(8),
        identity: row.get(9),
        comment: row.get(10),
    }
}

async fn constraints(
    session: &Session,
    tables: &mut [Table],
    at: &mut HashMap<Oid, usize>,
    oids: &[Oid],
) -> Result<()> {
    for row in rows(session, q::CONSTRAINTS, &[&oids]).await? {
        let Some(index) = at.get(&oid(&row, 0)).copied() else { continue };
        let target = Some(oid(&row, 4)).filter(|oid| *oid != 0);
        let target_columns = target
            .and_then(|oid| at.get(&oid))
            .and_then(|i| tables.get(*i))
            .map(|t| t.names(&row.get::<_, Vec<i16>>(5)))
            .unwrap_or_default();
        let Some(table) = tables.get_mut(index) else { continue };
        let constraint = Constraint {
            name: row.get(1),
            kind: match row.get::<_, &str>(2) {
                "p" => ConstraintKind::Primary,
                "u" => ConstraintKind::Unique,
                "f" => ConstraintKind::Foreign,
                "x" => ConstraintKind::Exclusion,
                _ => ConstraintKind::Check,
            },
            columns: table.names(&row.get::<_, Vec<i16>>(3)),
            target,
            target_columns,
            validated: row.get(6),
            definition: row.get(7),
            expression_columns: table.names(&row.get::<_, Vec<i16>>(8)),
            inherited: row.get(9),
            nulls_not_distinct: row.get(10),
        };
        table.constraints.push(constraint);
    }
    Ok(())
}

async fn derived(session: &Session, oids: &[Oid]) -> Result<Vec<Derived>> {
    let mut found: Vec<Derived> = Vec::new();
    for row in rows(session, q::DERIVED, &[&oids]).await? {
        let (kind, name): (String, String) = (row.get(0), row.get(1));
        let column = (oid(&row, 2), row.get::<_, String>(3));
        match found.last_mut().filter(|last| last.kind == kind && last.name == name) {
            Some(last) => {
                if !last.columns.contains(&column) {
                    last.columns.push(column);
                }
            }
            None => found.push(Derived { kind, name, columns: vec![column], definition: row.get(4) }),
        }
    }
    Ok(found)
}
