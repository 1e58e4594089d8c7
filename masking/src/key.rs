//! Keys: one master key, one key per domain (HKDF-SHA256, RFC 5869), one pseudo-random value per masked value
//! (HMAC-SHA256, RFC 2104, with both key blocks compressed beforehand).

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::policy::KeyVersion;

/// The secret from which all masked values derive. Never printed, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// Why a text is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Too short to be random enough.
    #[error("the master key is shorter than 32 bytes; make one with `openssl rand -hex 32`")]
    Short,
}

impl MasterKey {
    /// A key from what a variable or file holds: 64 hexadecimal digits are 32 bytes; anything else of at least 32 bytes
    /// is taken as it stands (white space at the ends left out) and condensed.
    ///
    /// # Errors
    /// Fewer than 32 bytes.
    pub fn parse(secret: &[u8]) -> Result<Self, BadKey> {
        let secret = secret.trim_ascii();
        if secret.len() == 64
            && let Some(bytes) = hex(secret)
        {
            return Ok(Self(bytes));
        }
        if secret.len() < 32 {
            return Err(BadKey::Short);
        }
        let mut key = [0; 32];
        derive(secret, b"keelway masking master", &mut key);
        Ok(Self(key))
    }

    /// The key of a domain.
    pub(crate) fn domain(&self, domain: &str, version: KeyVersion) -> DomainKey {
        let mut key = self.derive(&format!("domain/{}/{domain}", version.0));
        let prf = DomainKey::new(&key);
        key.zeroize();
        prf
    }

    /// 32 bytes for another use, as for signing a report: `label` says which.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        let mut out = [0; 32];
        derive(&self.0, format!("keelway masking v1/{label}").as_bytes(), &mut out);
        out
    }

    /// A short name of the key for reports: tells two keys apart and gives nothing away.
    pub fn fingerprint(&self) -> String {
        self.derive("fingerprint")[..6].iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}

/// HKDF-SHA256 without salt. 32 bytes are always within HKDF's limit, so expansion cannot fail.
fn derive(secret: &[u8], info: &[u8], out: &mut [u8; 32]) {
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info, out);
    debug_assert!(expanded.is_ok());
}

/// 32 pseudo-random bytes that a value stands for.
pub(crate) type Tag = [u8; 32];

/// HMAC-SHA256 under one domain's key. The two padded key blocks are compressed once, so that a value of up to 55 bytes
/// costs two compressions.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct DomainKey {
    inner: [u32; 8],
    outer: [u32; 8],
    cipher: [u8; 32],
}

/// SHA-256's initial state (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl DomainKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let keyed = |pad: u8| {
            let mut block = [pad; 64];
            for (b, k) in block.iter_mut().zip(key) {
                *b ^= k;
            }
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            block.zeroize();
            state
        };
        let mut prf = Self { inner: keyed(0x36), outer: keyed(0x5c), cipher: [0; 32] };
        // The block ciphers get a key of their own, apart from every tag: no value's canonical form starts with NUL.
        prf.cipher = prf.tag(b"\0block cipher");
        prf
    }

    /// The key for block ciphers over this domain.
    pub(crate) fn cipher_key(&self) -> &[u8; 32] {
        &self.cipher
    }

    /// HMAC-SHA256 of `message`.
    pub(crate) fn tag(&self, message: &[u8]) -> Tag {
        let mut state = self.inner;
        absorb(&mut state, message);
        let mut block = [0; 64];
        store(&state, &mut block);
        // The padding of a digest after the outer key block.
        block[32] = 0x80;
        block[56..].copy_from_slice(&((64u64 + 32) * 8).to_be_bytes());
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        let mut digest = [0; 32];
        store(&state, &mut digest);
        digest
    }
}

/// Hashes `message` and the padding after a first block of 64 bytes.
fn absorb(state: &mut [u32; 8], message: &[u8]) {
    let bits = ((64 + message.len() as u64) * 8).to_be_bytes();
    let (blocks, rest) = message.as_chunks::<64>();
    if !blocks.is_empty() {
        compress256(state, blocks);
    }
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    if rest.len() >= 56 {
        compress256(state, &[last]);
        last = [0; 64];
    }
    last[56..].copy_from_slice(&bits);
    compress256(state, &[last]);
}

/// Writes the state at the start of `out`.
fn store(state: &[u32; 8], out: &mut [u8]) {
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_precomputed_hmac_equals_the_usual_one(key: [u8; 32], message in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut usual = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            usual.update(&message);
            prop_assert_eq!(DomainKey::new(&key).tag(&message).to_vec(), usual.finalize().into_bytes().to_vec());
        }
    }

    #[test]
    fn a_master_key_is_hexadecimal_or_any_32_bytes_and_never_prints() {
        let key =
            MasterKey::parse(b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n").unwrap();
        assert_eq!(key.0[31], 0x1f);
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
        assert!(MasterKey::parse(&[b'x'; 40]).is_ok());
        assert_eq!(MasterKey::parse(b"short").unwrap_err(), BadKey::Short);
    }

    #[test]
    fn domains_and_versions_have_keys_of_their_own() {
        let key = MasterKey([7; 32]);
        let tag = |domain: &str, version| key.domain(domain, KeyVersion(version)).tag(b"1");
        assert_ne!(tag("a", 1), tag("b", 1));
        assert_ne!(tag("a", 1), tag("a", 2));
        assert_eq!(tag("a", 1), tag("a", 1));
    }
}
