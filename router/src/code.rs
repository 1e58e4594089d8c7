//! Why a request did not get the application's answer, in Heroku's codes
//! (<https://devcenter.heroku.com/articles/error-codes>), with their meanings.

use http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $words:literal;)*) => {
        /// A code, its status and its words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As in log lines and in `X-Keelway-Code`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The status of the answer that the client gets.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means, in words.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

codes! {
    /// The status of the Environment says that its processes crash.
    H10 = SERVICE_UNAVAILABLE, "App crashed";
    /// All pods are busy and the queue is full.
    H11 = SERVICE_UNAVAILABLE, "Backlog too deep";
    /// No byte came within the limit after the request was sent.
    H12 = SERVICE_UNAVAILABLE, "Request timeout";
    /// The pod closed the connection without an answer.
    H13 = SERVICE_UNAVAILABLE, "Connection closed without response";
    /// No pod of a web process is there.
    H14 = SERVICE_UNAVAILABLE, "No web processes running";
    /// Nothing was sent or received for too long.
    H15 = SERVICE_UNAVAILABLE, "Idle connection";
    /// What the pod sent is not HTTP.
    H17 = SERVICE_UNAVAILABLE, "Poorly formatted HTTP response";
    /// The pod broke off in the middle of its answer.
    H18 = SERVICE_UNAVAILABLE, "Server request interrupted";
    /// No connection to a pod within the limit.
    H19 = SERVICE_UNAVAILABLE, "Backend connection timeout";
    /// A process did not start within the limit.
    H20 = SERVICE_UNAVAILABLE, "App boot timeout";
    /// The pod refused the connection.
    H21 = SERVICE_UNAVAILABLE, "Backend connection refused";
    /// This client, or all clients of this app, asked for too much.
    H22 = TOO_MANY_REQUESTS, "Connection limit reached";
    /// The answer breaks a rule of HTTP that cannot be mended on the way.
    H25 = BAD_GATEWAY, "HTTP restriction";
    /// The request is not one that can be passed on without doubt about its meaning.
    H26 = BAD_REQUEST, "Request error";
    /// The client went away.
    H27 = REQUEST_TIMEOUT, "Client request interrupted";
    /// The client sent nothing for too long.
    H28 = REQUEST_TIMEOUT, "Client connection idle";
    /// The connection was made for another host.
    H31 = MISDIRECTED_REQUEST, "Misdirected request";
    /// The Environment is in maintenance.
    H80 = SERVICE_UNAVAILABLE, "Maintenance mode";
    /// Nothing is deployed at this host.
    H81 = NOT_FOUND, "Blank app";
    /// An error of the router itself.
    H99 = INTERNAL_SERVER_ERROR, "Platform error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_with_words() {
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(!code.words().is_empty() && code.as_str().starts_with('H'));
        }
    }
}
