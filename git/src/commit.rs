//! What a status shows about a commit.

use gix_hash::{Kind, ObjectId};
use gix_object::CommitRef;
use jiff::Timestamp;

use crate::error::tame;
use crate::oid::Oid;

/// A commit's id and the parts of its message that people want to see. The texts come from whoever made the commit:
/// one line each, without control characters, at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// The commit's id.
    pub sha: Oid,
    /// The author's name.
    pub author: String,
    /// The author's e-mail address.
    pub email: String,
    /// The first line of the message.
    pub subject: String,
    /// When the commit was made, as it claims.
    pub committed_at: Timestamp,
}

impl CommitInfo {
    /// Parses a commit object; also returns its tree.
    pub(crate) fn parse(sha: Oid, bytes: &[u8]) -> Result<(Self, ObjectId), String> {
        let commit = CommitRef::from_bytes(bytes, Kind::Sha1).map_err(|error| error.to_string())?;
        let author = commit.author().map_err(|error| error.to_string())?;
        let seconds = commit.time().map_or(0, |time| time.seconds);
        let first_line =
            commit.message.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let show = |text: &[u8]| tame(&String::from_utf8_lossy(text));
        let info = Self {
            sha,
            author: show(author.name),
            email: show(author.email),
            subject: show(first_line.unwrap_or_default()),
            // A date beyond what a calendar holds is a joke, not a reason to refuse the commit.
            committed_at: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        Ok((info, commit.tree()))
    }
}
