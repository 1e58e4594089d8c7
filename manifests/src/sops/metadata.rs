//! SOPS' metadata: for whom a file is encrypted, and which of its values are.

use std::io::Read as _;

use age::armor::ArmoredReader;
use regex::Regex;

use super::SopsError;
use super::cipher::{DataKey, Encrypted};
use crate::node::Node;

/// What enters the code first where it covers encrypted values alone, so that both kinds of code always differ.
/// The value is SOPS' constant `MACOnlyEncryptedInitialization`.
pub(super) const MAC_ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b,
    0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Which values are encrypted. A file has at most one rule.
enum Rule {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Regex),
    EncryptedRegex(Regex),
    /// A rule over comments, which are not read here: whatever has the form of an encrypted value is one. The message
    /// authentication code still covers every value.
    ByForm,
}

/// What the key `sops` of a file says.
pub(super) struct Metadata {
    rule: Rule,
    recipients: Vec<(String, String)>,
    mac: String,
    last_modified: String,
    pub mac_only_encrypted: bool,
}

impl Metadata {
    /// Reads the value of the key `sops`.
    pub fn read(node: &Node) -> Result<Self, SopsError> {
        let text =
            |key: &str| node.get(key).and_then(Node::text).filter(|text| !text.is_empty()).map(str::to_owned);
        if matches!(node.get("shamir_threshold"), Some(Node::Int(threshold)) if *threshold > 1) {
            return Err(SopsError::Metadata("key groups with a Shamir threshold are not read"));
        }
        let groups = match node.get("key_groups") {
            Some(Node::List(groups)) => groups.iter().filter_map(|group| group.get("age")).collect(),
            _ => Vec::new(),
        };
        let lists = node.get("age").into_iter().chain(groups);
        let recipients: Vec<_> = lists
            .filter_map(|list| if let Node::List(items) = list { Some(items) } else { None })
            .flatten()
            .filter_map(|item| {
                Some((item.get("recipient")?.text()?.to_owned(), item.get("enc")?.text()?.to_owned()))
            })
            .collect();
        if recipients.is_empty() {
            return Err(SopsError::NoAge);
        }
        Ok(Self {
            rule: rule(&text)?,
            recipients,
            mac: text("mac").ok_or(SopsError::Metadata("mac is missing"))?,
            last_modified: text("lastmodified").ok_or(SopsError::Metadata("lastmodified is missing"))?,
            mac_only_encrypted: matches!(node.get("mac_only_encrypted"), Some(Node::Bool(true))),
        })
    }

    /// Whether the value at this path is encrypted.
    pub fn is_encrypted(&self, path: &[String], text: Option<&str>) -> bool {
        match &self.rule {
            Rule::UnencryptedSuffix(suffix) => !path.iter().any(|key| key.ends_with(suffix.as_str())),
            Rule::EncryptedSuffix(suffix) => path.iter().any(|key| key.ends_with(suffix.as_str())),
            Rule::UnencryptedRegex(regex) => !path.iter().any(|key| regex.is_match(key)),
            Rule::EncryptedRegex(regex) => path.iter().any(|key| regex.is_match(key)),
            Rule::ByForm => text.is_some_and(|text| Encrypted::parse(text).is_some()),
        }
    }

    /// The file's key, opened by one of the identities.
    pub fn data_key(&self, identities: &[age::x25519::Identity]) -> Result<DataKey, SopsError> {
        let opened = self.recipients.iter().find_map(|(_, sealed)| open(sealed, identities));
        let bytes = opened.ok_or_else(|| {
            let names: Vec<_> = self.recipients.iter().map(|(recipient, _)| recipient.as_str()).collect();
            SopsError::WrongKey(names.join(", "))
        })?;
        DataKey::new(&bytes).ok_or(SopsError::Metadata("the data key has the wrong length"))
    }

    /// The code that the file claims, in upper-case hexadecimal digits.
    pub fn mac(&self, key: &DataKey) -> Result<String, SopsError> {
        Encrypted::parse(&self.mac).and_then(|mac| key.open(&mac, &self.last_modified)).ok_or(SopsError::Mac)
    }
}

fn rule(text: &impl Fn(&str) -> Option<String>) -> Result<Rule, SopsError> {
    let regex = |pattern: String| {
        Regex::new(&pattern).map_err(|_| SopsError::Metadata("the regular expression cannot be read"))
    };
    let mut rules = Vec::new();
    rules.extend(text("unencrypted_suffix").map(Rule::UnencryptedSuffix));
    rules.extend(text("encrypted_suffix").map(Rule::EncryptedSuffix));
    rules.extend(text("unencrypted_regex").map(regex).transpose()?.map(Rule::UnencryptedRegex));
    rules.extend(text("encrypted_regex").map(regex).transpose()?.map(Rule::EncryptedRegex));
    rules.extend(text("unencrypted_comment_regex").map(|_| Rule::ByForm));
    rules.extend(text("encrypted_comment_regex").map(|_| Rule::ByForm));
    match (rules.pop(), rules.is_empty()) {
        (Some(rule), true) => Ok(rule),
        (None, _) => Ok(Rule::UnencryptedSuffix("_unencrypted".to_owned())),
        (Some(_), false) => Err(SopsError::Metadata("it has more than one rule of what is encrypted")),
    }
}

/// Opens one age file; a data key has 32 bytes, so reading stops soon after.
fn open(sealed: &str, identities: &[age::x25519::Identity]) -> Option<Vec<u8>> {
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes())).ok()?;
    let reader = decryptor.decrypt(identities.iter().map(|identity| identity as &dyn age::Identity)).ok()?;
    let mut bytes = Vec::with_capacity(32);
    reader.take(64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
