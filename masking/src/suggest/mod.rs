//! Suggestions for columns: by name, by type, by the shape of sampled values. A suggestion is a proposal for a person;
//! nothing of it decides a copy.

mod init;
mod words;

use std::collections::BTreeMap;

pub use init::policy_yaml;
use words::{mask, meaning};

use crate::decide::shapes::{self, Shape};
use crate::decide::{inline, paste};
use crate::name::TableName;
use crate::policy::{Email, Hash, JsonMask, JsonPath, Leaf, Mask, Name, Nothing, Password, UnknownPath, Zip};
use crate::schema::{Column, Table};
use crate::types::{Family, TypeKind};

/// A proposal for one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The mask; none for `keep` or where only a person can tell.
    pub mask: Option<Mask>,
    /// Copy as it is.
    pub keep: bool,
    /// Name, type or shape leave little doubt.
    pub sure: bool,
    /// Why.
    pub because: String,
}

impl Suggestion {
    fn new(mask: Mask, sure: bool, because: impl Into<String>) -> Self {
        Self { mask: Some(mask), keep: false, sure, because: because.into() }
    }

    fn keep(sure: bool, because: impl Into<String>) -> Self {
        Self { mask: None, keep: true, sure, because: because.into() }
    }

    /// The rule to paste.
    pub fn line(&self, column: &str) -> String {
        match &self.mask {
            Some(mask) => paste(column, &inline(mask)),
            None => paste(column, "keep: true"),
        }
    }
}

/// A proposal from the column's name and type alone.
pub(crate) fn by_name(table: &TableName, column: &Column) -> Suggestion {
    let family = column.ty.family();
    if let Some((meaning, word)) = meaning(&table.table, &column.name)
        && let Some(mask) = mask(meaning, &column.name, family, column.not_null)
    {
        return Suggestion::new(mask, true, format!("its name says `{word}`"));
    }
    let name = words::words(&column.name);
    let ends = |suffixes: &[&str]| suffixes.iter().any(|s| name == *s || name.ends_with(&format!(" {s}")));
    let key = ends(&[
        "id",
        "count",
        "position",
        "version",
        "number of",
        "quantity",
        "qty",
        "year",
        "month",
        "order",
    ]);
    match family {
        Family::Bool => Suggestion::keep(true, "a boolean whose name says nothing personal"),
        Family::Enum => Suggestion::keep(true, "an enum whose name says nothing personal"),
        Family::Timestamp | Family::Date if ends(&["at", "on", "date", "time"]) => {
            Suggestion::keep(false, "a date whose name says nothing personal")
        }
        Family::Int if key => Suggestion::keep(true, "a number that its name calls a key or a count"),
        Family::Uuid => Suggestion::keep(false, "a UUID whose name says nothing personal"),
        Family::Int | Family::Numeric | Family::Float => {
            Suggestion::keep(false, "a number whose name says nothing personal")
        }
        Family::Text
            if ends(&[
                "status",
                "state",
                "type",
                "kind",
                "currency",
                "locale",
                "language",
                "time zone",
                "timezone",
                "slug",
                "sku",
                "version",
                "code",
            ]) =>
        {
            Suggestion::keep(false, "a text that its name calls a code")
        }
        Family::Net => Suggestion::new(Leaf::Ip(Nothing {}).into(), true, "its type is a network address"),
        Family::Mac => Suggestion::new(Leaf::Mac(Nothing {}).into(), true, "its type is a hardware address"),
        _ => safe(column, "nothing tells what it holds, so the safe choice"),
    }
}

/// What leaves nothing of the value.
fn safe(column: &Column, because: &str) -> Suggestion {
    let null = !column.not_null && !column.ty.refuses_null();
    let mask = if null { Leaf::Null(Nothing {}).into() } else { crate::decide::stand_in(&column.ty) };
    Suggestion::new(mask, false, because)
}

/// A proposal from name, type and sampled values (each as text; NULLs left out). Values are looked at and never repeated.
pub fn suggest(table: &Table, column: &Column, samples: &[&str]) -> Suggestion {
    let named = by_name(&table.name, column);
    let family = column.ty.family();
    if family == Family::Json {
        return json(samples).unwrap_or(named);
    }
    if !matches!(family, Family::Text | Family::Other) || column.ty.is_array() {
        return named;
    }
    let mut shapes: BTreeMap<Shape, usize> = BTreeMap::new();
    let filled = samples.iter().filter(|s| !s.trim().is_empty()).count();
    for shape in samples.iter().filter_map(|s| shapes::of(s)) {
        *shapes.entry(shape).or_default() += 1;
    }
    let Some((shape, count)) = shapes.into_iter().max_by_key(|(_, count)| *count) else { return named };
    // A name that is sure goes first; a shape has to be that of a tenth of the values, for leaks need no majority.
    if (named.sure && named.mask.is_some()) || count * 10 < filled {
        return named;
    }
    match by_shape(shape, column) {
        Some(mask) => Suggestion::new(
            mask,
            count * 2 >= filled,
            format!("{count} of {filled} sampled values look like {}", shape.noun()),
        ),
        None => named,
    }
}

