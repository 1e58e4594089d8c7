//! Arrays and composite values: what lies within is masked, the structure stays.

use super::cell::Outcome;
use crate::mask::Refused;

/// What masks one element: appends to the buffer, or says NULL or same.
pub(crate) type One<'a> = dyn FnMut(&[u8], &mut Vec<u8>) -> Result<Outcome, Refused> + 'a;

/// What masks one field of a composite; it gets the field's place.
pub(crate) type OneField<'a> = dyn FnMut(usize, &[u8], &mut Vec<u8>) -> Result<Outcome, Refused> + 'a;

const BROKEN: Refused = "the value is no well-formed array";

fn word(raw: &[u8], at: usize) -> Result<i32, Refused> {
    let bytes = raw.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or(BROKEN)?;
    Ok(i32::from_be_bytes(bytes))
}

/// The binary form: dimensions, a flag for NULLs, the element type's OID, each dimension's length and lower bound, then
/// the elements with a length word each (-1 is NULL).
pub(crate) fn binary_array(raw: &[u8], out: &mut Vec<u8>, one: &mut One<'_>) -> Result<Outcome, Refused> {
    let dimensions = usize::try_from(word(raw, 0)?).ok().filter(|d| *d <= 6).ok_or(BROKEN)?;
    let mut at = 12 + dimensions * 8;
    let start = out.len();
    out.extend_from_slice(raw.get(..at).ok_or(BROKEN)?);
    while at < raw.len() {
        let length = word(raw, at)?;
        at += 4;
        let Ok(length) = usize::try_from(length) else {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        };
        let element = raw.get(at..at + length).ok_or(BROKEN)?;
        at += length;
        let head = out.len();
        out.extend_from_slice(&[0; 4]);
        match one(element, out)? {
            Outcome::Written => {}
            Outcome::Same => out.extend_from_slice(element),
            Outcome::Null => {
                out.truncate(head + 4);
                out[head..].copy_from_slice(&(-1i32).to_be_bytes());
                out[start + 4..start + 8].copy_from_slice(&1i32.to_be_bytes());
                continue;
            }
        }
        let length = i32::try_from(out.len() - head - 4).map_err(|_| "an element grew beyond 2 GiB")?;
        out[head..head + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(Outcome::Written)
}

/// Appends a masked element in quotes, with `"` and `\` escaped.
fn push_quoted(element: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in element {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Masks an unescaped element and appends it quoted, or `null`.
fn push_masked(element: &[u8], null: &[u8], out: &mut Vec<u8>, one: &mut One<'_>) -> Result<(), Refused> {
    let mut masked = Vec::new();
    match one(element, &mut masked)? {
        Outcome::Written => push_quoted(&masked, out),
        Outcome::Same => push_quoted(element, out),
        Outcome::Null => out.extend_from_slice(null),
    }
    Ok(())
}

/// Reads a quoted item from behind its opening quote; leaves `at` behind the closing one.
fn quoted(raw: &[u8], at: &mut usize, doubled: bool) -> Result<Vec<u8>, Refused> {
    let mut item = Vec::new();
    loop {
        let byte = *raw.get(*at).ok_or(BROKEN)?;
        *at += 1;
        match byte {
            b'\\' => {
                item.push(*raw.get(*at).ok_or(BROKEN)?);
                *at += 1;
            }
            b'"' if doubled && raw.get(*at) == Some(&b'"') => {
                item.push(b'"');
                *at += 1;
            }
            b'"' => return Ok(item),
            other => item.push(other),
        }
    }
}

/// Reads an item without quotes, up to one of `ends`.
fn bare(raw: &[u8], at: &mut usize, ends: &[u8]) -> Vec<u8> {
    let mut item = Vec::new();
    while let Some(byte) = raw.get(*at).filter(|b| !ends.contains(b)) {
        *at += 1;
        if *byte == b'\\'
            && let Some(next) = raw.get(*at)
        {
            item.push(*next);
            *at += 1;
        } else {
            item.push(*byte);
        }
    }
    item
}

/// The text form: `{a,"b c",NULL}`, `{{1,2},{3,4}}`, `[0:1]={a,b}`.
pub(crate) fn text_array(raw: &[u8], out: &mut Vec<u8>, one: &mut One<'_>) -> Result<Outcome, Refused> {
    let mut at = raw.iter().position(|b| *b == b'{').ok_or(BROKEN)?;
    out.extend_from_slice(&raw[..at]);
    while let Some(byte) = raw.get(at) {
        match byte {
            b'{' | b'}' | b',' => {
                out.push(*byte);
                at += 1;
            }
            b'"' => {
                at += 1;
                let element = quoted(raw, &mut at, false)?;
                push_masked(&element, b"NULL", out, one)?;
            }
            _ => {
                let element = bare(raw, &mut at, b",{}");
                if element.eq_ignore_ascii_case(b"NULL") {
                    out.extend_from_slice(b"NULL");
                } else {
                    push_masked(&element, b"NULL", out, one)?;
                }
            }
        }
    }
    Ok(Outcome::Written)
}

/// The text form of a composite value: `(a,"b ""c""",)`, where nothing at all is NULL. `one` gets the field's place.
pub(crate) fn text_composite(
    raw: &[u8],
    fields: usize,
    out: &mut Vec<u8>,
    one: &mut OneField<'_>,
) -> Result<Outcome, Refused> {
    const BROKEN: Refused = "the value is no well-formed composite of its type";
    if raw.first() != Some(&b'(') || raw.last() != Some(&b')') || raw.len() < 2 {
        return Err(BROKEN);
    }
    let (mut at, end) = (1, raw.len() - 1);
    let raw = &raw[..end];
    out.push(b'(');
    for field in 0..fields {
        if field > 0 {
            if raw.get(at) != Some(&b',') {
                return Err(BROKEN);
            }
            out.push(b',');
            at += 1;
        }
        if at == end || raw[at] == b',' {
            continue;
        }
        // Quoted and bare stretches may follow each other within one field.
        let mut value = Vec::new();
        while let Some(byte) = raw.get(at).filter(|b| **b != b',') {
            if *byte == b'"' {
                at += 1;
                value.extend(quoted(raw, &mut at, true)?);
            } else {
                value.extend(bare(raw, &mut at, b",\""));
            }
        }
        push_masked(&value, b"", out, &mut |element, out| one(field, element, out))?;
    }
    out.push(b')');
    if at == end { Ok(Outcome::Written) } else { Err(BROKEN) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "masks can refuse")]
    fn upper(element: &[u8], out: &mut Vec<u8>) -> Result<Outcome, Refused> {
        if element == b"gone" {
            return Ok(Outcome::Null);
        }
        out.extend(element.to_ascii_uppercase());
        Ok(Outcome::Written)
    }

    fn array(text: &str) -> String {
        let mut out = Vec::new();
        text_array(text.as_bytes(), &mut out, &mut upper).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_arrays_keep_their_shape_and_nulls() {
        assert_eq!(array("{a,\"b,\\\"c\\\\\",NULL}"), "{\"A\",\"B,\\\"C\\\\\",NULL}");
        assert_eq!(array("[0:1]={{a,b},{c,gone}}"), "[0:1]={{\"A\",\"B\"},{\"C\",NULL}}");
        assert_eq!(array("{}"), "{}");
    }

    #[test]
    fn composites_keep_their_shape_and_nulls() {
        let mut out = Vec::new();
        let one = &mut |i: usize, e: &[u8], out: &mut Vec<u8>| {
            if i == 2 { Ok(Outcome::Same) } else { upper(e, out) }
        };
        text_composite(b"(a,\"b \"\"c\"\"\",d,)", 4, &mut out, one).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "(\"A\",\"B \\\"C\\\"\",\"d\",)");
        assert!(text_composite(b"(a,b)", 3, &mut Vec::new(), one).is_err());
        assert!(text_composite(b"(a,b)", 1, &mut Vec::new(), one).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_masked_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..60), text in "[{}\"\\\\,a()N]{0,30}") {
            let _ = binary_array(&raw, &mut Vec::new(), &mut upper);
            let _ = text_array(text.as_bytes(), &mut Vec::new(), &mut upper);
            let _ = text_composite(text.as_bytes(), 2, &mut Vec::new(), &mut |_, e, out| upper(e, out));
        }
    }
}
