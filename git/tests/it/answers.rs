//! What servers may answer instead of a repository, and the error that each becomes.

use std::time::{Duration, Instant};

use git::{AddressPolicy, Credentials, ErrorClass, Git, GitError, Request, Secret, Trust};

use crate::support::{Answer, Repo, Server, Setup, request};

fn error_of(server: &Server, change: impl FnOnce(&mut Request)) -> GitError {
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let mut request = request(server, "a.git", "main");
    request.limits.connect_timeout = Duration::from_millis(700);
    request.limits.idle_timeout = Duration::from_millis(700);
    request.limits.overall_timeout = Duration::from_secs(3);
    change(&mut request);
    let begun = Instant::now();
    let error = Setup::new().client.fetch(&request).err().expect("an error");
    assert!(begun.elapsed() < Duration::from_secs(6), "it took {:?}", begun.elapsed());
    error
}

fn status(code: u16) -> Server {
    Server::with(move |_| Answer::Canned(code, vec![], b"<html>".to_vec()))
}

#[test]
fn a_private_repository_opens_with_a_token_or_a_password_and_only_with_the_right_one() {
    // oauth2:right-token and me:right-token
    let right = ["Basic b2F1dGgyOnJpZ2h0LXRva2Vu", "Basic bWU6cmlnaHQtdG9rZW4="];
    let server = Server::with(move |seen| match seen.header("authorization") {
        Some(value) if right.contains(&value) => Answer::Git,
        _ => Answer::Canned(401, vec![("www-authenticate", "Basic realm=x".into())], vec![]),
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let mut request = request(&server, "a.git", "main");
    let setup = Setup::new();
    let without = setup.client.fetch(&request).err().unwrap();
    assert!(without.to_string().contains("secretRef"), "{without}");
    request.credentials = Credentials::Token(Secret::new("wrong"));
    let wrong = setup.client.fetch(&request).err().unwrap();
    assert!(wrong.to_string().contains("the Secret's token"), "{wrong}");
    assert_eq!((wrong.reason(), wrong.class()), ("Unauthorized", ErrorClass::NeedsUser));
    request.credentials = Credentials::Token(Secret::new("right-token\n"));
    assert!(setup.client.fetch(&request).unwrap().downloaded);
    request.credentials = Credentials::Basic { username: "me".into(), password: Secret::new("right-token") };
    assert!(setup.client.fetch(&request).unwrap().downloaded, "another identity shares no mirror");
}

#[test]
fn each_status_names_its_cure() {
    for (code, reason, class, cure) in [
        (401, "Unauthorized", ErrorClass::NeedsUser, "secretRef"),
        (403, "Unauthorized", ErrorClass::NeedsUser, "secretRef"),
        (404, "RepositoryNotFound", ErrorClass::NeedsUser, "check the URL"),
        (400, "HttpError", ErrorClass::NeedsUser, "check the URL"),
        (429, "HttpError", ErrorClass::Transient, "interval"),
        (500, "HttpError", ErrorClass::Transient, "tried again"),
        (503, "HttpError", ErrorClass::Transient, "tried again"),
    ] {
        let error = error_of(&status(code), |_| ());
        assert_eq!((error.reason(), error.class()), (reason, class), "{code}: {error}");
        assert!(error.to_string().contains(cure), "{code}: {error}");
    }
}

#[test]
fn a_repository_that_does_not_exist_is_not_found() {
    let error =
        error_of(&Server::start(), |r| r.url = r.url.to_string().replace("a.git", "b.git").parse().unwrap());
    assert_eq!(error.reason(), "RepositoryNotFound");
}

#[test]
fn a_web_page_is_no_repository() {
    let page =
        Server::with(|_| Answer::Canned(200, vec![("content-type", "text/html".into())], b"<html>".to_vec()));
    let error = error_of(&page, |_| ());
    assert!(
        matches!(&error, GitError::NotGit { content_type, .. } if content_type == "text/html"),
        "{error}"
    );
}

#[test]
fn a_server_that_accepts_and_never_answers_ends_in_time() {
    let error = error_of(&Server::with(|_| Answer::Never), |_| ());
    assert_eq!((error.reason(), error.class()), ("Timeout", ErrorClass::Transient), "{error}");
    // The same before TLS: nobody speaks at all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = error_of(&Server::start(), |r| r.url = format!("https://git.test:{port}/a").parse().unwrap());
    assert_eq!(error.reason(), "Timeout", "{error}");
}

#[test]
fn a_server_that_drips_bytes_ends_at_the_overall_deadline() {
    let error = error_of(&Server::with(|_| Answer::Slow(Duration::from_millis(200))), |_| ());
    assert!(matches!(error, GitError::Timeout { after, .. } if after == Duration::from_secs(3)), "{error}");
}

#[test]
fn a_slow_server_is_waited_for() {
    let server = Server::with(|_| Answer::Slow(Duration::from_millis(1)));
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    assert!(Setup::new().client.fetch(&request(&server, "a.git", "main")).unwrap().downloaded);
}

#[test]
fn a_closed_connection_and_a_closed_port_are_transient() {
    let error = error_of(&Server::with(|_| Answer::HangUp), |_| ());
    assert_eq!((error.reason(), error.class()), ("ConnectFailed", ErrorClass::Transient), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = error_of(&Server::start(), |r| r.url = format!("https://git.test:{free}/a").parse().unwrap());
    assert_eq!(error.reason(), "ConnectFailed", "{error}");
}

#[test]
fn nonsense_instead_of_the_protocol_is_an_error_and_no_panic() {
    let kind = || vec![("content-type", "application/x-git-upload-pack-advertisement".to_owned())];
    for body in
        [&b""[..], b"0000", b"zzzz", b"0004", b"ffff", b"001e# service=git-upload-pack\n0000", b"0008ERR "]
    {
        let error = error_of(&Server::with(move |_| Answer::Canned(200, kind(), body.to_vec())), |_| ());
        assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    }
}

#[test]
fn an_unknown_authority_asks_for_the_ca_and_a_wrong_name_for_the_right_one() {
    let error = error_of(&Server::start(), |r| r.trust = Trust::public());
    assert!(error.to_string().contains("ca.crt"), "{error}");
    assert_eq!(error.reason(), "TlsNotTrusted");
    let server = Server::start();
    let policy = AddressPolicy { allow_hosts: vec!["*.test".into()], ..AddressPolicy::default() };
    let mut request = request(&server, "a.git", "main");
    request.url = server.url_at("unnamed.test", "a.git").parse().unwrap();
    let error = Setup::with(policy, vec![]).client.fetch(&request).err().unwrap();
    assert!(error.to_string().contains("host name that the certificate was issued for"), "{error}");
}

#[test]
fn a_ca_bundle_without_certificates_is_refused() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"] {
        assert_eq!(Trust::with_ca(pem).unwrap_err().reason(), "InvalidTrust", "{pem:?}");
    }
}

#[test]
fn http_is_refused_unless_it_is_allowed() {
    let server = Server::plain(|_| Answer::Git);
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let request = request(&server, "a.git", "main");
    assert_eq!(Setup::new().client.fetch(&request).err().unwrap().reason(), "InvalidUrl");
    let policy =
        AddressPolicy { allow_hosts: vec!["git.test".into()], allow_http: true, ..AddressPolicy::default() };
    assert!(Setup::with(policy, vec![]).client.fetch(&request).unwrap().downloaded);
}
