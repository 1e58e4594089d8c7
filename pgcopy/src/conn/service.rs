//! The service file of libpq: `PGSERVICEFILE`, else `~/.pg_service.conf`.

use crate::error::{Error, Result};

/// The parameters of the entry `[name]`, joined as `key=value`; `None` without such an entry.
pub(super) fn lookup(name: &str) -> Result<Option<String>> {
    let path = std::env::var_os("PGSERVICEFILE").map(std::path::PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".pg_service.conf"))
    });
    let Some(path) = path.filter(|path| path.is_file()) else { return Ok(None) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::Usage(format!("{} cannot be read: {error}", path.display())))?;
    Ok(entry(&text, name))
}

fn entry(text: &str, name: &str) -> Option<String> {
    let mut inside = false;
    let mut found: Option<Vec<String>> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section == name;
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            let value = value.trim().replace('\\', "\\\\").replace('\'', "\\'");
            let quoted = if key.trim().starts_with("ssl") { value } else { format!("'{value}'") };
            found.get_or_insert_default().push(format!("{}={quoted}", key.trim()));
        }
    }
    found.map(|parameters| parameters.join(" "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_named_entry_is_read() {
        let text = "# c\n[a]\nhost=one\n[b]\nhost=two\nuser = u\nsslmode=require\n";
        assert_eq!(super::entry(text, "b").as_deref(), Some("host='two' user='u' sslmode=require"));
        assert_eq!(super::entry(text, "c"), None);
    }
}
