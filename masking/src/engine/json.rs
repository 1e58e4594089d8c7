//! JSON documents: walked byte by byte, copied where kept, masked where a path says so. Nothing is parsed into a tree,
//! so numbers, key order and spacing of what is kept stay as they were.

#![allow(
    clippy::unit_arg,
    reason = "an Option tells whether the value fitted; what was appended is nothing to name"
)]

use super::Wire;
use super::cell::{Context, Outcome};
use super::codec::Codec;
use super::encode::push_json_string;
use super::path::{self, Node};
use super::value::{Made, Value};
use crate::draw::push_tag;
use crate::key::DomainKey;
use crate::mask::{Masker, Refused};
use crate::policy::{JsonMask, UnknownPath};

/// Why a document is refused that has more than the policy knows.
const UNDECIDED: Refused =
    "the document has a path that the policy does not decide; add it to `paths`, or say `unknown: nullify`";
/// Deepest nesting that is read.
const DEPTH: usize = 512;
const BROKEN: Refused = "the value is no well-formed JSON, or nested more than 512 levels deep";

/// A decision at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Refuse,
    Null,
    Keep,
    /// One of the maskers.
    Mask(usize),
}

/// The mask of a JSON column.
#[derive(Clone)]
pub(crate) struct JsonMasker {
    nodes: Vec<Node<Rule>>,
    maskers: Vec<Masker>,
    keys: DomainKey,
    unknown: Rule,
    /// `jsonb` in binary starts with a version byte.
    version: bool,
}

impl JsonMasker {
    /// # Errors
    /// A path or a mask that is wrong.
    pub(crate) fn new(
        options: &JsonMask,
        jsonb: bool,
        wire: Wire,
        keys: DomainKey,
        build: &mut dyn FnMut(&crate::policy::Leaf, Codec) -> Result<Masker, String>,
    ) -> Result<Self, String> {
        let unknown = match options.unknown {
            UnknownPath::Refuse => Rule::Refuse,
            UnknownPath::Nullify => Rule::Null,
            UnknownPath::Keep => Rule::Keep,
        };
        let version = jsonb && wire == Wire::Binary;
        let mut made = Self { nodes: vec![Node::default()], maskers: Vec::new(), keys, unknown, version };
        for entry in &options.paths {
            let at = path::place(&mut made.nodes, &entry.path)?;
            let rule = match &entry.mask {
                None => Rule::Keep,
                Some(leaf) => {
                    let masker =
                        build(leaf, Codec::json()).map_err(|why| format!("path {}: {why}", entry.path))?;
                    made.maskers.push(masker);
                    Rule::Mask(made.maskers.len() - 1)
                }
            };
            made.nodes[at].rule = Some(rule);
            made.nodes[at].mask_keys |= entry.mask_keys;
        }
        Ok(made)
    }

    /// Masks a document and appends it to `out`.
    pub(crate) fn apply(
        &self,
        raw: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Refused> {
        let (version, text) =
            if self.version { raw.split_at_checked(1).ok_or(BROKEN)? } else { raw.split_at(0) };
        out.extend_from_slice(version);
        let text = std::str::from_utf8(text).map_err(|_| BROKEN)?;
        let mut walk = Walk { masker: self, text, at: 0, context, out };
        walk.space();
        walk.value(Some(0), self.unknown, 0)?;
        walk.space();
        if walk.at == text.len() { Ok(Outcome::Written) } else { Err(BROKEN) }
    }
}

/// A document on its way through.
struct Walk<'a, 'r, 'c> {
    masker: &'a JsonMasker,
    text: &'a str,
    at: usize,
    context: &'a mut Context<'r>,
    out: &'c mut Vec<u8>,
}

impl<'a> Walk<'a, '_, '_> {
    fn peek(&self) -> Result<u8, Refused> {
        self.text.as_bytes().get(self.at).copied().ok_or(BROKEN)
    }

