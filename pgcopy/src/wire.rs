//! The two forms of COPY, one row at a time. Postgres sends one CopyData message per row.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The signature, flags and extension length that begin a binary COPY.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The tuple count -1 that ends one.
pub(crate) const TRAILER: &[u8] = &[0xff, 0xff];

/// A row that does not have the form of its COPY: a bug or a broken connection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source sent a row that is no row of COPY")]
pub(crate) struct Malformed;

/// Removes the header from the first message, and recognises the trailer; `None` if no row is left.
pub(crate) fn binary_row(mut message: Bytes, first: &mut bool) -> Result<Option<Bytes>, Malformed> {
    if *first {
        *first = false;
        if !message.starts_with(&HEADER[..11]) || message.len() < HEADER.len() {
            return Err(Malformed);
        }
        let extension = u32::from_be_bytes([message[15], message[16], message[17], message[18]]);
        let skip = HEADER.len() + usize::try_from(extension).map_err(|_| Malformed)?;
        if message.len() < skip {
            return Err(Malformed);
        }
        message.advance(skip);
    }
    Ok(Some(message).filter(|m| !m.is_empty() && m.as_ref() != TRAILER))
}

/// Finds the fields of a binary row; offsets into `row`, `None` for NULL.
pub(crate) fn binary_fields(row: &[u8], fields: &mut Vec<Option<(usize, usize)>>) -> Result<(), Malformed> {
    fields.clear();
    let count = row.get(..2).map(|b| i16::from_be_bytes([b[0], b[1]])).ok_or(Malformed)?;
    let mut at = 2;
    for _ in 0..count {
        let length =
            row.get(at..at + 4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]])).ok_or(Malformed)?;
        at += 4;
        if length < 0 {
            fields.push(None);
            continue;
        }
        let end = at + usize::try_from(length).map_err(|_| Malformed)?;
        if end > row.len() {
            return Err(Malformed);
        }
        fields.push(Some((at, end)));
        at = end;
    }
    if at == row.len() { Ok(()) } else { Err(Malformed) }
}

/// Begins a binary row.
pub(crate) fn put_binary_count(out: &mut BytesMut, count: usize) -> Result<(), Malformed> {
    out.put_i16(i16::try_from(count).map_err(|_| Malformed)?);
    Ok(())
}

/// Writes the length word of one field of a binary row.
pub(crate) fn put_binary_length(out: &mut BytesMut, length: Option<usize>) -> Result<(), Malformed> {
    match length {
        Some(length) => out.put_i32(i32::try_from(length).map_err(|_| Malformed)?),
        None => out.put_i32(-1),
    }
    Ok(())
}

/// Unescapes the fields of a text row into `bytes`; offsets into `bytes`, `None` for `\N`.
pub(crate) fn text_fields(
    row: &[u8],
    bytes: &mut Vec<u8>,
    fields: &mut Vec<Option<(usize, usize)>>,
) -> Result<(), Malformed> {
    fields.clear();
    bytes.clear();
    let row = row.strip_suffix(b"\n").ok_or(Malformed)?;
    for field in row.split(|byte| *byte == b'\t') {
        if field == b"\\N" {
            fields.push(None);
            continue;
        }
        let start = bytes.len();
        unescape(field, bytes);
        fields.push(Some((start, bytes.len())));
    }
    Ok(())
}

/// Takes the escapes out of one field of a text row.
pub(crate) fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        // The server escapes with these letters and doubles the backslash; it sends no octal.
        out.push(match rest.get(at + 1) {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(other) => *other,
            None => b'\\',
        });
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Writes one field of a text row, `None` as `\N`.
pub(crate) fn put_text(out: &mut BytesMut, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.put_slice(b"\\N");
        return;
    };
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t')) {
        out.put_slice(&rest[..at]);
        out.put_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\t",
        });
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_row_reads_back_as_it_was_written(row: Vec<Option<Vec<u8>>>) {
            prop_assume!(!row.is_empty());
            let mut out = BytesMut::new();
            for (i, field) in row.iter().enumerate() {
                if i > 0 {
                    out.put_u8(b'\t');
                }
                put_text(&mut out, field.as_deref());
            }
            out.put_u8(b'\n');
            let (mut bytes, mut fields) = (Vec::new(), Vec::new());
            text_fields(&out, &mut bytes, &mut fields).unwrap();
            let back: Vec<_> = fields.iter().map(|f| f.map(|(a, b)| bytes[a..b].to_vec())).collect();
            prop_assert_eq!(back, row);
        }

        #[test]
        fn a_binary_row_reads_back_and_no_garbage_panics(row: Vec<Option<Vec<u8>>>, garbage: Vec<u8>) {
            let mut out = BytesMut::new();
            put_binary_count(&mut out, row.len()).unwrap();
            for field in &row {
                put_binary_length(&mut out, field.as_ref().map(Vec::len)).unwrap();
                out.put_slice(field.as_deref().unwrap_or_default());
            }
            let mut fields = Vec::new();
            binary_fields(&out, &mut fields).unwrap();
            let back: Vec<_> = fields.iter().map(|f| f.map(|(a, b)| out[a..b].to_vec())).collect();
            prop_assert_eq!(back, row);
            let _ = binary_fields(&garbage, &mut fields);
            let _ = binary_row(Bytes::from(garbage), &mut true);
        }
    }

    #[test]
    fn the_header_goes_and_the_trailer_ends() {
        let mut first = true;
        let message = Bytes::from([HEADER, &[0, 0]].concat());
        assert_eq!(binary_row(message, &mut first), Ok(Some(Bytes::from_static(&[0, 0]))));
        assert_eq!(binary_row(Bytes::from_static(TRAILER), &mut first), Ok(None));
    }
}
