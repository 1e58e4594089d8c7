//! Threats 6 and 10: no URL, redirect or name makes the client dial where it must not, or send credentials elsewhere.

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use git::{AddressPolicy, Client, Credentials, Git, GitError, Resolver, Secret};

use crate::support::{Answer, Repo, Server, Setup, request};

/// Counts connections to a port of this machine that nobody may reach.
struct Sink {
    port: u16,
    hits: Arc<AtomicUsize>,
}

impl Sink {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, hits) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&hits);
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, hits }
    }

    fn hits(&self) -> usize {
        std::thread::sleep(std::time::Duration::from_millis(50));
        self.hits.load(Ordering::SeqCst)
    }
}

#[test]
fn no_spelling_of_a_private_address_is_dialled() {
    let sink = Sink::new();
    let server = Server::start();
    let names: Vec<(&'static str, Vec<IpAddr>)> = vec![
        ("mapped.example", vec!["::ffff:127.0.0.1".parse().unwrap()]),
        ("private.example", vec!["10.0.0.1".parse().unwrap()]),
        ("metadata.example", vec!["169.254.169.254".parse().unwrap()]),
        ("both.example", vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
    ];
    let setup = Setup::with(AddressPolicy { allow_http: true, ..AddressPolicy::default() }, names);
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:7f00:1]",
        "[::]",
        "localhost.test",
        "mapped.example",
        "private.example",
        "metadata.example",
        "both.example",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "127.0.0.1.",
    ];
    for host in hosts {
        for scheme in ["https", "http", "ssh"] {
            let mut request = request(&server, "a.git", "main");
            let Ok(url) = format!("{scheme}://{host}:{}/a", sink.port).parse() else { continue };
            request.url = url;
            if scheme == "ssh" {
                request.credentials = crate::ssh::any_key();
            }
            let error = setup.client.fetch(&request).err().unwrap();
            assert!(
                matches!(error, GitError::AddressRefused { .. } | GitError::Resolve { .. }),
                "{scheme} {host}: {error}"
            );
        }
    }
    assert_eq!(sink.hits(), 0);
}

#[test]
fn a_redirect_elsewhere_is_refused_and_neither_dialled_nor_given_credentials() {
    let sink = Sink::new();
    let port = sink.port;
    let goals = [
        format!("https://127.0.0.1:{port}/a/info/refs?service=git-upload-pack"),
        format!("https://git.test:{port}/a/info/refs?service=git-upload-pack"),
        format!("https://other.test:{port}/a.git/info/refs?service=git-upload-pack"),
        format!("//127.0.0.1:{port}/a/info/refs?service=git-upload-pack"),
        format!("http://git.test:{port}/a/info/refs?service=git-upload-pack"),
        format!("https://user:pw@127.0.0.1:{port}/a/info/refs?service=git-upload-pack"),
        "file:///etc/passwd".to_owned(),
        "/login".to_owned(),
        "\u{1}".to_owned(),
    ];
    for goal in goals {
        let location = goal.clone();
        let server = Server::with(move |_| Answer::Canned(302, vec![("location", location.clone())], vec![]));
        let mut request = request(&server, "a.git", "main");
        request.credentials = Credentials::Token(Secret::new("canary"));
        let error = Setup::new().client.fetch(&request).err().unwrap();
        assert!(matches!(error, GitError::Redirected { .. } | GitError::Connect { .. }), "{goal}: {error}");
        assert!(!error.to_string().contains("pw"), "{error}");
        assert_eq!(server.seen().len(), 1, "{goal}");
    }
    assert_eq!(sink.hits(), 0);
}

#[test]
fn a_redirect_within_the_host_is_followed_and_one_without_end_is_not() {
    let server = Server::with(|seen| match seen.target.strip_prefix("/old.git/") {
        Some(rest) => Answer::Canned(301, vec![("location", format!("/new.git/{rest}"))], vec![]),
        None if seen.target.starts_with("/loop") => {
            Answer::Canned(301, vec![("location", seen.target.clone())], vec![])
        }
        None => Answer::Git,
    });
    Repo::new(server.root(), "new.git").commit("main", &[("a", "1")], "one");
    assert!(Setup::new().client.fetch(&request(&server, "old.git", "main")).unwrap().downloaded);
    let error = Setup::new().client.fetch(&request(&server, "loop.git", "main")).err().unwrap();
    assert_eq!(error.reason(), "Redirected");
    assert!(server.seen().len() < 12);
}

#[test]
fn a_redirect_of_the_second_request_is_refused() {
    let server = Server::with(|seen| match seen.method.as_str() {
        "POST" => {
            Answer::Canned(307, vec![("location", "https://other.test/a.git/git-upload-pack".into())], vec![])
        }
        _ => Answer::Git,
    });
    Repo::new(server.root(), "a.git").commit("main", &[("a", "1")], "one");
    let error = Setup::new().client.fetch(&request(&server, "a.git", "main")).err().unwrap();
    assert_eq!(error.reason(), "Redirected");
}

/// Answers a public address when it is asked first and a private one ever after, as DNS rebinding does.
struct Rebinding(AtomicUsize, Vec<IpAddr>);

impl Resolver for Rebinding {
    fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        let count = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec![self.1[count.min(self.1.len() - 1)]])
    }
}

#[test]
fn a_name_is_resolved_once_per_connection_and_the_checked_address_is_the_dialled_one() {
    let sink = Sink::new();
    let server = Server::start();
    // 192.0.2.0/24 is for documentation: nobody answers there, and dialling it fails or times out.
    let answers = vec!["192.0.2.1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let resolver = Arc::new(Rebinding(AtomicUsize::new(0), answers));
    let cache = tempfile::tempdir().unwrap();
    let client =
        Client::with_resolver(cache.path(), AddressPolicy::default(), Arc::clone(&resolver) as _).unwrap();
    let mut request = request(&server, "a.git", "main");
    request.url = format!("https://rebind.example:{}/a", sink.port).parse().unwrap();
    request.limits.connect_timeout = std::time::Duration::from_millis(300);
    let error = client.fetch(&request).err().unwrap();
    assert!(matches!(error, GitError::Connect { .. } | GitError::Timeout { .. }), "{error}");
    assert_eq!(resolver.0.load(Ordering::SeqCst), 1);
    let error = client.fetch(&request).err().unwrap();
    assert_eq!(error.reason(), "AddressRefused", "{error}");
    assert_eq!(sink.hits(), 0);
}
