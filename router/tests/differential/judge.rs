//! What is wrong with what the router did, beside what the others did with the same bytes.

use crate::backend::Seen;
use crate::case::Case;

/// What came of a case at one proxy.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What its backend saw.
    pub seen: Vec<Seen>,
    /// The beginning of the answer, for people.
    pub answer: String,
    /// Whether the next client, on a connection of its own, got the answer to its own request.
    pub is_sound: bool,
}

impl Outcome {
    pub fn passed(&self) -> bool {
        self.seen.iter().any(|seen| seen.whole)
    }

    fn has_evil(&self) -> bool {
        self.seen.iter().any(|seen| seen.target().starts_with("/evil"))
    }

    /// Method, target and body of all that was passed on.
    fn meaning(&self) -> Vec<(String, String, &[u8])> {
        let whole = self.seen.iter().filter(|seen| seen.whole);
        whole.map(|seen| (seen.line()[0].clone(), seen.target(), &seen.body[..])).collect()
    }

    /// In a few words.
    pub fn brief(&self) -> String {
        let one = |seen: &Seen| {
            let broken = if seen.whole { "" } else { " (broken off)" };
            let line = seen.line();
            let trailers = String::from_utf8_lossy(&seen.trailers);
            let body = seen.body.len();
            format!("{} {}+{body}{trailers:?}{broken}", line[0], seen.target().escape_debug())
        };
        let seen: Vec<String> = self.seen.iter().map(one).collect();
        format!("[{}] {}", seen.join(", "), self.answer)
    }
}

/// What happened at all three.
pub struct Row<'a> {
    pub nginx: &'a Outcome,
    pub haproxy: &'a Outcome,
    pub router: &'a Outcome,
}

impl Row<'_> {
    /// Everything that the router did and must not.
    pub fn faults(&self, case: &Case) -> Vec<&'static str> {
        let Self { nginx, haproxy, router } = self;
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault| {
            if !holds {
                faults.push(fault);
            }
        };
        check(!router.passed() || nginx.passed() || haproxy.passed(), "both others refuse it");
        check(router.seen.len() <= case.requests, "its backend saw more requests than were sent");
        check(
            !router.has_evil() || (nginx.has_evil() && haproxy.has_evil()),
            "a hidden request came through",
        );
        check(router.is_sound, "the next client did not get its own answer");
        check(router.seen.iter().all(is_plain), "what it passed on can be read in more than one way");
        check(!case.plain || router.passed(), "it refuses what is as it should be");
        if nginx.passed() && haproxy.passed() && router.passed() {
            let same = router.meaning() == nginx.meaning() || router.meaning() == haproxy.meaning();
            check(same, "it passed on something else than both others");
        }
        faults
    }
}

/// Whether nobody can read a request in a way of his own: one Host, one framing, no control characters, no odd line ends.
fn is_plain(seen: &Seen) -> bool {
    let head = seen.head.strip_suffix(b"\r\n\r\n").unwrap_or(&seen.head);
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let is_token = |name: &str| {
        let own = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !name.is_empty() && name.bytes().all(own)
    };
    let is_value = |value: &str| value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f));
    let is_field =
        |line: &str| line.split_once(':').is_some_and(|(name, value)| is_token(name) && is_value(value));
    // Fields that decide about a request have no place behind it (RFC 9110 §6.5.1).
    let decides = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        ["host", "content-length", "transfer-encoding", "connection", "upgrade"].contains(&name.as_str())
    };
    let trailers = String::from_utf8_lossy(&seen.trailers);
    let mut trailers = trailers.split_terminator("\r\n");
    let (lengths, codings) = (seen.values("content-length"), seen.values("transfer-encoding"));
    line.len() == 3
        && is_token(line[0])
        && line[1].bytes().all(|b| b > b' ' && b != 0x7f)
        && (line[1].starts_with('/') || (line[0], line[1]) == ("OPTIONS", "*"))
        && line[2] == "HTTP/1.1"
        && lines.all(is_field)
        && seen.values("host").len() == 1
        && lengths.len() + codings.len() <= 1
        && lengths.iter().all(|length| length.bytes().all(|b| b.is_ascii_digit()) && !length.is_empty())
        && codings.iter().all(|coding| coding == "chunked")
        && trailers.all(|line| is_field(line) && !decides(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(heads: &[&str]) -> Outcome {
        let seen = |head: &&str| Seen {
            head: format!("{head} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            whole: true,
            ..Seen::default()
        };
        Outcome { seen: heads.iter().map(seen).collect(), answer: String::new(), is_sound: true }
    }

    fn faults(requests: usize, nginx: &Outcome, haproxy: &Outcome, router: &Outcome) -> Vec<&'static str> {
        Row { nginx, haproxy, router }.faults(&Case::http1("", requests))
    }

    #[test]
    fn each_fault_is_found() {
        let (none, one) = (passed(&[]), passed(&["GET /"]));
        let evil = passed(&["GET /", "GET /evil"]);
        assert!(faults(1, &one, &one, &one).is_empty());
        assert!(faults(1, &one, &one, &none).is_empty());
        assert!(faults(1, &one, &none, &one).is_empty());
        assert_eq!(faults(1, &none, &none, &one), ["both others refuse it"]);
        assert_eq!(faults(2, &one, &evil, &evil), ["a hidden request came through"]);
        assert_eq!(faults(1, &evil, &evil, &evil), ["its backend saw more requests than were sent"]);
        assert_eq!(
            faults(1, &one, &one, &passed(&["GET /b"])),
            ["it passed on something else than both others"]
        );
        let hurt = Outcome { is_sound: false, ..one.clone() };
        assert_eq!(faults(1, &one, &one, &hurt), ["the next client did not get its own answer"]);
        let odd = passed(&["GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nX: GET /"]);
        assert_eq!(faults(1, &odd, &one, &odd), ["what it passed on can be read in more than one way"]);
        let plain = Case { plain: true, ..Case::http1("", 1) };
        let row = Row { nginx: &one, haproxy: &one, router: &none };
        assert_eq!(row.faults(&plain), ["it refuses what is as it should be"]);
    }
}
