//! Any text as a host, and as a request's target (the first line, after its version) with Host fields (the others): one
//! spelling or a refusal, and never a host that another reader of the same request could see otherwise.
#![no_main]

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri, Version};
use libfuzzer_sys::fuzz_target;
use router::host::{self, BadHost};

/// What holds for each host that is taken.
fn check(name: &str) {
    assert!(!name.is_empty() && name.len() <= 253, "{name:?}");
    assert!(!name.ends_with('.') && !name.contains("..") && !name.contains('@'), "{name:?}");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    assert!(name.starts_with('[') || name.bytes().all(plain), "{name:?}");
    for same in [name.to_owned(), format!("{name}:8443"), name.to_ascii_uppercase()] {
        let again = host::parse(&same).unwrap_or_else(|_| panic!("{name:?} is taken and {same:?} is not"));
        assert_eq!(again.name(), name, "{same:?}");
    }
}

fn request(text: &str) {
    let mut lines = text.split('\n');
    let Some((version, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let version = if version == "2" { Version::HTTP_2 } else { Version::HTTP_11 };
    let Ok(uri) = target.parse::<Uri>() else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) else { return };
        headers.append(HOST, value);
    }
    let hosts = headers.get_all(HOST).iter().count();
    let found = match host::of_request(&uri, &headers, version, &host::Last::default()) {
        Ok(found) => found,
        Err(refused) => {
            // What is plain is not refused.
            let is_plain = hosts == 1 && uri.authority().is_none() && target.starts_with('/');
            let named = headers.get(HOST).and_then(|value| value.to_str().ok());
            let is_host = named.is_some_and(|named| host::parse(named).is_ok());
            assert!(!is_plain || !is_host || refused == BadHost::Target, "{text:?}: {refused}");
            return;
        }
    };
    check(found.name());
    assert!(hosts <= 1, "{text:?}: one of {hosts} hosts was chosen");
    assert!(hosts == 1 || version == Version::HTTP_2, "{text:?}: HTTP/1.1 without Host");
    let said = headers.get(HOST).map(|value| value.to_str().expect("a host that was taken is ASCII"));
    for other in said.into_iter().chain(uri.authority().map(|authority| authority.as_str())) {
        let other = host::parse(other).map(|host| host.name().to_owned());
        assert_eq!(other.as_deref(), Ok(found.name()), "{text:?}");
    }
    // What is sent on is a path.
    let path = uri.path_and_query().cloned().map(Uri::from).map_or("/".to_owned(), |uri| uri.to_string());
    assert!(path.starts_with(['/', '*', '?']), "{text:?}: {path:?}");
}

fuzz_target!(|text: &str| {
    if let Ok(host) = host::parse(text) {
        check(host.name());
    }
    request(text);
});
