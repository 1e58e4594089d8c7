//! HTTP/2: header fields, right and wrong.

use crate::case::Case;
use crate::frames::{DATA, END_HEADERS, END_STREAM, Field, GET, POST, WHOLE, connection, frame, headers};

/// Fields behind those of a plain GET.
const MORE: &[Field<'static>] = &[
    ("connection", "close"),
    ("connection", "keep-alive"),
    ("keep-alive", "1"),
    ("proxy-connection", "close"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "identity"),
    ("upgrade", "h2c"),
    ("te", "gzip"),
    ("te", "trailers"),
    ("te", "trailers, deflate"),
    ("host", "a"),
    ("host", "b"),
    ("host", "a:80"),
    ("host", ""),
    ("X-Upper", "1"),
    ("x y", "1"),
    ("x:", "1"),
    ("x:y", "1"),
    ("x\r\ny", "1"),
    ("x\0", "1"),
    ("x\u{7f}", "1"),
    ("ü", "1"),
    ("", "1"),
    (":", "1"),
    (":x", "1"),
    (":path", "/evil"),
    (":status", "200"),
    (":protocol", "websocket"),
    ("x", "1\r\ny: 2"),
    ("x", "1\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("x", "1\n"),
    ("x", "1\r"),
    ("x", "\0"),
    ("x", " 1"),
    ("x", "1\t"),
    ("x", "\u{1}"),
    ("x", "\u{7f}"),
    ("content-length", "0"),
    ("content-length", "5"),
    ("content-length", "-1"),
    ("content-length", "x"),
    ("content-length", ""),
    ("content-length", "99999999999999999999"),
    ("expect", "100-continue"),
    ("http2-settings", "AAMAAABk"),
    ("x-forwarded-for", "1.2.3.4"),
    ("cookie", "a=1\r\nx: 2"),
    ("transfer-encoding\r\n", "chunked"),
    ("content-length ", "5"),
];

/// Fields of a plain GET with other values.
const OTHER: &[Field<'static>] = &[
    (":method", ""),
    (":method", "get"),
    (":method", "G T"),
    (":method", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"),
    (":method", "GET\0"),
    (":method", "TRACE"),
    (":method", "CONNECT"),
    (":method", "PRI"),
    (":scheme", ""),
    (":scheme", "https"),
    (":scheme", "ftp"),
    (":scheme", "ht tp"),
    (":scheme", "http\r\n"),
    (":scheme", "http://evil/?"),
    (":path", ""),
    (":path", "*"),
    (":path", "a"),
    (":path", "evil"),
    (":path", "?a"),
    (":path", "#a"),
    (":path", "//evil/"),
    (":path", "http://evil/"),
    (":path", "/a b"),
    (":path", "/a#b"),
    (":path", "/a\0"),
    (":path", "/a\tb"),
    (":path", "/a\u{7f}"),
    (":path", "/ä"),
    (":path", "/a\r\nx: 1"),
    (":path", "/ HTTP/1.1\r\nHost: a\r\n\r\nGET /evil"),
    (":path", "/../b"),
    (":authority", ""),
    (":authority", "A"),
    (":authority", "a:80"),
    (":authority", "a:"),
    (":authority", "a:x"),
    (":authority", "a:99999"),
    (":authority", "a b"),
    (":authority", "a/b"),
    (":authority", "a,b"),
    (":authority", "user@a"),
    (":authority", "a@evil"),
    (":authority", "[::1]"),
    (":authority", "[::1"),
    (":authority", "a\r\nx: 1"),
    (":authority", "a\0"),
    (":authority", "ä"),
    (":authority", "a."),
    (":authority", "%61"),
];

/// A POST with this length and the body `hello`, in one frame or in two.
const LENGTHS: &[&str] = &["4", "6", "0", "5x", "5, 6", "+5", "0x5", " 5", "05", "18446744073709551621"];

pub fn cases() -> Vec<Case> {
    let get = headers(WHOLE, 1, GET);
    let mut all = vec![
        Case { plain: true, ..Case::http2("plain GET", connection(&[get])) },
        Case {
            plain: true,
            ..Case::http2(
                "plain POST",
                connection(&[headers(END_HEADERS, 1, POST), frame(DATA, END_STREAM, 1, b"hello")]),
            )
        },
    ];
    all.extend(MORE.iter().map(|field| {
        let fields = [GET, &[*field]].concat();
        Case::http2(format!("GET with {field:?}"), connection(&[headers(WHOLE, 1, &fields)]))
    }));
    all.extend(OTHER.iter().map(|(name, value)| {
        let own = |field: &Field<'static>| if field.0 == *name { (*name, *value) } else { *field };
        let fields: Vec<Field<'_>> = GET.iter().map(own).collect();
        Case::http2(format!("GET with {name} {value:?}"), connection(&[headers(WHOLE, 1, &fields)]))
    }));
    for length in LENGTHS {
        let fields = [POST, &[("content-length", *length)]].concat();
        let body = frame(DATA, END_STREAM, 1, b"hello");
        all.push(Case::http2(
            format!("POST of 5 bytes with length {length:?}"),
            connection(&[headers(END_HEADERS, 1, &fields), body]),
        ));
    }
    all.extend(orders());
    all
}

/// Pseudo fields that are missing, doubled or late.
fn orders() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name: String, fields: &[Field<'_>]| {
        all.push(Case::http2(name, connection(&[headers(WHOLE, 1, fields)])));
    };
    for (n, field) in GET.iter().enumerate() {
        let rest: Vec<Field<'_>> = GET.iter().filter(|other| *other != field).copied().collect();
        add(format!("no {}", field.0), &rest);
        add(format!("{} twice", field.0), &[GET, &[GET[n]]].concat());
        add(format!("{} behind a field", field.0), &[&rest[..], &[("x", "1"), GET[n]]].concat());
    }
    let no_authority = [GET[0], GET[1], GET[3]];
    add("Host alone".into(), &[&no_authority[..], &[("host", "a")]].concat());
    add("Host twice".into(), &[&no_authority[..], &[("host", "a"), ("host", "b")]].concat());
    add("authority and Host differ".into(), &[GET, &[("host", "evil")]].concat());
    add("two lengths".into(), &[GET, &[("content-length", "0"), ("content-length", "5")]].concat());
    add("CONNECT as it is".into(), &[(":method", "CONNECT"), (":authority", "a:80")]);
    add(
        "CONNECT for WebSocket".into(),
        &[&[(":method", "CONNECT"), (":protocol", "websocket")], &GET[1..]].concat(),
    );
    add("nothing".into(), &[]);
    all
}
