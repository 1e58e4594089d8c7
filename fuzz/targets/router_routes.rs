//! Any text as a routes file: it is refused in words, or makes a table in which each route is found or told as a conflict.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use router::route::Route;
use router::table::Table;

/// The fields that a route asks for, if they can be sent at all.
fn fields(route: &Route) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in &route.headers {
        let name: HeaderName = name.parse().expect("a name that was taken is one");
        // Spaces at the ends do not arrive.
        let value = HeaderValue::from_str(value).ok().filter(|_| value.trim() == value)?;
        fields.append(name, value);
    }
    Some(fields)
}

fuzz_target!(|text: &str| {
    let routes = match router::file::parse(text) {
        Ok(routes) => routes,
        Err(why) => {
            assert!(!why.trim().is_empty() && !why.contains('\n'), "{why:?}");
            return;
        }
    };
    let table = Table::new(routes.clone(), &Table::default());
    assert_eq!(table.routes().len(), routes.len());
    for route in &routes {
        let Some(fields) = fields(route) else { continue };
        for host in &route.hosts {
            // A wildcard stands for one label.
            let asked = host.replacen('*', "x", 1);
            match table.find(&asked, &route.path, &fields) {
                Ok(found) => assert!(found.is_some(), "{host} {} leads nowhere", route.path),
                Err(_) => assert_ne!(route.path, "/", "{host}: the plainest path is no doubt"),
            }
        }
    }
    // A file that is read again changes nothing.
    let again = Table::new(routes, &table);
    assert_eq!(again.conflicts, table.conflicts);
});
