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
];
