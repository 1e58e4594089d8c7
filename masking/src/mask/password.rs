//! A real hash of a known password, made once per column.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};

use crate::key::Tag;
use crate::policy::{Password, PasswordHash};

/// Memory that argon2id uses, in KiB: OWASP's second choice (19 MiB, 2 passes).
const MEMORY: u32 = 19 * 1024;

/// The hash with a salt drawn from `tag`.
///
/// # Errors
/// A cost out of range.
pub(crate) fn hash(options: &Password, tag: &Tag) -> Result<String, String> {
    let mut salt = [0; 16];
    salt.copy_from_slice(&tag[..16]);
    let secret = options.value.as_bytes();
    match options.algorithm {
        PasswordHash::Bcrypt => {
            let cost = options.cost.unwrap_or(10);
            if !(4..=15).contains(&cost) {
                return Err(format!("cost {cost} of bcrypt is not within 4 to 15"));
            }
            let parts = bcrypt::hash_with_salt(secret, cost, salt).map_err(|e| e.to_string())?;
            Ok(parts.format_for_version(bcrypt::Version::TwoB))
        }
        PasswordHash::Argon2id => {
            let passes = options.cost.unwrap_or(2);
            if !(1..=10).contains(&passes) {
                return Err(format!("cost {passes} of argon2id is not within 1 to 10"));
            }
            let params = Params::new(MEMORY, passes, 1, None).map_err(|e| e.to_string())?;
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash = argon2.hash_password_with_salt(secret, &salt).map_err(|e| e.to_string())?;
            Ok(hash.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[test]
    fn the_password_logs_in() {
        let options = Password { value: "preview".into(), cost: Some(4), ..Password::default() };
        let text = hash(&options, &[7; 32]).unwrap();
        assert!(text.starts_with("$2b$04$") && text.len() == 60, "{text}");
        assert!(bcrypt::verify("preview", &text).unwrap());

        let options = Password { algorithm: PasswordHash::Argon2id, cost: Some(1), ..options };
        let text = hash(&options, &[7; 32]).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=1,p=1$"), "{text}");
        let parsed = argon2::PasswordHash::new(&text).unwrap();
        assert!(Argon2::default().verify_password(b"preview", &parsed).is_ok());
    }

    #[test]
    fn a_cost_out_of_range_is_refused() {
        let options = Password { value: "x".into(), cost: Some(31), ..Password::default() };
        assert!(hash(&options, &[0; 32]).is_err());
    }
}
