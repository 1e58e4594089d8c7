//! The HTTP edge in front of every environment: routes by host, path, header and weight, changes pods without losing a
//! request, speaks Heroku's codes, counts what the scaling law needs.
//!
//! Data flows one way: a source ([`file`]) makes [`route::Route`]s, [`table::Table`] makes them searchable and is
//! exchanged as a whole, [`exchange`] answers each request by it, [`record`] counts and logs what came of it.

pub mod access;
pub mod admin;
pub mod balance;
pub mod body;
pub mod carrier;
pub mod clock;
pub mod cluster;
pub mod code;
pub mod connection;
pub mod endpoint;
pub mod exchange;
pub mod file;
pub mod flow;
pub mod forwarded;
pub mod framing;
pub mod headers;
pub mod host;
pub mod log;
pub mod outbox;
pub mod page;
pub mod pass;
pub mod peer;
pub mod pick;
pub mod pool;
pub mod proxy_protocol;
pub mod record;
pub mod reload;
pub mod reply;
pub mod route;
pub mod sender;
pub mod serve;
pub mod settings;
pub mod silence;
pub mod spans;
pub mod spare;
pub mod stats;
pub mod stop;
pub mod table;
pub mod tls;
pub mod tunnel;
pub mod upload;
pub mod websocket;
pub mod worker;
