//! HTTP/2: bodies, header blocks and other frames, right and wrong.

use crate::case::Case;
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PADDED, PING, POST, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, WORDS, block, connection, frame, headers,
};

/// What is wrong, and the frames behind the settings.
type List = Vec<(&'static str, Vec<Vec<u8>>)>;

pub fn cases() -> Vec<Case> {
    let list = [bodies(), blocks(), others()].into_iter().flatten();
    let mut all: Vec<Case> = list
        .map(|(name, frames)| {
            // Stream 3 is a request of its own, though stream 1 behind it is none.
            let requests = if name == "a stream that goes back" { 2 } else { 1 };
            Case { requests, ..Case::http2(name, connection(&frames)) }
        })
        .collect();
    let (get, settings) = (headers(WHOLE, 1, GET), frame(SETTINGS, 0, 0, &[]));
    all.push(Case::http2("no settings", [WORDS, &get].concat()));
    all.push(Case::http2("wrong words", [&WORDS[..20], b"XX\r\n\r\n", &settings, &get].concat()));
    all.push(Case::http2("no words", [settings, get].concat()));
    all
}

/// Bodies and trailers.
fn bodies() -> List {
    let post = || headers(END_HEADERS, 1, POST);
    let data = |flags, bytes: &[u8]| frame(DATA, flags, 1, bytes);
    vec![
        ("trailers", vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[("x", "1")])]),
        ("pseudo trailers", vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[(":path", "/evil")])]),
        (
            "trailers that end nothing",
            vec![post(), data(0, b"hello"), headers(END_HEADERS, 1, &[("x", "1")])],
        ),
        (
            "a length in trailers",
            vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[("content-length", "9")])],
        ),
        ("Host in trailers", vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[("host", "evil")])]),
        (
            "a coding in trailers",
            vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[("transfer-encoding", "chunked")])],
        ),
        ("an upper-case trailer", vec![post(), data(0, b"hello"), headers(WHOLE, 1, &[("X", "1")])]),
        ("data behind the end", vec![post(), data(END_STREAM, b"hello"), data(END_STREAM, b"x")]),
        ("headers behind the end", vec![headers(WHOLE, 1, GET), headers(WHOLE, 1, GET)]),
        (
            "chunks in a body",
            vec![post(), data(END_STREAM, b"0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n")],
        ),
        ("padding beyond the frame", vec![post(), data(END_STREAM | PADDED, b"\x09hello")]),
        ("padding of the whole frame", vec![post(), data(END_STREAM | PADDED, b"\x05hello")]),
        ("padding in an empty frame", vec![post(), data(END_STREAM | PADDED, b"")]),
        ("no end", vec![post(), data(0, b"hello")]),
        ("reset", vec![post(), data(0, b"hello"), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])]),
        ("data before a header", vec![data(END_STREAM, b"hello")]),
        ("data on no stream", vec![post(), frame(DATA, END_STREAM, 0, b"hello")]),
        (
            "more data than there is a window for",
            std::iter::once(post()).chain((0..80).map(|_| data(0, &[0; 16_000]))).collect(),
        ),
        ("a frame that is too large", vec![post(), data(END_STREAM, &[0; 20_000])]),
    ]
}

/// Header blocks in the wrong place, in the wrong pieces, or wrongly compressed.
fn blocks() -> List {
    let get = || headers(WHOLE, 1, GET);
    let whole = block(GET);
    let (first, second) = whole.split_at(10);
    vec![
        ("an even stream", vec![headers(WHOLE, 2, GET)]),
        ("stream 0", vec![headers(WHOLE, 0, GET)]),
        ("a stream that goes back", vec![headers(WHOLE, 3, GET), get()]),
        (
            "a block in two",
            vec![frame(HEADERS, END_STREAM, 1, first), frame(CONTINUATION, END_HEADERS, 1, second)],
        ),
        (
            "a block that goes on elsewhere",
            vec![frame(HEADERS, END_STREAM, 1, first), frame(CONTINUATION, END_HEADERS, 3, second)],
        ),
        (
            "a frame amid a block",
            vec![
                frame(HEADERS, END_STREAM, 1, first),
                frame(PING, 0, 0, &[0; 8]),
                frame(CONTINUATION, END_HEADERS, 1, second),
            ],
        ),
        ("a block without end", vec![frame(HEADERS, END_STREAM, 1, first)]),
        ("a continuation of nothing", vec![frame(CONTINUATION, END_HEADERS, 1, &whole)]),
        ("a block that breaks off", vec![frame(HEADERS, WHOLE, 1, first)]),
        ("an index of nothing", vec![frame(HEADERS, WHOLE, 1, &[&whole[..], &[0xff, 0x7f]].concat())]),
        ("index 0", vec![frame(HEADERS, WHOLE, 1, &[&whole[..], &[0x80]].concat())]),
        (
            "a table that grows too large",
            vec![frame(HEADERS, WHOLE, 1, &[&[0x3f, 0xff, 0xff, 0x7f][..], &whole].concat())],
        ),
        ("a table size behind fields", vec![frame(HEADERS, WHOLE, 1, &[&whole[..], &[0x20]].concat())]),
        ("an integer without end", vec![frame(HEADERS, WHOLE, 1, &[&whole[..], &[0xff; 20]].concat())]),
        (
            "Huffman padding of zeros",
            vec![frame(HEADERS, WHOLE, 1, &[&whole[..], &[0, 1, b'x', 0x81, 0]].concat())],
        ),
    ]
}

/// Frames that are wrong by themselves, before a plain GET.
fn others() -> List {
    let get = || headers(WHOLE, 1, GET);
    let whole = block(GET);
    vec![
        ("a stream that depends on itself", vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), get()]),
        ("priority on stream 0", vec![frame(PRIORITY, 0, 0, &[0; 5]), get()]),
        ("a short priority", vec![frame(PRIORITY, 0, 1, &[0; 4]), get()]),
        ("reset of an idle stream", vec![frame(RST_STREAM, 0, 1, &[0; 4]), get()]),
        ("a short reset", vec![frame(RST_STREAM, 0, 1, &[0; 3]), get()]),
        ("settings on a stream", vec![frame(SETTINGS, 0, 1, &[]), get()]),
        ("settings of a wrong length", vec![frame(SETTINGS, 0, 0, &[0; 5]), get()]),
        ("an ACK with settings", vec![frame(SETTINGS, ACK, 0, &[0; 6]), get()]),
        ("push that is neither on nor off", vec![frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), get()]),
        ("a window beyond all bounds", vec![frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]), get()]),
        ("frames below all bounds", vec![frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), get()]),
        ("a client's push", vec![frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &whole].concat())]),
        ("a short ping", vec![frame(PING, 0, 0, &[0; 7]), get()]),
        ("a ping on a stream", vec![frame(PING, 0, 1, &[0; 8]), get()]),
        ("a window that grows by 0", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 4]), get()]),
        ("a window that overflows", vec![frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), get()]),
        ("a short window", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 3]), get()]),
        ("a window of an idle stream", vec![frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]), get()]),
        ("a short farewell", vec![frame(GOAWAY, 0, 0, &[0; 7]), get()]),
        ("a farewell on a stream", vec![frame(GOAWAY, 0, 1, &[0; 8]), get()]),
        ("a frame of an unknown kind", vec![frame(99, 0xff, 0, b"x"), get()]),
        (
            "a header's padding beyond the frame",
            vec![frame(HEADERS, WHOLE | PADDED, 1, &[&[0xff][..], &whole].concat())],
        ),
    ]
}