/// The mask for a shape.
fn by_shape(shape: Shape, column: &Column) -> Option<Mask> {
    let nothing = Nothing::default;
    let leaf = match shape {
        Shape::Email => Leaf::Email(Email::default()),
        Shape::Phone => Leaf::Phone(nothing()),
        Shape::Card => Leaf::Card(nothing()),
        Shape::Iban => Leaf::Iban(nothing()),
        Shape::Ip => Leaf::Ip(nothing()),
        Shape::Mac => Leaf::Mac(nothing()),
        Shape::Uuid => Leaf::Uuid(nothing()),
        Shape::Url => Leaf::Url(nothing()),
        Shape::Password => Leaf::Password(Password { value: "preview".into(), ..Password::default() }),
        Shape::Token => Leaf::Hash(Hash::default()),
        Shape::Zip => Leaf::Zip(Zip { keep: 2 }),
        Shape::Name => Leaf::FullName(Name::default()),
        Shape::Address => Leaf::Address(nothing()),
        Shape::Json => return None,
    };
    let text = matches!(
        column.ty.element().kind,
        TypeKind::Text { .. } | TypeKind::Bpchar { .. } | TypeKind::Citext
    );
    text.then(|| leaf.into())
}

/// Most paths that a suggestion lists.
const PATHS: usize = 200;

/// What sampled documents say about a path.
#[derive(Default)]
struct Seen {
    leaf: Option<Leaf>,
    /// Keys at this path are personal data or ids.
    keys: bool,
    /// Single values were seen here, not only objects and arrays.
    values: bool,
}

/// Paths of sampled documents: personal keys and values get masks, the rest is for a person to look at.
fn json(samples: &[&str]) -> Option<Suggestion> {
    let mut found: BTreeMap<String, Seen> = BTreeMap::new();
    for document in samples.iter().filter_map(|s| serde_json::from_str::<serde_json::Value>(s).ok()) {
        walk(&document, "$", "", &mut found, 0);
    }
    found.retain(|_, seen| seen.values || seen.keys);
    if found.is_empty() {
        return None;
    }
    let personal = found.values().filter(|seen| seen.leaf.is_some() || seen.keys).count();
    let paths = found.into_iter().map(|(path, seen)| {
        // Below masked keys nothing is kept that no longer path decides.
        let nothing = (seen.keys && !seen.values).then_some(Leaf::Null(Nothing {}));
        let mask = seen.leaf.or(nothing);
        JsonPath { path, keep: mask.is_none(), mask, mask_keys: seen.keys }
    });
    let mask = Mask::Json(JsonMask { paths: paths.take(PATHS).collect(), unknown: UnknownPath::Refuse });
    let because = format!("{personal} of the sampled documents' paths look personal; look at every `keep`");
    Some(Suggestion::new(mask, false, because))
}

fn walk(value: &serde_json::Value, path: &str, key: &str, found: &mut BTreeMap<String, Seen>, depth: usize) {
    use serde_json::Value;
    if depth > 32 || found.len() > PATHS {
        return;
    }
    let by_key = |family| meaning("", key).and_then(|(meaning, _)| mask(meaning, key, family, false)?.leaf());
    let leaf = match value {
        Value::Object(map) => {
            for (key, value) in map {
                let plain = !key.is_empty() && !key.contains(['.', '[', '"', '*', ' ']);
                // A key that is personal itself, or one of many ids, must not be repeated: `*` stands for it.
                let data = shapes::of(key).is_some() || key.bytes().all(|b| b.is_ascii_digit());
                let step = match () {
                    () if data || key.contains('"') => ".*".to_owned(),
                    () if plain => format!(".{key}"),
                    () => format!(".\"{key}\""),
                };
                let below = format!("{path}{step}");
                found.entry(below.clone()).or_default().keys |= step == ".*";
                walk(value, &below, key, found, depth + 1);
            }
            return;
        }
        Value::Array(items) => {
            for item in items {
                walk(item, &format!("{path}[*]"), key, found, depth + 1);
            }
            return;
        }
        Value::String(text) => by_key(Family::Text).or_else(|| shapes::of(text).and_then(shape_leaf)),
        Value::Number(_) => by_key(Family::Numeric),
        Value::Bool(_) => None,
        Value::Null => return,
    };
    let seen = found.entry(path.to_owned()).or_default();
    seen.values = true;
    seen.leaf = seen.leaf.take().or(leaf);
}

fn shape_leaf(shape: Shape) -> Option<Leaf> {
    let text = Column {
        name: String::new(),
        ty: crate::Type { name: "text".into(), kind: TypeKind::Text { max: None } },
        not_null: false,
        default: None,
        generated: None,
        sequence: false,
        n_distinct: None,
    };
    by_shape(shape, &text)?.leaf()
}
