//! Files that the real sops encrypted, decrypted by us, compared with what the real sops decrypts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::path::{Path, PathBuf};

use manifests::sops::Identities;
use manifests::{Limits, Parsed, Problem, parse};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sops")
}

fn identities(file: &str) -> Identities {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    Identities::parse([(file, text.as_str())]).unwrap()
}

fn read(path: &str, text: &str, key: Option<&str>) -> Result<Parsed, Problem> {
    parse(path, text.as_bytes(), &Limits::default(), key.map(identities).as_ref())
}

fn encrypted(name: &str) -> String {
    std::fs::read_to_string(folder().join("encrypted").join(name)).unwrap()
}

#[test]
fn every_file_of_the_real_sops_is_decrypted() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder().join("encrypted")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let plain = std::fs::read_to_string(folder().join("plain").join(&name)).unwrap();
        let ours = read(&name, &encrypted(&name), Some("test.agekey"));
        let ours = ours.unwrap_or_else(|problem| panic!("{problem}"));
        let theirs = read(&name, &plain, None).unwrap();
        let json = |parsed: &Parsed| parsed.documents.iter().map(|d| d.json.clone()).collect::<Vec<_>>();
        assert_eq!(json(&ours), json(&theirs), "{name}");
        assert!(ours.documents.iter().all(|document| document.encrypted));
        assert!(theirs.documents.iter().all(|document| !document.encrypted));
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn without_a_key_or_with_another_the_cure_is_named() {
    let text = encrypted("regex.yaml");
    let error = read("a.yaml", &text, None).unwrap_err().to_string();
    assert!(error.starts_with("a.yaml: ") && error.contains("spec.decryption.secretRef"), "{error}");
    let error = read("a.yaml", &text, Some("other.agekey")).unwrap_err().to_string();
    assert!(error.contains("age1zqw0zqu0f8n3kt47"), "{error}");
    read("two.yaml", &encrypted("two_recipients.yaml"), Some("other.agekey")).unwrap();
}

#[test]
fn any_change_is_noticed_and_no_value_is_shown() {
    let text = encrypted("regex.yaml");
    let cases = [
        ("a clear value", text.replace("tier: web", "tier: db")),
        ("a key", text.replace("    password: ENC", "    pass: ENC")),
        ("a value moved", swap(&text, "password: ", "unicode: ")),
        ("a value removed", text.replace("type: Opaque\n", "")),
        ("a value added", text.replace("type: Opaque", "type: Opaque\nimmutable: true")),
        ("the time", text.replace("lastmodified: \"2026", "lastmodified: \"2027")),
        ("an encrypted value replaced by a clear one", replace_line(&text, "password: ", "hunter2")),
    ];
    for (what, changed) in cases {
        assert_ne!(changed, text, "{what}");
        let error = read("a.yaml", &changed, Some("test.agekey")).expect_err(what).to_string();
        assert!(error.contains("sops edit"), "{what}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("battery"), "{error}");
    }
}

#[test]
fn a_key_file_is_checked_line_by_line_without_showing_it() {
    let error = Identities::parse([("a.agekey", "# comment\nAGE-SECRET-KEY-1BROKEN\n")]).unwrap_err();
    assert!(error.starts_with("line 2 of a.agekey") && !error.contains("BROKEN"), "{error}");
    assert!(Identities::parse([("a.agekey", "# nothing\n")]).is_err());
}

fn line<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.trim_start().strip_prefix(key)).unwrap()
}

fn swap(text: &str, a: &str, b: &str) -> String {
    let (first, second) = (line(text, a), line(text, b));
    text.replace(first, "@").replace(second, first).replace('@', second)
}

fn replace_line(text: &str, key: &str, value: &str) -> String {
    text.replace(line(text, key), value)
}
