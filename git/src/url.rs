//! Where a repository lives. Parsed once; what is not https, http or ssh, or tries to smuggle options or passwords, is
//! refused here.

use std::fmt;
use std::str::FromStr;

use crate::error::GitError;

/// How to talk to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Encrypted and authenticated by certificates.
    Https,
    /// In the clear; only where the operator's settings allow it.
    Http,
    /// Encrypted and authenticated by `known_hosts`.
    Ssh,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Ssh => 22,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
        }
    }
}

/// A repository's address, without any credential: `https://host/path`, `ssh://user@host:port/path` or `user@host:path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUrl {
    scheme: Scheme,
    user: Option<String>,
    host: String,
    port: u16,
    path: String,
}

fn refused<T>(reason: &str) -> Result<T, GitError> {
    Err(GitError::InvalidUrl { reason: reason.to_owned() })
}

const FORMS: &str =
    "use https://host/path, ssh://user@host/path or user@host:path; file, git and ext URLs are refused";
const NO_PASSWORD: &str = "a user name or password in the URL would show up in logs; put it into a Secret and name that in `secretRef`";

impl RepoUrl {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host name or IP address, in lower case; IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's default if the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path on the host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The user to log in as; only ssh URLs have one.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// `host` or `host:port`, in brackets if it is an IPv6 address.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// The same host with another path; for redirects within it.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        Self { path: path.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    fn parse_url(text: &str) -> Result<Self, GitError> {
        let Ok(url) = url::Url::parse(text) else { return refused(FORMS) };
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
            _ => return refused(FORMS),
        };
        if url.password().is_some() || (scheme != Scheme::Ssh && !url.username().is_empty()) {
            return refused(NO_PASSWORD);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("it may have neither a query (?…) nor a fragment (#…)");
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = url.port().unwrap_or(scheme.default_port());
        let path = url.path().trim_end_matches('/');
        let user = (!url.username().is_empty()).then(|| url.username().to_owned());
        Self::checked(Self { scheme, user, host, port, path: path.to_owned() })
    }

    fn parse_scp(text: &str) -> Result<Self, GitError> {
        let Some((place, path)) = text.split_once(':') else { return refused(FORMS) };
        if place.contains('/') || path.starts_with(':') {
            return refused(FORMS);
        }
        // Without a user it could as well be a mistyped scheme or a drive letter.
        let Some((user, host)) = place.split_once('@') else { return refused(FORMS) };
        let (user, host) = (Some(user.to_owned()), host.to_ascii_lowercase());
        let path = path.trim_end_matches('/').to_owned();
        Self::checked(Self { scheme: Scheme::Ssh, user, host, port: 22, path })
    }

    fn checked(mut self) -> Result<Self, GitError> {
        if self.scheme == Scheme::Ssh && self.path.starts_with("/~") {
            self.path.remove(0); // as git does: `/~user/repo` is relative to that user's home
        }
        let host_ok = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let is_ipv6 = self.host.parse::<std::net::Ipv6Addr>().is_ok();
        let labels = self.host.strip_suffix('.').unwrap_or(&self.host).split('.');
        let is_name = self.host.chars().all(host_ok) && labels.into_iter().all(|label| !label.is_empty());
        if self.host.len() > 253 || !(is_ipv6 || is_name) {
            return refused("it has no valid host name");
        }
        if self.host.starts_with('-') || self.path.starts_with('-') {
            return refused("host and path may not start with `-`");
        }
        if let Some(user) = &self.user {
            let user_ok = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
            if user.is_empty() || user.starts_with('-') || !user.chars().all(user_ok) {
                return refused("the user name before `@` has characters that are not allowed");
            }
        }
        if self.path.is_empty() || self.port == 0 {
            return refused("it names no repository; add the path after the host");
        }
        if self.path.split('/').any(|part| part == ".." || part == ".") {
            return refused("the path may not hold `.` or `..`");
        }
        Ok(self)
    }
}

impl FromStr for RepoUrl {
    type Err = GitError;