    /// Copies white space.
    fn space(&mut self) {
        while let Some(byte) =
            self.text.as_bytes().get(self.at).filter(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t'))
        {
            self.out.push(*byte);
            self.at += 1;
        }
    }

    /// Copies one expected byte.
    fn expect(&mut self, byte: u8) -> Result<(), Refused> {
        if self.peek()? != byte {
            return Err(BROKEN);
        }
        self.out.push(byte);
        self.at += 1;
        Ok(())
    }

    /// One value, at a node of the paths (if any path leads here) with the rule from above.
    fn value(&mut self, node: Option<usize>, rule: Rule, depth: usize) -> Result<(), Refused> {
        if depth > DEPTH {
            return Err(BROKEN);
        }
        let place = node.and_then(|n| self.masker.nodes.get(n));
        let rule = place.and_then(|n| n.rule).unwrap_or(rule);
        let found = match self.peek()? {
            b'{' => self.object(place, rule, depth)?,
            b'[' => {
                self.expect(b'[')?;
                let inner = place.and_then(|n| n.items);
                self.list(b']', |walk| walk.value(inner, rule, depth + 1))?
            }
            _ => return self.scalar(rule, place.is_some()),
        };
        // Where nothing is within, no value is refused, but the key that leads here would leave.
        if found == 0 && place.is_none() && matches!(rule, Rule::Refuse) { Err(UNDECIDED) } else { Ok(()) }
    }

    fn object(&mut self, place: Option<&'a Node<Rule>>, rule: Rule, depth: usize) -> Result<usize, Refused> {
        self.expect(b'{')?;
        let mut unknown = 0;
        self.list(b'}', |walk| {
            let start = walk.at;
            let key = walk.string()?;
            let named = place.and_then(|n| n.keys.get(key.as_ref()).copied());
            let inner = named.or(place.and_then(|n| n.any));
            let any = named.is_none().then_some(inner).flatten().and_then(|n| walk.masker.nodes.get(n));
            if any.is_some_and(|n| n.mask_keys) {
                let mut tag = String::new();
                push_tag(&walk.masker.keys.tag(key.as_bytes()), &mut tag);
                push_json_string(&tag, walk.out);
            } else if inner.is_none() && matches!(rule, Rule::Null) {
                // A key that the policy does not name may be data itself, as in {"taro@example.jp": 3}.
                unknown += 1;
                walk.out.extend_from_slice(format!("\"_{unknown}\"").as_bytes());
            } else {
                walk.out.extend_from_slice(&walk.text.as_bytes()[start..walk.at]);
            }
            walk.space();
            walk.expect(b':')?;
            walk.space();
            walk.value(inner, rule, depth + 1)
        })
    }

    /// Items between commas up to `end`; how many there are.
    fn list(
        &mut self,
        end: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), Refused>,
    ) -> Result<usize, Refused> {
        self.space();
        if self.peek()? == end {
            return self.expect(end).map(|()| 0);
        }
        let mut count = 0;
        loop {
            item(self)?;
            count += 1;
            self.space();
            if self.peek()? == end {
                return self.expect(end).map(|()| count);
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// Reads a string without copying it.
    fn string(&mut self) -> Result<std::borrow::Cow<'a, str>, Refused> {
        let rest = &self.text.as_bytes()[self.at..];
        let body = rest.strip_prefix(b"\"").ok_or(BROKEN)?;
        let mut end = 0;
        let mut escaped = false;
        while let Some(found) = body.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            end += found;
            if body.get(end) == Some(&b'"') {
                break;
            }
            escaped = true;
            end += 2;
        }
        if body.get(end) != Some(&b'"') {
            return Err(BROKEN);
        }
        let start = self.at + 1;
        self.at = start + end + 1;
        let body = &self.text[start..start + end];
        if !escaped {
            return Ok(body.into());
        }
        serde_json::from_str::<String>(&self.text[start - 1..self.at]).map(Into::into).map_err(|_| BROKEN)
    }

    /// `known`: the policy has paths that lead here, or further.
    fn scalar(&mut self, rule: Rule, known: bool) -> Result<(), Refused> {
        let start = self.at;
        let string = (self.peek()? == b'"').then(|| self.string()).transpose()?;
        if string.is_none() {
            let rest = &self.text[start..];
            let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
            self.at += end;
        }
        let plain = &self.text[start..self.at];
        match rule {
            _ if plain.is_empty() => Err(BROKEN),
            Rule::Refuse if !known => Err(UNDECIDED),
            _ if plain == "null" => Ok(self.out.extend_from_slice(b"null")),
            Rule::Keep => Ok(self.out.extend_from_slice(plain.as_bytes())),
            Rule::Null => Ok(self.out.extend_from_slice(b"null")),
            Rule::Refuse => Err(UNDECIDED),
            Rule::Mask(index) => self.mask(index, plain, string.as_deref()),
        }
    }

    /// Masks a scalar. A value that the mask cannot work on becomes null: documents vary, and nothing may leak.
    fn mask(&mut self, index: usize, plain: &str, string: Option<&str>) -> Result<(), Refused> {
        let Some(masker) = self.masker.maskers.get(index) else { return Err(BROKEN) };
        let number = plain.parse::<i64>().map(Value::Int).ok();
        let value = match string {
            Some(text) => masker.as_date(text).unwrap_or(Value::Text(text)),
            None if plain == "true" || plain == "false" => Value::Bool(plain == "true"),
            None if masker.takes_text() => Value::Text(plain),
            None => match number {
                Some(number) => number,
                None if plain.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') => {
                    Value::Decimal(plain)
                }
                None => Value::Float(plain.parse().map_err(|_| BROKEN)?),
            },
        };
        let made = self.context.make(masker, value);
        let start = self.out.len();
        let written = match made {
            Ok(Made::Same) => Some(self.out.extend_from_slice(plain.as_bytes())),
            Ok(Made::Literal(i)) => Some(self.out.extend_from_slice(masker.literal(i))),
            Ok(Made::Null) | Err(_) => None,
            Ok(made) => Codec::json().encode(&made, &self.context.scratch.text, self.out),
        };
        if written.is_none() {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
        Ok(())
    }
}
