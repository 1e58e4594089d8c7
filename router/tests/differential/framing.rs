//! Where a request ends: lengths, transfer codings and chunks, right and wrong.

use crate::case::Case;

/// What stands behind a body whose end is in doubt, or in it.
const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
/// What stands behind one whose end is plain: a request of its own.
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

/// Fields that say a body is chunked, however they are spelled.
const CODINGS: &[&str] = &[
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: CHUNKED",
    "transfer-encoding:chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked\t",
    "X: 1\nTransfer-Encoding: chunked",
    "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
];

/// Fields that say so nearly, or say something else.
const ODD_CODINGS: &[&str] = &[
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding: \u{b}chunked",
    "Transfer-Encoding: chunked\u{b}",
    "Transfer-Encoding: \u{c}chunked",
    "Transfer-Encoding: chunked\0",
    "Transfer-Encoding\0: chunked",
    "Transfer-Encoding: \u{a0}chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: x\r\n chunked",
    "X: 1\r\n Transfer-Encoding: chunked",
    "X: 1\rTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: chunked;",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunk",
    "Transfer-Encoding: chun ked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
    "Transfer-Encoding",
    "Transfer_Encoding: chunked",
    "Transfer-Encodin\u{17f}: chunked",
    "TE: chunked",
    "Content-Encoding: chunked",
];

/// Lengths that say 5, or nothing, so that a second request follows.
const LENGTHS: &[&str] = &[
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5, 5",
    "Content-Length: 05",
    "Content_Length: 5",
    "X: 1\nContent-Length: 5",
    "Connection: Content-Length\r\nContent-Length: 5",
];

/// Lengths that say something else to some readers.
const ODD_LENGTHS: &[&str] = &[
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: 5",
    "Content-Length: 5, 6",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: 0x5",
    "Content-Length: 5.0",
    "Content-Length: 5e0",
    "Content-Length: 5;",
    "Content-Length: 5 5",
    "Content-Length: \"5\"",
    "Content-Length: five",
    "Content-Length:",
    "Content-Length",
    "Content-Length: 5\0",
    "Content-Length: \u{b}5",
    "Content-Length: 5\u{c}",
    "Content-Length : 5",
    " Content-Length: 5",
    "Content-Length\t: 5",
    "Content-Length:\r\n 5",
    "Content-Length: 1\r\n 5",
    "X: 1\r\n Content-Length: 5",
    "X: 1\rContent-Length: 5",
    "Content-Length: 18446744073709551616",
    "Content-Length: 18446744073709551621",
    "Content-Length: 9223372036854775808",
    "Content-Length: 4294967301",
    "Content-Length: 99999999999999999999999999",
    "Content-Length: ٥",
];

/// Chunked bodies that are wrong, or spelled as few would.
const CHUNKS: &[&str] = &[
    "5\r\nhello\r\n0\r\n",
    "5\nhello\n0\n\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "6\r\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "5_\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n",
    "\r\n5\r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;x\nhello\r\n0\r\n\r\n",
    "5;x\rhello\r\n0\r\n\r\n",
    "5;x=\"\r\nhello\r\n0\r\n\r\n",
    "5;\0\r\nhello\r\n0\r\n\r\n",
    "5\0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\r\nhello\r\n-0\r\n\r\n",
    "5\r\nhello\r\n0 \r\n\r\n",
    "5\r\nhello\r\n0\r\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n0\r\n\rX",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nHost: b\r\n\r\n",
    "5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n",
    "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "5\r\nhello\r\n0\r\nX Y: 1\r\n\r\n",
    "5\r\nhello\r\n0\r\nX\r\n\r\n",
    "5\r\nhello\r\n0\r\n folded: 1\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: 1\nY: 2\r\n\r\n",
];

/// Requests as they should be: how many, and their bytes. All three must pass them on.
const PLAIN: &[(usize, &str)] = &[
    (1, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (1, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    (1, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (1, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
    (1, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    (1, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n005;x=y\r\nhello\r\n000\r\n\r\n"),
    (2, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        2,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /second HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        2,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
];

/// Whole requests whose framing is wrong in a way of its own.
const WHOLE: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5e\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
];

pub fn cases() -> Vec<Case> {
    let post = |field: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{body}");
    let chunked = format!("5\r\nhello\r\n0\r\n\r\n{EVIL}");
    let mut all: Vec<Case> =
        PLAIN.iter().map(|(count, text)| Case { plain: true, ..Case::http1(text, *count) }).collect();
    let plain = chunked.replace(EVIL, SECOND);
    all.extend(CODINGS.iter().map(|coding| Case::http1(post(coding, &plain), 2)));
    all.extend(ODD_CODINGS.iter().map(|coding| Case::http1(post(coding, &chunked), 1)));
    for coding in CODINGS.iter().chain(ODD_CODINGS).chain(&["Transfer-Encoding: chunked"]) {
        // By the length what follows the last chunk is in the body, or it begins amid the chunk.
        for length in [4, chunked.len()] {
            all.push(Case::http1(post(&format!("Content-Length: {length}\r\n{coding}"), &chunked), 1));
        }
    }
    all.extend(LENGTHS.iter().map(|length| Case::http1(post(length, &format!("hello{SECOND}")), 2)));
    all.extend(ODD_LENGTHS.iter().map(|length| Case::http1(post(length, &format!("hello{EVIL}")), 1)));
    all.extend(CHUNKS.iter().map(|chunks| Case::http1(post("Transfer-Encoding: chunked", chunks), 1)));
    all.extend(WHOLE.iter().map(|text| Case::http1(text, 1)));
    all
}
