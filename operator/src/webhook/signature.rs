//! How git hosts sign: an HMAC-SHA256 over the raw bytes of the body, or a token. Compared in constant time.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a notification says of itself.
pub(super) enum Claim {
    /// An HMAC-SHA256 of the body (GitHub, Gitea, Forgejo, Bitbucket).
    Signature(Vec<u8>),
    /// The token itself (GitLab).
    Token(Vec<u8>),
}

impl Claim {
    /// Reads the headers. Where several are there, each of them must be of one and the same claim: Gitea sends its own
    /// and GitHub's.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let prefixed = ["x-hub-signature-256", "x-hub-signature"]
            .iter()
            .find_map(|name| text(name)?.strip_prefix("sha256="));
        let plain = ["x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"]
            .iter()
            .find_map(|name| text(name));
        if let Some(digits) = prefixed.or(plain) {
            return hex(digits).map(Self::Signature);
        }
        text("x-gitlab-token")
            .filter(|token| !token.is_empty())
            .map(|token| Self::Token(token.as_bytes().to_vec()))
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// The hash of a body as it arrives.
pub(super) struct Check {
    mac: Hmac<Sha256>,
    token: Option<Vec<u8>>,
    key: Vec<u8>,
}

impl Check {
    /// With the secret of the webhook; an empty one signs nothing.
    pub fn new(secret: &str, claim: &Claim) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        let mac = Hmac::new_from_slice(secret.as_bytes()).ok()?;
        let token = if let Claim::Token(token) = claim { Some(token.clone()) } else { None };
        Some(Self { mac, token, key: secret.as_bytes().to_vec() })
    }

    /// The next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.mac.update(bytes);
    }

    /// Whether the claim holds.
    pub fn holds(self, claim: &Claim) -> bool {
        match (claim, self.token) {
            (Claim::Signature(signature), None) => self.mac.verify_slice(signature).is_ok(),
            // Both are hashed first, so that the comparison takes as long whatever their length is.
            (Claim::Token(_), Some(token)) => match (digest(&self.key, &token), digest(&self.key, &self.key))
            {
                (Some(given), Some(wanted)) => given.verify(&wanted.finalize().into_bytes()).is_ok(),
                _ => false,
            },
            _ => false,
        }
    }
}

fn digest(key: &[u8], message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

/// A signature as GitHub writes it; an empty secret signs nothing.
pub(super) fn sign(secret: &str, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let bytes = digest(secret.as_bytes(), body).map(|mac| mac.finalize().into_bytes());
    bytes.into_iter().flatten().fold("sha256=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        entries.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn accepts(entries: &[(&'static str, &str)], body: &[u8]) -> bool {
        let Some(claim) = Claim::of(&headers(entries)) else { return false };
        let mut check = Check::new("secret", &claim).unwrap();
        check.update(body);
        check.holds(&claim)
    }

    #[test]
    fn the_schemes_of_all_hosts_are_understood() {
        let body = b"{}";
        let signed = sign("secret", body);
        let digits = signed.strip_prefix("sha256=").unwrap();
        assert!(accepts(&[("x-hub-signature-256", &signed)], body));
        assert!(accepts(&[("x-hub-signature", &signed)], body));
        for name in ["x-gitea-signature", "x-forgejo-signature"] {
            assert!(accepts(&[(name, digits)], body), "{name}");
        }
        assert!(accepts(&[("x-gitlab-token", "secret")], body));
    }

    #[test]
    fn what_github_documents_as_an_example_holds() {
        // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        let claim = Claim::of(&headers(&[(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )]))
        .unwrap();
        let mut check = Check::new("It's a Secret to Everybody", &claim).unwrap();
        check.update(b"Hello, World!");
        assert!(check.holds(&claim));
    }

    #[test]
    fn everything_else_is_refused() {
        let body = b"{}";
        let signed = sign("secret", body);
        let other = sign("other", body);
        for entries in [
            &[][..],
            &[("x-hub-signature-256", other.as_str())],
            &[("x-hub-signature-256", "sha256=")],
            &[("x-hub-signature-256", "sha1=00")],
            &[("x-hub-signature-256", signed.trim_end_matches(|c: char| c.is_ascii_hexdigit()))],
            &[("x-gitlab-token", "")],
            &[("x-gitlab-token", "secret2")],
            &[("x-gitlab-token", "secre")],
            // A wrong signature is not saved by a right token.
            &[("x-hub-signature-256", other.as_str()), ("x-gitlab-token", "secret")],
        ] {
            assert!(!accepts(entries, body), "{entries:?}");
        }
        for index in 0..64 {
            let mut flipped = signed.clone().into_bytes();
            flipped[7 + index] ^= 1;
            let flipped = String::from_utf8(flipped).unwrap();
            assert!(!accepts(&[("x-hub-signature-256", &flipped)], body), "digit {index}");
        }
        assert!(Check::new("", &Claim::Token(b"x".to_vec())).is_none());
    }
}
