//! Threat 9: whatever fails, and even when the server repeats our secret, no text of ours holds it.

use git::{Credentials, Git, Secret};

use crate::support::{Answer, Repo, Server, Setup, request};

const CANARY: &str = "canary-7f3a9c";
/// `oauth2:canary-7f3a9c` in base64, as it goes over the wire.
const ENCODED: &str = "b2F1dGgyOmNhbmFyeS03ZjNhOWM=";

fn assert_clean(text: &str, what: &str) {
    for secret in [CANARY, ENCODED, "BEGIN OPENSSH"] {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}

type Make = Box<dyn Fn() -> Answer + Send + Sync>;

/// A protocol line that fails with `text`.
fn error_line(text: &str) -> Vec<u8> {
    let line = format!("ERR {text}\n");
    format!("001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4).into_bytes()
}

#[test]
fn no_error_repeats_a_token_even_if_the_server_does() {
    let kind = || vec![("content-type", "application/x-git-upload-pack-advertisement".to_owned())];
    let echo = format!("denied for {CANARY} and {ENCODED}");
    let echoed = echo.clone();
    let answers: Vec<(&str, Make)> = vec![
        (
            "401",
            Box::new(|| {
                Answer::Canned(401, vec![("www-authenticate", format!("Basic realm={CANARY}"))], vec![])
            }),
        ),
        ("404", Box::new(|| Answer::Canned(404, vec![], CANARY.into()))),
        ("500", Box::new(|| Answer::Canned(500, vec![], CANARY.into()))),
        ("ERR line", Box::new(move || Answer::Canned(200, kind(), error_line(&echoed)))),
        ("nonsense", Box::new(move || Answer::Canned(200, kind(), echo.clone().into_bytes()))),
        (
            "content type",
            Box::new(|| Answer::Canned(200, vec![("content-type", format!("x/{CANARY}"))], vec![])),
        ),
        (
            "redirect",
            Box::new(|| {
                let goal = format!("https://x:{CANARY}@other.test/?token={CANARY}#{CANARY}");
                Answer::Canned(302, vec![("location", goal)], vec![])
            }),
        ),
        (
            "redirect path",
            Box::new(|| Answer::Canned(302, vec![("location", format!("https://o.test/{CANARY}"))], vec![])),
        ),
        ("hang up", Box::new(|| Answer::HangUp)),
    ];
    for (what, make) in answers {
        let server = Server::with(move |_| make());
        let mut request = request(&server, "a.git", "main");
        request.credentials = Credentials::Token(Secret::new(CANARY));
        let error = Setup::new().client.fetch(&request).err().unwrap();
        assert_clean(&format!("{error} {error:?}"), what);
    }
}

#[test]
fn debug_output_of_everything_that_holds_a_secret_is_clean() {
    let server = Server::start();
    let mut request = request(&server, "a.git", "main");
    let all = [
        Credentials::Token(Secret::new(CANARY)),
        Credentials::Basic { username: "me".into(), password: Secret::new(CANARY) },
        Credentials::SshKey {
            private_key: Secret::new(format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}")),
            passphrase: Some(Secret::new(CANARY)),
            known_hosts: String::new(),
        },
    ];
    for credentials in all {
        request.credentials = credentials;
        assert_clean(&format!("{request:?} {:?}", request.credentials), "Debug");
    }
    assert_clean(&Secret::new(CANARY).to_string(), "Display");
}

#[test]
fn nothing_in_the_cache_holds_a_secret() {
    let server = Server::start();
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let setup = Setup::new();
    let mut request = request(&server, "a.git", "main");
    request.credentials = Credentials::Token(Secret::new(CANARY));
    setup.client.fetch(&request).unwrap();
    let output = std::process::Command::new("grep")
        .args(["-r", "-l", "-e", CANARY, "-e", ENCODED])
        .arg(setup.cache.path())
        .output();
    assert!(output.unwrap().stdout.is_empty());
    assert!(server.seen().iter().all(|seen| !seen.target.contains(CANARY)), "never in a URL");
    assert!(server.seen().iter().all(|seen| seen.header("authorization").is_some()));
}