    /// Parses a repository URL.
    ///
    /// # Errors
    /// [`GitError::InvalidUrl`] says what is wrong without repeating the URL, which may hold a password.
    fn from_str(text: &str) -> Result<Self, GitError> {
        if text.is_empty() || text.len() > 2048 {
            return refused("it must have between 1 and 2048 characters");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return refused("it may hold no space, backslash or control character");
        }
        if text.contains("://") { Self::parse_url(text) } else { Self::parse_scp(text) }
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        if self.scheme == Scheme::Ssh && !self.path.starts_with(['/', '~']) {
            return write!(f, "{user}{}:{}", self.authority(), self.path); // relative to the user's home
        }
        let slash = if self.path.starts_with('~') { "/" } else { "" };
        write!(f, "{}://{user}{}{slash}{}", self.scheme.name(), self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<RepoUrl>().unwrap_or_else(|e| panic!("{text}: {e}")).to_string()
    }

    #[test]
    fn every_form_that_people_use_is_understood() {
        assert_eq!(shown("https://GitHub.com/a/b.git"), "https://github.com/a/b.git");
        assert_eq!(shown("https://host:8443/a/b/"), "https://host:8443/a/b");
        assert_eq!(shown("http://gitea.gitea.svc:3000/a/b"), "http://gitea.gitea.svc:3000/a/b");
        assert_eq!(shown("ssh://git@host:2222/a/b.git"), "ssh://git@host:2222/a/b.git");
        assert_eq!(shown("git@github.com:a/b.git"), "git@github.com:a/b.git");
        assert_eq!(shown("git@github.com:/a/b.git"), "ssh://git@github.com/a/b.git");
        assert_eq!(shown("ssh://host/~me/b.git"), "ssh://host/~me/b.git");
        assert_eq!(shown("https://[2001:db8::1]:444/a"), "https://[2001:db8::1]:444/a");
        assert_eq!("git@h:/abs/b.git".parse::<RepoUrl>().unwrap().path(), "/abs/b.git");
        assert_eq!("ssh://h/~me/b.git".parse::<RepoUrl>().unwrap().path(), "~me/b.git");
    }

    #[test]
    fn what_could_run_a_command_read_a_file_or_leak_is_refused() {
        let bad = [
            "",
            "/etc/passwd",
            "file:///etc/passwd",
            "git://host/a",
            "ext::sh -c id",
            "ext::sh",
            "-oProxyCommand=x:y",
            "ssh://-oProxyCommand=x/y",
            "-u@host:path",
            "git@-host:path",
            "git@host:-path",
            "fd::17/foo",
            "host",
            "https://host",
            "https://host/",
            "https:///path",
            "https://host/a?token=x",
            "https://host/a#x",
            "https://host/a b",
            "https://host/a\nb",
            "ftp://host/a",
            "git@host:",
            "git@ho/st:a",
            "git@host:a/../b",
            "javascript:alert(1)//",
            "https://host:0/a",
            "C:\\repo",
        ];
        for text in bad {
            assert!(text.parse::<RepoUrl>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for text in ["https://me:canary@host/a", "https://canary@host/a", "ssh://git:canary@host/a"] {
            let error = text.parse::<RepoUrl>().unwrap_err();
            assert!(error.to_string().contains("Secret"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,60}") {
            let _ = text.parse::<RepoUrl>();
        }

        #[test]
        fn what_is_understood_is_shown_so_that_it_means_the_same(
            text in "(https|http|ssh)://([a-z-]{1,4}(:[a-z]{0,3})?@)?[a-z0-9.-]{1,6}(:[0-9]{1,3})?/[~a-z%./-]{0,9}|[a-z-]{1,4}@[a-z.-]{1,6}:[~a-z./-]{1,9}"
        ) {
            if let Ok(url) = text.parse::<RepoUrl>() {
                prop_assert_eq!(url.to_string().parse::<RepoUrl>(), Ok(url.clone()));
                prop_assert!(!url.host().starts_with('-') && !url.path().starts_with('-'));
                prop_assert!(url.scheme() == Scheme::Ssh || !url.to_string().contains('@'));
            }
        }
    }
}
