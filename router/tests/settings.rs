//! What an App may set: who enters, how often, and which pages there are.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use router::code::Code;
use support::{Router, echo, route};

fn ask(router: &Router, more: &str) -> support::Answer {
    router.send(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n"))
}

#[test]
fn with_a_name_and_its_password_one_enters_and_the_pod_sees_neither() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let router =
        Router::new(&route("a", echo("a"), &format!(", basicAuth: [{{user: team, hash: '{hash}'}}]")));
    let refused = ask(&router, "Accept: text/html\r\n");
    assert_eq!((refused.status(), refused.code()), (401, ""));
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"a\", charset=\"UTF-8\""));
    // team:wrong, then team:secret.
    assert_eq!(ask(&router, "Authorization: Basic dGVhbTp3cm9uZw==\r\n").status(), 401);
    let entered = ask(&router, "Authorization: Basic dGVhbTpzZWNyZXQ=\r\n");
    assert_eq!(entered.status(), 200, "{entered:?}");
    assert!(!entered.body().to_lowercase().contains("authorization"), "{entered:?}");
}

#[test]
fn beyond_the_rate_it_is_told_when_to_come_again_also_after_a_change_of_pods() {
    let rate = ", rateLimit: {requests: 3, per: 1h}";
    let router = Router::new(&route("a", echo("a"), rate));
    assert!((0..2).all(|_| ask(&router, "").status() == 200));
    router.route(&route("a", echo("b"), rate));
    assert_eq!(ask(&router, "").status(), 200);
    let refused = ask(&router, "");
    assert_eq!((refused.status(), refused.code()), (429, "H22"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1_000..=1_201).contains(&wait), "{wait}");
    assert_eq!(router.counted("a", Code::H22), 1);
}

#[test]
fn pages_of_ones_own_are_for_browsers() {
    let pages = ", pages: {error: '<h1>Oh</h1>', maintenance: '<h1>Back at nine</h1>'}";
    let page = |state: &str, accept: &str| {
        let router = Router::new(&format!("- {{name: a, hosts: [a], state: {state}{pages}}}"));
        let answer = ask(&router, &format!("Accept: {accept}\r\n"));
        (answer.status(), answer.code().to_owned(), answer.body().to_owned())
    };
    assert_eq!(page("maintenance", "text/html"), (503, "H80".into(), "<h1>Back at nine</h1>".into()));
    assert_eq!(page("crashed", "text/html"), (503, "H10".into(), "<h1>Oh</h1>".into()));
    assert!(page("crashed", "application/json").2.contains("\"code\":\"H10\""));
}

#[test]
fn a_password_is_not_asked_for_in_clear() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let more = format!(", httpsOnly: true, basicAuth: [{{user: team, hash: '{hash}'}}]");
    let answer = ask(&Router::new(&route("a", echo("a"), &more)), "");
    assert_eq!((answer.status(), answer.header("location")), (308, Some("https://a/")));
}
