//! A read-only git client for programs that follow repositories which somebody else controls.
//!
//! In goes a [`Request`] (URL, ref, credentials, trusted CAs, caps); out comes a [`Snapshot`] whose files can be listed
//! and read. Commits are fetched without their history into bare mirrors, and nothing is ever checked out: no file name
//! of a repository touches the disk, no link is followed, no hook, filter or configuration of a repository is looked at.
//!
//! Every connection is opened here: to an address that was checked ([`AddressPolicy`]), trusting what that one
//! repository trusts ([`Trust`]), with time-outs and byte caps ([`Limits`]).

mod address;
mod budget;
mod call;
mod client;
mod commit;
mod credentials;
mod error;
mod http;
mod limits;
mod mirror;
mod net;
mod oid;
mod path;
mod reference;
mod session;
mod snapshot;
mod ssh;
mod trust;
mod unpack;
mod url;

pub use address::AddressPolicy;
pub use client::{Client, Fetched, Git, RemoteRef, Request};
pub use commit::CommitInfo;
pub use credentials::{Credentials, Secret};
pub use error::{Cap, ErrorClass, GitError};
pub use limits::Limits;
pub use net::{Resolver, SystemResolver};
pub use oid::Oid;
pub use path::RepoPath;
pub use reference::{GitRef, RefName};
pub use snapshot::{Entry, File, Files, Listing, Skipped, Snapshot};
pub use trust::Trust;
pub use url::{RepoUrl, Scheme};
