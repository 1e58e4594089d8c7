//! Who may come to an App: networks, names and password hashes, each a string with a rule (see [`crate::text`]).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::{Invalid, text};

text! {
    /// A network: an address and the number of its leading bits.
    Cidr, "network", max 43, pattern "^[0-9a-fA-F.:]+/[0-9]{1,3}$",
    "write an address and the number of its leading bits, as in 203.0.113.0/24 or 2001:db8::/32",
    is_cidr
}
text! {
    /// The name of somebody who enters with a password.
    UserName, "user name", max 64, pattern "^[!-9;-~]+$",
    "use printable ASCII characters without spaces and colons, at most 64",
    |v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}
text! {
    /// A password's bcrypt hash. A cost above 12 would let anybody who knocks use up a processor.
    PasswordHash, "bcrypt hash", max 60, pattern r"^\$2[aby]\$(0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}$",
    "write what `htpasswd -nB -C 10 name` prints after the colon; a cost of at most 12",
    is_bcrypt
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u8>().is_ok_and(|bits| bits <= longest)
}

fn is_bcrypt(text: &str) -> bool {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|kind| text.strip_prefix(kind));
    let Some((cost, rest)) = rest.and_then(|rest| rest.split_once('$')) else { return false };
    cost.len() == 2
        && cost.parse::<u8>().is_ok_and(|cost| (4..=12).contains(&cost))
        && rest.len() == 53
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}
