//! What a config repository says, read without running anything.
//!
//! What enters: the files of one commit as bytes, the names that `.keelwayignore` lists, perhaps age identities, and
//! [`Limits`]. What leaves: documents with the place where they stand ([`Document`]), counts of what was left out, or a
//! [`Problem`] that names file, line and cure. Pure: no I/O, no clock, no globals.

mod file;
mod ignore;
mod limits;
mod node;
mod problem;
mod schema;
pub mod sops;
pub mod suggest;
mod yaml;

pub use file::{Document, FileKind, Parsed, parse};
pub use ignore::{FILE as IGNORE_FILE, Ignore};
pub use limits::Limits;
pub use problem::{Place, Problem};
pub use schema::Schemas;
