//! The plain page of a code: HTML, JSON or text, as the client prefers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::code::Code;
use crate::headers::{CODE, REQUEST_ID};

/// What the page tells.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The code; none where a name and a password are needed.
    pub code: Option<Code>,
    /// Why, in words, if anybody knows.
    pub cause: Option<&'a str>,
    /// What to give to whoever reads the logs.
    pub request_id: Option<&'a HeaderValue>,
    /// The environment's own page for browsers.
    pub own: Option<&'a Bytes>,
}

impl Page<'_> {
    fn status(&self) -> StatusCode {
        self.code.map_or(StatusCode::UNAUTHORIZED, Code::status)
    }

    fn name(&self) -> &'static str {
        self.code.map_or("401", Code::as_str)
    }

    fn words(&self) -> &'static str {
        self.code.map_or("Who are you?", Code::words)
    }
}

/// The answer with the page.
pub fn answer(page: Page<'_>, accept: Option<&HeaderValue>) -> Response<Bytes> {
    let status = page.status();
    let id = page.request_id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let cause = page.cause.unwrap_or_default();
    let (kind, body) = match preferred(accept) {
        Form::Json => ("application/json", json(&page, id, cause).into()),
        Form::Html => {
            ("text/html; charset=utf-8", page.own.cloned().unwrap_or_else(|| html(&page, id, cause).into()))
        }
        Form::Text => ("text/plain; charset=utf-8", text(&page, id, cause).into()),
    };
    let body: Bytes = body;
    let mut response = Response::new(body.clone());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(code) = page.code {
        headers.insert(CODE, HeaderValue::from_static(code.as_str()));
    }
    if let Some(id) = page.request_id {
        headers.insert(REQUEST_ID, id.clone());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Html,
    Json,
    Text,
}

/// The first form that is named; browsers name HTML first. Weights are rare enough to be left out here.
fn preferred(accept: Option<&HeaderValue>) -> Form {
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = accept.split(',').find_map(|part| {
        let kind = part.split(';').next().unwrap_or_default().trim();
        match kind {
            "text/html" | "application/xhtml+xml" => Some(Form::Html),
            "application/json" => Some(Form::Json),
            "text/plain" => Some(Form::Text),
            _ if kind.ends_with("+json") => Some(Form::Json),
            _ => None,
        }
    });
    known.unwrap_or(Form::Text)
}

fn text(page: &Page<'_>, id: &str, cause: &str) -> String {
    let cause = if cause.is_empty() { String::new() } else { format!("{cause}\n") };
    format!("{} {}\n{cause}request {id}\n", page.name(), page.words())
}

fn json(page: &Page<'_>, id: &str, cause: &str) -> String {
    let mut value = serde_json::json!({
        "code": page.name(), "message": page.words(), "requestId": id,
    });
    if !cause.is_empty() {
        value["cause"] = cause.into();
    }
    format!("{value}\n")
}

fn html(page: &Page<'_>, id: &str, cause: &str) -> String {
    let cause = if cause.is_empty() { String::new() } else { format!("<p>{}</p>", escaped(cause)) };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{words}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;\
         padding:0 1rem;color:#222}}small{{color:#666}}@media(prefers-color-scheme:dark){{body{{background:#111;\
         color:#eee}}}}</style><h1>{words}</h1>{cause}<p><small>{code} · request {id}</small></p></html>\n",
        words = page.words(),
        code = page.name(),
        id = escaped(id),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(accept: &str, cause: Option<&str>) -> Response<Bytes> {
        let accept = accept.parse().unwrap();
        let id = HeaderValue::from_static("abc");
        answer(Page { code: Some(Code::H10), cause, request_id: Some(&id), own: None }, Some(&accept))
    }

    #[test]
    fn a_browser_a_program_and_a_terminal_each_get_their_form() {
        let kind = |accept| page(accept, None).headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(kind("text/html,application/xhtml+xml,*/*;q=0.8").starts_with("text/html"));
        assert!(kind("application/json").starts_with("application/json"));
        assert!(kind("application/problem+json; charset=utf-8").starts_with("application/json"));
        assert!(kind("*/*").starts_with("text/plain"));
    }

    #[test]
    fn a_cause_cannot_write_html() {
        let response = page("text/html", Some("<script>alert(1)</script>"));
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(!body.contains("<script>") && body.contains("&lt;script&gt;") && body.contains("H10"));
        assert_eq!(response.headers()[CODE], "H10");
        assert_eq!(response.headers()[CONTENT_LENGTH], body.len().to_string().as_str());
    }
}
