//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, AES-256-GCM with a nonce of 32 bytes; the path of the
//! value is authenticated with it, so that a value cannot be moved.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{AesGcm, aes::Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::node::Node;

type Cipher = AesGcm<Aes256, U32>;

/// The key of one file, which is itself encrypted for each recipient.
pub(super) struct DataKey(Cipher);

/// The parts of one encrypted value.
pub(super) struct Encrypted<'a> {
    data: &'a str,
    nonce: &'a str,
    tag: &'a str,
    /// The type of the value: str, int, float, bool, bytes, time or comment.
    pub kind: &'a str,
}

impl<'a> Encrypted<'a> {
    /// Takes the text apart; `None` where it is not of this form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
        let (data, rest) = inner.split_once(",iv:")?;
        let (nonce, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        Some(Self { data, nonce, tag, kind })
    }
}

impl DataKey {
    /// 32 bytes of key.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Cipher::new_from_slice(bytes).ok().map(Self)
    }

    /// The value of one leaf. `None` when it was changed, moved, or is of no known type.
    pub fn value(&self, text: &str, path: &[String]) -> Option<Node> {
        let encrypted = Encrypted::parse(text)?;
        let mut associated = path.join(":");
        associated.push(':');
        let plain = self.open(&encrypted, &associated)?;
        Some(match encrypted.kind {
            "str" | "bytes" | "time" => Node::Text(plain),
            "int" => Node::Int(plain.parse().ok()?),
            // sops writes 2.0 as 2 and reads it back as a whole number.
            "float" => match plain.parse() {
                Ok(whole) => Node::Int(whole),
                Err(_) => Node::Float(plain.parse().ok()?),
            },
            "bool" => match plain.as_str() {
                "True" | "true" => Node::Bool(true),
                "False" | "false" => Node::Bool(false),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The text of an encrypted value.
    pub fn open(&self, encrypted: &Encrypted<'_>, associated: &str) -> Option<String> {
        let nonce: [u8; 32] = STANDARD.decode(encrypted.nonce).ok()?.try_into().ok()?;
        let mut message = STANDARD.decode(encrypted.data).ok()?;
        message.extend(STANDARD.decode(encrypted.tag).ok()?);
        let payload = Payload { msg: &message, aad: associated.as_bytes() };
        String::from_utf8(self.0.decrypt(&nonce.into(), payload).ok()?).ok()
    }
}

/// How a value enters the message authentication code.
pub(super) fn mac_bytes(node: &Node) -> Vec<u8> {
    match node {
        Node::Bool(true) => b"True".to_vec(),
        Node::Bool(false) => b"False".to_vec(),
        Node::Int(number) => number.to_string().into_bytes(),
        Node::Large(number) => number.to_string().into_bytes(),
        Node::Float(number) => number.to_string().into_bytes(),
        Node::Text(text) => text.clone().into_bytes(),
        Node::Null | Node::List(_) | Node::Map(_) => Vec::new(),
    }
}

/// Hexadecimal digits in upper case, as SOPS writes its code.
pub(super) fn hex_upper(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}
