//! Prints how many values per second each mask makes on one core, by processor time where Linux tells it: `cargo run --release -p masking --example speed`.
//! A figure for people; no test depends on it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::format_collect
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::too_many_lines
)]

use masking::{MaskedRow, MasterKey, Schema, Secrets, TableMasker, TableName, Wire, decide, parse};

const ROWS: u64 = 300_000;

fn main() {
    let text = "{name: text, kind: {text: {}}}";
    let int8 = "{name: bigint, kind: int8}";
    let plain = |i: u64| format!("user{i}@mail.co.jp").into_bytes();
    let number = |i: u64| i.to_be_bytes().to_vec();
    let uuid = |i: u64| (u128::from(i) << 64 | 0x4000_8000_0000).to_be_bytes().to_vec();
    let days = |i: u64| u32::try_from(i % 20_000).unwrap().to_be_bytes().to_vec();
    let phone = |i: u64| format!("090-{:04}-{:04}", i / 10_000 % 10_000, i % 10_000).into_bytes();
    let json = |i: u64| {
        let body = "lorem ipsum dolor sit amet ".repeat(30);
        format!("\u{1}{{\"id\": {i}, \"name\": \"Taro {i}\", \"mail\": \"u{i}@mail.jp\", \"tags\": [1, 2, 3], \"body\": \"{body}\"}}").into_bytes()
    };
    let paths = "{json: {paths: [{path: $.id, keep: true}, {path: $.name, mask: {fullName: {}}}, {path: $.mail, mask: {email: {}}}, {path: $.tags, keep: true}, {path: $.body, keep: true}]}}";
    for (mask, ty, values) in [
        ("{id: {}}", int8, &number as &dyn Fn(u64) -> Vec<u8>),
        ("{int: {max: 1000}}", int8, &number),
        ("{noise: {percent: 10}}", int8, &number),
        ("{id: {}}", "{name: uuid, kind: uuid}", &uuid),
        ("{dateShift: {}}", "{name: date, kind: date}", &days),
        ("{hash: {}}", text, &plain),
        ("{id: {}}", text, &plain),
        ("{email: {}}", text, &plain),
        ("{fullName: {}}", text, &plain),
        ("{username: {}}", text, &plain),
        ("{address: {}}", text, &plain),
        ("{partial: {prefix: 1}}", text, &plain),
        ("{lorem: {}}", text, &plain),
        ("{choice: {values: [a, b]}}", text, &plain),
        ("{phone: {}}", text, &phone),
        ("{digits: {}}", text, &phone),
        (paths, "{name: jsonb, kind: jsonb}", &json),
    ] {
        measure(mask, ty, values);
    }
}

fn measure(mask: &str, ty: &str, values: &dyn Fn(u64) -> Vec<u8>) {
    let schema = format!("tables: [{{name: t, columns: [{{name: c, type: {ty}}}]}}]");
    let policy = format!("tables: [{{name: t, columns: [{{name: c, mask: {mask}}}]}}]");
    let schema: Schema = serde_saphyr::from_str(&schema).unwrap();
    let decisions = decide(&parse(&policy).unwrap(), &schema).unwrap();
    let secrets = Secrets { master: Some(MasterKey::parse(&[b'7'; 64]).unwrap()), seed: [0; 32] };
    let mut masker =
        TableMasker::new(&decisions, &TableName::new("public", "t"), Wire::Binary, &secrets).unwrap();
    let rows: Vec<Vec<u8>> = (0..ROWS).map(values).collect();
    let mut out = MaskedRow::new();
    let mut bytes = 0;
    let start = spent();
    for row in &rows {
        masker.mask_row(&[Some(row)], &mut out).unwrap();
        bytes += out.field(0, None).map_or(0, <[u8]>::len);
    }
    let rate = ROWS as f64 / (spent() - start);
    let name = mask.split(':').next().unwrap_or_default().trim_start_matches('{');
    println!(
        "{name:>12} {:<8} {:6.2} M values/s, {:7.1} MB/s",
        &ty[7..ty.len().min(14)],
        rate / 1e6,
        rate * bytes as f64 / ROWS as f64 / 1e6
    );
}

/// Seconds of processor time of this thread; wall time where there is no `schedstat`.
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    let wall = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |d| d.as_secs_f64());
    nanos.map_or_else(wall, |n| n / 1e9)
}
