//! The cases of h2spec against the router, in clear and by TLS: it fails none but those in known.txt. It needs the program
//! h2spec, whose path is in KEELWAY_H2SPEC: `make h2spec`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use router::serve::Speaks;
use router::tls::{Certificates, Shelf};
use support::{Router, echo, route};
use tokio_rustls::TlsAcceptor;

const KNOWN: &str = include_str!("known.txt");

/// As many cases as h2spec had when this was written; fewer mean that it did not run to its end.
const CASES: usize = 146;

/// What h2spec said.
struct Report {
    all: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Report {
    /// Reads its report in the form of JUnit: cases of a section follow each other, each one's fault stands in it.
    fn read(text: &str) -> Self {
        let (mut all, mut failed) = (BTreeSet::new(), BTreeSet::new());
        let (mut section, mut number) = (String::new(), 0);
        for case in text.split("<testcase ").skip(1) {
            let name = case.split('"').nth(1).unwrap();
            number = if name == section { number + 1 } else { 1 };
            name.clone_into(&mut section);
            let case = case.split("</testcase>").next().unwrap();
            if ["<error", "<failure", "<skipped"].iter().any(|fault| case.contains(fault)) {
                failed.insert(format!("{section}/{number}"));
            }
            all.insert(format!("{section}/{number}"));
        }
        Self { all, failed }
    }
}

fn known(way: &str) -> BTreeSet<String> {
    let cases = KNOWN.lines().filter_map(|line| line.strip_prefix(way)?.strip_prefix(' '));
    cases.map(|case| case.split_once(' ').unwrap().0.to_owned()).collect()
}

/// Runs h2spec against a router and compares.
fn check(way: &str, router: &Router, folder: &Path) {
    let program =
        std::env::var("KEELWAY_H2SPEC").unwrap_or_else(|_| panic!("KEELWAY_H2SPEC is not set: make h2spec"));
    let report = folder.join(way);
    let mut command = Command::new(&program);
    command.args([
        "--strict",
        "--timeout",
        "10",
        "--host",
        "localhost",
        "--port",
        &router.address.port().to_string(),
    ]);
    if way == "tls" {
        command.args(["--tls", "--insecure"]);
    }
    let output =
        command.arg("--junit-report").arg(&report).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = Report::read(&std::fs::read_to_string(&report).unwrap_or_else(|e| panic!("{e}: {said}")));
    assert!(read.all.len() >= CASES, "only {} cases were run: {said}", read.all.len());
    let (known, failures) = (known(way), said.split("Failures:").nth(1).unwrap_or_default());
    let new: Vec<_> = read.failed.difference(&known).collect();
    assert!(new.is_empty(), "{way}: {new:?} fail and are not in known.txt: {failures}");
    let gone: Vec<_> = known.difference(&read.failed).collect();
    assert!(gone.is_empty(), "{way}: {gone:?} do not fail any more: strike them from known.txt");
    println!("h2spec: {way}: {} cases, {} failed, all of them known", read.all.len(), known.len());
}

#[test]
#[ignore = "needs h2spec: make h2spec"]
fn no_case_fails_but_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certificates");
    std::fs::create_dir(&certificates).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificates.join("a.crt"), made.cert.pem()).unwrap();
    std::fs::write(certificates.join("a.key"), made.signing_key.serialize_pem()).unwrap();
    let shelf = Shelf::new(Certificates::read(&certificates, &Certificates::default()).unwrap().0);
    let tls = Speaks::Tls(TlsAcceptor::from(shelf.config().unwrap()), shelf);
    let routes = route("localhost", echo("a"), "");
    check("clear", &Router::new(&routes), folder.path());
    check("tls", &Router::speaking(&routes, &[], tls), folder.path());
}

#[test]
fn a_report_is_read() {
    let read = Report::read(
        "<testsuite><testcase package=\"a/1\" classname=\"x\"></testcase>\n<testcase package=\"a/1\" classname=\"y\">
         <error>no</error></testcase></testsuite><testsuite><testcase package=\"a/2\"><failure>no</failure></testcase></testsuite>",
    );
    assert_eq!(read.all.into_iter().collect::<Vec<_>>(), ["a/1/1", "a/1/2", "a/2/1"]);
    assert_eq!(read.failed.into_iter().collect::<Vec<_>>(), ["a/1/2", "a/2/1"]);
}
