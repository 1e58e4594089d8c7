//! What the API server says of a Secret may repeat its values. They are taken out before anybody sees the words.

use serde_json::Value;

/// Shorter values are left: taking them out would leave no readable sentence, and they hide nothing.
const SHORTEST: usize = 4;

/// The message without values of the object, where the object is a Secret.
pub fn redact(message: &str, object: &Value) -> String {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if text("kind") != Some("Secret") {
        return message.to_owned();
    }
    let mut message = cut_values(message);
    let values = ["data", "stringData"].iter().filter_map(|key| object.get(*key)?.as_object());
    for value in values.flat_map(|data| data.values()).filter_map(Value::as_str) {
        for part in value.lines().chain(decode(value).iter().flat_map(|plain| plain.lines())) {
            if part.len() >= SHORTEST {
                message = message.replace(part, "***");
            }
        }
    }
    message
}

/// The API server quotes what it refuses as `Invalid value: "…"`.
fn cut_values(message: &str) -> String {
    const QUOTE: &str = "Invalid value: ";
    let mut parts = message.split(QUOTE);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(QUOTE);
        text.push_str("***");
        let quoted = part.strip_prefix('"').and_then(end_of_quote);
        text.push_str(quoted.or_else(|| part.find(": ").map(|at| &part[at..])).unwrap_or_default());
    }
    text
}

/// What follows the quote's end; an escaped quote does not end it.
fn end_of_quote(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return text.get(at + 1..),
            _ => escaped = false,
        }
    }
    None
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes().filter(|byte| !b"=\r\n".contains(byte)) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 0xff).unwrap_or_default());
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_of_a_secret_survives() {
        let secret = json!({"kind": "Secret", "data": {"a": "aHVudGVyMg==", "b": "bm90LWJhc2U2NCE"}, "stringData": {"c": "first-line\nsecond-line"}});
        for message in [
            "data[a]: Invalid value: \"aHVudGVyMg==\": too long",
            "the password hunter2 is weak",
            "cannot use second-line here",
            "Invalid value: \"quote \\\" hunter2 rest\": no",
            "Invalid value: map[a:hunter2]: no",
        ] {
            let clean = redact(message, &secret);
            for value in ["aHVudGVyMg", "hunter2", "second-line"] {
                assert!(!clean.contains(value), "{clean}");
            }
        }
        assert_eq!(
            redact("data[a]: Invalid value: \"x\": too long", &secret),
            "data[a]: Invalid value: ***: too long"
        );
    }

    #[test]
    fn other_kinds_keep_their_words() {
        let map = json!({"kind": "ConfigMap", "data": {"a": "hunter2"}});
        assert_eq!(redact("Invalid value: \"hunter2\"", &map), "Invalid value: \"hunter2\"");
    }
}
