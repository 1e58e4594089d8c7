//! Types, and which of them may travel in binary.

use std::collections::HashMap;

use super::Oid;

/// What a type is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypeKind {
    /// A scalar or an array.
    #[default]
    Base,
    /// A row type.
    Composite,
    /// A domain.
    Domain,
    /// An enum.
    Enum,
    /// A range or multirange.
    Range,
    /// Anything else.
    Other,
}

/// One type.
#[derive(Clone, Debug, Default)]
pub struct TypeInfo {
    /// Name without schema.
    pub name: String,
    /// Schema.
    pub schema: String,
    /// Kind.
    pub kind: TypeKind,
    /// The element of an array.
    pub element: Option<Oid>,
    /// The type below a domain.
    pub base: Option<Oid>,
    /// The domain's modifier.
    pub base_modifier: i32,
    /// NOT NULL of a domain.
    pub not_null: bool,
    /// Labels of an enum, in order.
    pub labels: Vec<String>,
    /// CHECK constraints of a domain: name and expression.
    pub checks: Vec<(String, String)>,
    /// As `format_type` prints it.
    pub title: String,
    /// Fields of a composite type.
    pub fields: Vec<(String, Oid)>,
}

/// Types by id.
#[derive(Clone, Debug, Default)]
pub struct Types(pub HashMap<Oid, TypeInfo>);

/// Types of `pg_catalog` whose binary form holds no object ids and is the same in every version since 13.
const BINARY: [&str; 47] = [
    "bool",
    "bytea",
    "char",
    "name",
    "int8",
    "int2",
    "int4",
    "text",
    "json",
    "jsonb",
    "xml",
    "point",
    "lseg",
    "path",
    "box",
    "polygon",
    "line",
    "circle",
    "float4",
    "float8",
    "macaddr",
    "macaddr8",
    "inet",
    "cidr",
    "bpchar",
    "varchar",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "timetz",
    "bit",
    "varbit",
    "numeric",
    "uuid",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "tsvector",
    "int4multirange",
    "int8multirange",
    "datemultirange",
    "tstzmultirange",
];

/// Types of extensions whose binary form is stable and free of object ids.
const BINARY_EXTENSIONS: [&str; 2] = ["citext", "hstore"];

impl Types {
    /// The type of this id.
    pub fn get(&self, oid: Oid) -> Option<&TypeInfo> {
        self.0.get(&oid)
    }

    /// The type below all domains, with the outermost modifier that is set.
    pub fn base(&self, mut oid: Oid, mut modifier: i32) -> (Oid, i32) {
        while let Some(TypeInfo { base: Some(base), base_modifier, .. }) = self.get(oid) {
            oid = *base;
            if modifier < 0 {
                modifier = *base_modifier;
            }
        }
        (oid, modifier)
    }

    /// Whether values may travel in binary between two servers. Arrays carry their element's id, so only arrays of
    /// `pg_catalog`'s own types may; composites carry the ids of their fields and may not.
    pub fn binary(&self, oid: Oid) -> bool {
        let (oid, _) = self.base(oid, -1);
        let Some(info) = self.get(oid) else { return false };
        match (info.kind, info.element) {
            (TypeKind::Enum, _) => true,
            (TypeKind::Base, Some(element)) => self.get(element).is_some_and(|e| {
                e.schema == "pg_catalog" && e.kind == TypeKind::Base && BINARY.contains(&e.name.as_str())
            }),
            (TypeKind::Base | TypeKind::Range, None) => {
                let list: &[&str] = if info.schema == "pg_catalog" { &BINARY } else { &BINARY_EXTENSIONS };
                list.contains(&info.name.as_str())
            }
            _ => false,
        }
    }

    /// Whether a type, or the one below a domain, is text-like: worth a search for leaked values.
    pub fn textual(&self, oid: Oid) -> bool {
        self.named(oid, &["text", "varchar", "bpchar", "citext", "json", "jsonb", "xml", "name"])
    }

    /// Whether text stands inside values of the type: arrays, rows, pairs, words.
    pub fn holds_text(&self, oid: Oid) -> bool {
        let (oid, _) = self.base(oid, -1);
        let Some(info) = self.get(oid) else { return false };
        let inner = || info.element.into_iter().chain(info.fields.iter().map(|(_, oid)| *oid));
        self.textual(oid)
            || self.named(oid, &["hstore", "tsvector"])
            // A row type does not hold itself, so this ends.
            || inner().any(|oid| self.holds_text(oid))
    }

    /// Whether values of the type are documents, whose text is another than what is stored or is long as a rule.
    pub fn document(&self, oid: Oid) -> bool {
        self.named(oid, &["json", "jsonb", "xml"])
    }

    /// The name of the type, or of the one below a domain.
    pub fn base_name(&self, oid: Oid) -> Option<&str> {
        self.get(self.base(oid, -1).0).map(|info| info.name.as_str())
    }

    fn named(&self, oid: Oid, names: &[&str]) -> bool {
        self.base_name(oid).is_some_and(|name| names.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        let base = |name: &str, schema: &str| TypeInfo {
            name: name.into(),
            schema: schema.into(),
            ..TypeInfo::default()
        };
        Types(HashMap::from([
            (25, base("text", "pg_catalog")),
            (2205, base("regclass", "pg_catalog")),
            (1009, TypeInfo { element: Some(25), ..base("_text", "pg_catalog") }),
            (20000, TypeInfo { kind: TypeKind::Enum, ..base("mood", "public") }),
            (20001, TypeInfo { element: Some(20000), ..base("_mood", "public") }),
            (20002, TypeInfo { kind: TypeKind::Domain, base: Some(25), ..base("mail", "public") }),
            (
                20003,
                TypeInfo {
                    kind: TypeKind::Composite,
                    fields: vec![("mails".into(), 1009)],
                    ..base("address", "public")
                },
            ),
            (20004, base("text", "public")),
        ]))
    }

    #[test]
    fn text_is_seen_inside_arrays_and_rows() {
        let types = types();
        let holds: Vec<bool> =
            [25, 1009, 20001, 20002, 20003].iter().map(|oid| types.holds_text(*oid)).collect();
        assert_eq!(holds, [true, true, false, true, true]);
        assert!(!types.textual(1009));
    }

    #[test]
    fn only_types_without_object_ids_travel_in_binary() {
        let types = types();
        let binary: Vec<bool> = [25, 2205, 1009, 20000, 20001, 20002, 20003, 20004]
            .iter()
            .map(|oid| types.binary(*oid))
            .collect();
        assert_eq!(binary, [true, false, true, true, false, true, false, false]);
    }
}
