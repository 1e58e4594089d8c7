//! Types and the masks that suit them, for the tests that go over all of them.

/// A text column of any length.
pub const TEXT: &str = "{name: text, kind: {text: {}}}";

/// Masks that take texts in the engine, with options. A `constant` is none of them: the SELECT makes it, and the engine
/// passes on what it is given.
pub const TEXT_MASKS: &[&str] = &[
    "{id: {}}",
    "{uuid: {}}",
    "{digits: {}}",
    "{hash: {}}",
    "{partial: {prefix: 2, suffix: 1}}",
    "{email: {}}",
    "{email: {keepDomain: true}}",
    "{firstName: {}}",
    "{lastName: {}}",
    "{fullName: {}}",
    "{username: {}}",
    "{phone: {}}",
    "{address: {}}",
    "{city: {}}",
    "{zip: {keep: 1}}",
    "{company: {}}",
    "{url: {}}",
    "{ip: {}}",
    "{mac: {}}",
    "{card: {}}",
    "{iban: {}}",
    "{lorem: {}}",
    "{regex: {pattern: '[a-z]{4,9}'}}",
    "{choice: {values: [a, b]}}",
    "{int: {max: 99}}",
    "{generalize: {prefix: 2}}",
];

/// Types, a mask for each family, and the bytes that a binary value of it has (0 for any).
pub const TYPED: &[(&str, &str, usize)] = &[
    ("{name: smallint, kind: int2}", "{id: {}}", 2),
    ("{name: smallint, kind: int2}", "{digits: {}}", 2),
    ("{name: integer, kind: int4}", "{id: {}}", 4),
    ("{name: integer, kind: int4}", "{noise: {percent: 50}}", 4),
    ("{name: bigint, kind: int8}", "{id: {}}", 8),
    ("{name: bigint, kind: int8}", "{digits: {}}", 8),
    ("{name: bigint, kind: int8}", "{generalize: {step: 1000}}", 8),
    ("{name: real, kind: float4}", "{noise: {by: 5}}", 4),
    ("{name: double precision, kind: float8}", "{numeric: {max: 5}}", 8),
    ("{name: uuid, kind: uuid}", "{id: {}}", 16),
    ("{name: date, kind: date}", "{date: {}}", 4),
    ("{name: date, kind: date}", "{dateShift: {days: 3000}}", 4),
    ("{name: date, kind: date}", "{generalize: {to: week}}", 4),
    ("{name: timestamptz, kind: timestamptz}", "{dateShift: {}}", 8),
    ("{name: timestamp, kind: timestamp}", "{generalize: {to: hour}}", 8),
    ("{name: macaddr, kind: macaddr}", "{mac: {}}", 6),
    ("{name: boolean, kind: bool}", "{choice: {values: [true, false]}}", 1),
];

/// A JSON column.
pub const JSON: &str = "{name: jsonb, kind: jsonb}";

/// Masks of JSON documents: by path, and what becomes of paths that the policy does not name.
pub const JSON_MASKS: &[&str] = &[
    "{json: {paths: [{path: $, mask: {hash: {}}}, {path: $.a, keep: true}, {path: $.b.*, mask: {int: {}}, maskKeys: true}]}}",
    "{json: {paths: [{path: $.a, keep: true}], unknown: nullify}}",
];
