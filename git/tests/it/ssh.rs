//! Fetching over SSH: keys of all kinds, and hosts that are known, unknown or changed.

use std::process::Command;
use std::time::{Duration, Instant};

use git::{Credentials, ErrorClass, Git, GitError, GitRef, Limits, Request, Secret, Trust};
use russh::keys::{Algorithm, EcdsaCurve, PublicKey};

use crate::support::{Repo, Setup, SshServer, new_key, openssh, texts};

/// Credentials that fit an ssh URL and open nothing.
pub(crate) fn any_key() -> Credentials {
    key(openssh(&new_key(Algorithm::Ed25519)), String::new())
}

fn key(private_key: String, known_hosts: String) -> Credentials {
    Credentials::SshKey { private_key: Secret::new(private_key), passphrase: None, known_hosts }
}

fn request(server: &SshServer, credentials: Credentials) -> Request {
    Request {
        url: server.url("a.git").parse().unwrap(),
        reference: GitRef::branch("main").unwrap(),
        credentials,
        trust: Trust::public(),
        limits: Limits::default(),
    }
}

fn serve(allowed: &PublicKey) -> SshServer {
    let server = SshServer::start(allowed.clone());
    Repo::new(server.root(), "a.git").commit("main", &[("a", "over ssh")], "one");
    server
}

#[test]
fn a_branch_is_fetched_over_ssh_and_an_unchanged_one_is_not() {
    let private = new_key(Algorithm::Ed25519);
    let server = serve(private.public_key());
    let request = request(&server, key(openssh(&private), server.known_hosts()));
    let setup = Setup::new();
    let fetched = setup.client.fetch(&request).unwrap();
    assert_eq!(texts(&*fetched.snapshot, ""), [("a".into(), "over ssh".into())]);
    let begun = Instant::now();
    assert!(!setup.client.fetch(&request).unwrap().downloaded);
    println!("poll without change over ssh {:?}", begun.elapsed());
    assert_eq!(server.commands(), ["git-upload-pack '/a.git'"; 2]);
}

#[test]
fn ecdsa_keys_work() {
    let private = new_key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 });
    let server = serve(private.public_key());
    let request = request(&server, key(openssh(&private), server.known_hosts()));
    assert!(Setup::new().client.fetch(&request).unwrap().downloaded);
}

#[test]
fn keys_made_by_ssh_keygen_work_in_their_formats_with_and_without_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str], &str); 4] = [
        ("ed25519-encrypted", &["-t", "ed25519"], "pass phrase"),
        ("rsa-openssh", &["-t", "rsa", "-b", "2048"], ""),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"], ""),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"], ""),
    ];
    for (name, options, passphrase) in cases {
        let file = dir.path().join(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-N", passphrase, "-f"]).arg(&file).args(options).status();
        assert!(made.unwrap().success());
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        let server = serve(&PublicKey::from_openssh(&public).unwrap());
        let private = std::fs::read_to_string(&file).unwrap();
        let mut request = request(&server, key(private.clone(), server.known_hosts()));
        if !passphrase.is_empty() {
            let error = Setup::new().client.fetch(&request).err().unwrap();
            assert!(error.to_string().contains("passphrase"), "{name}: {error}");
            request.credentials = Credentials::SshKey {
                private_key: Secret::new(private),
                passphrase: Some(Secret::new(passphrase)),
                known_hosts: server.known_hosts(),
            };
        }
        let fetched = Setup::new().client.fetch(&request);
        assert!(fetched.is_ok_and(|fetched| fetched.downloaded), "{name}");
    }
}

#[test]
fn a_host_that_is_not_known_is_refused_and_the_error_says_how_to_add_it() {
    let private = new_key(Algorithm::Ed25519);
    let server = serve(private.public_key());
    let error =
        Setup::new().client.fetch(&request(&server, key(openssh(&private), String::new()))).err().unwrap();
    assert_eq!((error.reason(), error.class()), ("HostKeyUnknown", ErrorClass::NeedsUser), "{error}");
    let advice = format!("ssh-keyscan -p {} git.test", server.port());
    assert!(error.to_string().contains(&advice) && error.to_string().contains("SHA256:"), "{error}");
    let other = new_key(Algorithm::Ed25519).public_key().to_openssh().unwrap();
    let changed = format!("[git.test]:{} {other}\n", server.port());
    let error = Setup::new().client.fetch(&request(&server, key(openssh(&private), changed))).err().unwrap();
    assert_eq!(error.reason(), "HostKeyMismatch", "{error}");
    assert!(server.commands().is_empty());
}

#[test]
fn a_key_that_opens_nothing_asks_for_a_deploy_key() {
    let server = serve(new_key(Algorithm::Ed25519).public_key());
    let other = openssh(&new_key(Algorithm::Ed25519));
    let error = Setup::new().client.fetch(&request(&server, key(other, server.known_hosts()))).err().unwrap();
    assert_eq!(error, GitError::SshRefused { host: "git.test".into(), user: "git".into() });
}

#[test]
fn a_repository_that_does_not_exist_is_told_in_the_servers_words() {
    let private = new_key(Algorithm::Ed25519);
    let server = serve(private.public_key());
    let mut request = request(&server, key(openssh(&private), server.known_hosts()));
    request.url = server.url("no'pe.git").parse().unwrap();
    let error = Setup::new().client.fetch(&request).err().unwrap();
    assert!(
        matches!(&error, GitError::AccessRefused { detail } if detail.contains("Repository not found")),
        "{error}"
    );
    assert_eq!(server.commands(), [r"git-upload-pack '/no'\''pe.git'"]);
}

#[test]
fn credentials_that_do_not_fit_the_url_are_told_apart() {
    let private = new_key(Algorithm::Ed25519);
    let server = serve(private.public_key());
    let setup = Setup::new();
    let error = setup.client.fetch(&request(&server, Credentials::Token(Secret::new("x")))).err().unwrap();
    assert!(error.to_string().contains("SSH key"), "{error}");
    let error = setup.client.fetch(&request(&server, key("no key".into(), String::new()))).err().unwrap();
    assert_eq!(error.reason(), "InvalidCredentials", "{error}");
    let mut over_https = request(&server, any_key());
    over_https.url = "https://git.test/a".parse().unwrap();
    assert_eq!(setup.client.fetch(&over_https).err().unwrap().reason(), "InvalidCredentials");
}

#[test]
fn an_ssh_host_that_never_answers_ends_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve(new_key(Algorithm::Ed25519).public_key());
    let mut request = request(&server, any_key());
    request.url = format!("ssh://git@git.test:{}/a", silent.local_addr().unwrap().port()).parse().unwrap();
    request.limits.connect_timeout = Duration::from_millis(300);
    let begun = Instant::now();
    assert_eq!(Setup::new().client.fetch(&request).err().unwrap().reason(), "Timeout");
    assert!(begun.elapsed() < Duration::from_secs(3));
}
