//! Files encrypted with SOPS and age, decrypted in memory.
//!
//! The library for age is the crate `age`; the ciphers and hashes are RustCrypto's. Only SOPS' own format is ours: which
//! values are encrypted (`metadata`), how one value is written (`cipher`), and the message authentication code over all of
//! them (here). No value and no key stands in an error.

mod cipher;
mod metadata;

use std::fmt;
use std::str::FromStr as _;

use sha2::{Digest as _, Sha512};

use crate::node::Node;
use cipher::DataKey;
use metadata::Metadata;

/// Why a file cannot be decrypted, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SopsError {
    /// The ConfigRepo has no keys.
    #[error("the file is encrypted with SOPS; name a Secret with an age key in spec.decryption.secretRef")]
    NoIdentities,
    /// The file is not encrypted for age.
    #[error(
        "the file is encrypted with SOPS, but not for age; run 'sops rotate -i --add-age <recipient>' on it"
    )]
    NoAge,
    /// None of the keys fits.
    #[error(
        "none of the age keys of spec.decryption.secretRef opens the file, which is encrypted for {0}; add the key of one of them, or run 'sops updatekeys' on it"
    )]
    WrongKey(String),
    /// The metadata is damaged or uses what is not read.
    #[error("the SOPS metadata cannot be used: {0}; encrypt the file again with sops")]
    Metadata(&'static str),
    /// A value was changed after it was encrypted.
    #[error(
        "the value of {0} cannot be decrypted: it was changed or moved after encryption; edit the file with 'sops edit'"
    )]
    Value(String),
    /// The code over all values is wrong.
    #[error("the file was changed after it was encrypted (its MAC is wrong); edit it with 'sops edit'")]
    Mac,
}

/// Age identities, the private halves of age keys.
pub struct Identities(Vec<age::x25519::Identity>);

impl Identities {
    /// Reads the identities of key files, one a line; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// Names the line that is no age identity, without showing it.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut identities = Vec::new();
        for (name, text) in files {
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let identity = age::x25519::Identity::from_str(line).map_err(|_| {
                    format!("line {} of {name} is not an age identity (AGE-SECRET-KEY-1…)", index + 1)
                })?;
                identities.push(identity);
            }
        }
        if identities.is_empty() {
            return Err("there is no age identity (AGE-SECRET-KEY-1…) in keys that end in .agekey".to_owned());
        }
        Ok(Self(identities))
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} age identities", self.0.len())
    }
}

/// Whether the documents of a file carry SOPS' metadata.
pub(crate) fn is_encrypted(documents: &[(usize, Node)]) -> bool {
    documents.iter().any(|(_, node)| node.get("sops").is_some_and(|sops| sops.get("mac").is_some()))
}

/// Decrypts the documents of one file in place and takes SOPS' metadata out.
pub(crate) fn decrypt(
    documents: &mut [(usize, Node)],
    identities: Option<&Identities>,
) -> Result<(), SopsError> {
    let identities = identities.ok_or(SopsError::NoIdentities)?;
    let metadata = documents.iter().find_map(|(_, node)| node.get("sops")).map(Metadata::read);
    let metadata = metadata.unwrap_or(Err(SopsError::Metadata("there is none")))?;
    let key = metadata.data_key(&identities.0)?;
    let mut walk = Walk { metadata: &metadata, key: &key, hash: Sha512::new(), path: Vec::new() };
    if metadata.mac_only_encrypted {
        walk.hash.update(metadata::MAC_ONLY_ENCRYPTED);
    }
    for (_, node) in documents.iter_mut() {
        if let Node::Map(entries) = node {
            entries.retain(|(name, _)| name != "sops");
        }
        walk.node(node)?;
    }
    let found = walk.hash.finalize();
    let wanted = metadata.mac(&key)?;
    // Both sides are public once the file is decrypted; the comparison decides about tampering, not about a secret.
    if cipher::hex_upper(&found) == wanted { Ok(()) } else { Err(SopsError::Mac) }
}

/// Goes through a document in its order, decrypting and hashing.
struct Walk<'a> {
    metadata: &'a Metadata,
    key: &'a DataKey,
    hash: Sha512,
    path: Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node) -> Result<(), SopsError> {
        match node {
            Node::Map(entries) => {
                for (name, value) in entries {
                    self.path.push(name.clone());
                    self.node(value)?;
                    self.path.pop();
                }
                Ok(())
            }
            Node::List(items) => {
                // A comment within a list is an item of its own once decrypted; it is no value of the document.
                let mut kept = Vec::with_capacity(items.len());
                for mut item in std::mem::take(items) {
                    if !self.is_comment(&item) {
                        self.node(&mut item)?;
                        kept.push(item);
                    }
                }
                *items = kept;
                Ok(())
            }
            Node::Null => Ok(()),
            leaf => self.leaf(leaf),
        }
    }

    fn is_comment(&self, node: &Node) -> bool {
        node.text()
            .is_some_and(|text| cipher::Encrypted::parse(text).is_some_and(|value| value.kind == "comment"))
            && self.metadata.is_encrypted(&self.path, node.text())
    }

    fn leaf(&mut self, node: &mut Node) -> Result<(), SopsError> {
        let encrypted = self.metadata.is_encrypted(&self.path, node.text());
        if encrypted {
            let broken = || SopsError::Value(self.path.join("."));
            let text = node.text().ok_or_else(broken)?;
            *node = if text.is_empty() {
                Node::Text(String::new())
            } else {
                self.key.value(text, &self.path).ok_or_else(broken)?
            };
        }
        if encrypted || !self.metadata.mac_only_encrypted {
            self.hash.update(cipher::mac_bytes(node));
        }
        Ok(())
    }
}
