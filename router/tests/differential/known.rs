//! What the router passes on though both others refuse it.

/// A part of a case's name, and why it is let pass. One that excuses nothing has to be struck.
pub const KNOWN: &[(&str, &str)] = &[
    (
        "h2: POST of 5 bytes with length \"0\"",
        "by its length the request is whole before the frame that contradicts it is read, and it is passed on without a body",
    ),
    ("h2: pseudo trailers", "trailers that no field Trailer names end at the router"),
    ("h2: a length in trailers", "the same"),
    ("h2: Host in trailers", "the same"),
    ("Transfer-Encoding: chunked, chunked", "a defect: codings besides one chunked have to be refused"),
    ("Transfer-Encoding: chunked\\r\\nTransfer-Encoding: chunked", "the same defect"),
    ("Transfer-Encoding: identity\\r\\nTransfer-Encoding: chunked", "the same defect"),
    ("Transfer-Encoding: identity, chunked", "the same defect"),
    ("Transfer-Encoding: gzip, chunked", "the same defect"),
    ("Transfer-Encoding: gzip\\r\\nTransfer-Encoding: chunked", "the same defect"),
    ("Transfer-Encoding: ,chunked", "the same defect"),
    ("(\"content-length\", \"\")", "a defect: in HTTP/2 an empty length is taken for none, and passed on"),
];
