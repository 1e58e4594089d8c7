//! Postgres' binary `numeric`: digits of base 10,000 with weight, sign and display scale.

#![allow(
    clippy::unit_arg,
    reason = "an Option tells whether the value fitted; what was appended is nothing to name"
)]

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

fn word(raw: &[u8], i: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*raw.get(i * 2)?, *raw.get(i * 2 + 1)?]))
}

/// Appends the number as Postgres prints it. `None` if the bytes are no `numeric`.
pub(crate) fn decode(raw: &[u8], text: &mut String) -> Option<()> {
    let (count, weight, sign, scale) =
        (word(raw, 0)?, word(raw, 1)?.cast_signed(), word(raw, 2)?, word(raw, 3)?);
    match sign {
        NAN => return Some(text.push_str("NaN")),
        INFINITY => return Some(text.push_str("Infinity")),
        MINUS_INFINITY => return Some(text.push_str("-Infinity")),
        NEGATIVE => text.push('-'),
        0 => {}
        _ => return None,
    }
    if raw.len() != 8 + usize::from(count) * 2 {
        return None;
    }
    // Group `i` of base 10,000, where group `weight` is the first stored one and group 0 holds the units.
    let group = |i: i32| {
        let index = i32::from(weight) - i;
        if (0..i32::from(count)).contains(&index) {
            word(raw, 4 + index.unsigned_abs() as usize).unwrap_or(0)
        } else {
            0
        }
    };
    let start = text.len();
    for i in (0..=i32::from(weight.max(0))).rev() {
        push_group(group(i), text);
    }
    let zeros = text[start..].bytes().take_while(|b| *b == b'0').count();
    let zeros = zeros.min(text.len() - start - 1);
    text.replace_range(start..start + zeros, "");
    if scale > 0 {
        text.push('.');
        let point = text.len();
        for i in 1..=i32::from(scale.div_ceil(4)) {
            push_group(group(-i), text);
        }
        text.truncate(point + usize::from(scale));
    }
    Some(())
}

fn push_group(group: u16, text: &mut String) {
    for power in [1000, 100, 10, 1] {
        text.push(char::from(b'0' + (group / power % 10) as u8));
    }
}

/// Appends the binary form of a decimal text (`-12.50`, `NaN`). `None` if it is none.
pub(crate) fn encode(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(MINUS_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        out.extend_from_slice(&[0, 0, 0, 0]);
        out.extend_from_slice(&sign.to_be_bytes());
        return Some(out.extend_from_slice(&[0, 0]));
    }
    let (digits, sign) = text.strip_prefix('-').map_or((text, 0), |rest| (rest, NEGATIVE));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = u16::try_from(fraction.len()).ok()?;
    let header = out.len();
    out.extend_from_slice(&[0; 8]);
    let groups = whole.len().div_ceil(4);
    let mut weight = i16::try_from(groups).ok()? - 1;
    let digit = |position: Option<usize>| -> u16 {
        let Some(position) = position else { return 0 };
        let bytes = if position < whole.len() {
            whole.as_bytes().get(position)
        } else {
            fraction.as_bytes().get(position - whole.len())
        };
        bytes.map_or(0, |b| u16::from(b - b'0'))
    };
    // Groups align at the point; the first one may begin before the first digit.
    let lead = groups * 4 - whole.len();
    let mut count: u16 = 0;
    for i in 0..groups + fraction.len().div_ceil(4) {
        let value = (0..4).fold(0, |n, j| n * 10 + digit((i * 4 + j).checked_sub(lead)));
        if count == 0 && value == 0 {
            weight -= 1;
            continue;
        }
        out.extend_from_slice(&value.to_be_bytes());
        count += 1;
    }
    while count > 0 && out.ends_with(&[0, 0]) {
        out.truncate(out.len() - 2);
        count -= 1;
    }
    let (weight, sign) = if count == 0 { (0, 0) } else { (weight, sign) };
    for (i, field) in [count, weight.cast_unsigned(), sign, scale].into_iter().enumerate() {
        out[header + i * 2..header + i * 2 + 2].copy_from_slice(&field.to_be_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round(text: &str) -> String {
        let (mut raw, mut back) = (Vec::new(), String::new());
        encode(text, &mut raw).unwrap();
        decode(&raw, &mut back).unwrap();
        back
    }

    #[test]
    fn known_bytes_are_right() {
        // SELECT numeric_send(12345.678) on PostgreSQL.
        let mut raw = Vec::new();
        encode("12345.678", &mut raw).unwrap();
        assert_eq!(raw, [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 9, 41, 26, 124]);
        for same in [
            "0",
            "0.00",
            "-0.0001",
            "10000",
            "1.50",
            "NaN",
            "Infinity",
            "-Infinity",
            "100000000000000000000.5",
        ] {
            assert_eq!(round(same), same);
        }
    }

    proptest! {
        #[test]
        fn any_decimal_goes_round(text in "-?[1-9][0-9]{0,40}(\\.[0-9]{1,20})?") {
            prop_assert_eq!(round(&text), text);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&raw, &mut String::new());
        }
    }
}
