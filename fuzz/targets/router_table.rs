//! Any paths in a table: what is found is what a naive search finds, and a path that others would make another one of leads
//! to where that one leads, or is refused.
//! Lines before an empty one are the routes' paths, the others are asked for.
#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use router::route::Route;
use router::table::{AmbiguousPath, Table};

fn route(number: usize, path: &str) -> Route {
    Route {
        name: format!("{number:03}"),
        hosts: vec!["a".into()],
        path: path.into(),
        headers: Vec::new(),
        ..Route::default()
    }
}

fn find(table: &Table, path: &str) -> Result<Option<String>, AmbiguousPath> {
    let found = table.find("a", path, &HeaderMap::new())?;
    Ok(found.map(|live| live.route.name.clone()))
}

/// The path's segments as an application may see them that decodes what cannot stand in one and walks along dots.
fn walked(path: &str) -> String {
    let mut text = path.to_owned();
    for (code, plain) in
        [("%2e", "."), ("%2E", "."), ("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\")]
    {
        text = text.replace(code, plain);
    }
    let mut all: Vec<&str> = Vec::new();
    for segment in text.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(all.pop()),
            segment => all.push(segment),
        }
    }
    format!("/{}", all.join("/"))
}

/// By whole segments; the end of a route's path counts only once.
fn naive(paths: &[&str], asked: &str) -> Option<String> {
    let below = |prefix: &str| {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let (prefix, asked): (Vec<&str>, Vec<&str>) =
            (prefix.split('/').collect(), asked.split('/').collect());
        asked.starts_with(&prefix)
    };
    let mut best: Option<(usize, usize)> = None;
    for (number, path) in paths.iter().enumerate() {
        if below(path) && best.is_none_or(|(length, _)| path.len() > length) {
            best = Some((path.len(), number));
        }
    }
    best.map(|(_, number)| format!("{number:03}"))
}

fuzz_target!(|text: &str| {
    let (routes, asked) = text.split_once("\n\n").unwrap_or(("/", text));
    let paths: Vec<&str> = routes.split('\n').filter(|path| path.starts_with('/')).take(20).collect();
    let routes = paths.iter().enumerate().map(|(number, path)| route(number, path)).collect();
    let table = Table::new(routes, &Table::default());
    for path in asked.split('\n').filter(|path| path.starts_with('/')).take(20) {
        let Ok(found) = find(&table, path) else {
            assert!(paths.iter().any(|path| *path != "/"), "{path:?} is refused where no route looks at it");
            continue;
        };
        assert_eq!(found, naive(&paths, path), "{path:?} among {paths:?}");
        // Routes whose own path is odd can be found by no plain one.
        if paths.iter().all(|path| walked(path) == *path) {
            assert_eq!(find(&table, &walked(path)), Ok(found), "{path:?} is {:?} to others", walked(path));
        }
    }
});
