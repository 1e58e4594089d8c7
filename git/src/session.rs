//! One conversation with a git server: greet, list refs, receive a pack. Works over any transport.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix_hash::ObjectId;
use gix_protocol::fetch::negotiate::{Action, Round, one_round};
use gix_protocol::fetch::{Arguments, Context, Negotiate, Options, Response, Shallow, Tags};
use gix_protocol::handshake::Ref;
use gix_protocol::ls_refs::RefPrefixes;
use gix_protocol::{Handshake, LsRefsCommand};
use gix_transport::client::blocking_io::Transport;
use gix_utils::progress::{Discard, DynNestedProgress};

use crate::budget::Budget;
use crate::credentials::Credentials;
use crate::error::{Cap, GitError};
use crate::limits::Limits;
use crate::mirror::Store;
use crate::unpack;

/// Waiting ends by the transport's time-outs, so the library's own switch stays off while it talks.
static STOP_NEVER: AtomicBool = AtomicBool::new(false);

/// What the server says about one ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// What to ask for: the commit, or the annotated tag.
    pub(crate) want: ObjectId,
    /// The object that the ref stands for once tags are peeled.
    pub(crate) target: ObjectId,
}

/// A greeted server.
pub(crate) struct Session<'a> {
    transport: Box<dyn Transport>,
    handshake: Handshake,
    budget: Arc<Budget>,
    limits: &'a Limits,
    credentials: &'a Credentials,
}

fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(concat!("keelway/", env!("CARGO_PKG_VERSION")).to_owned()))
}

impl<'a> Session<'a> {
    /// Greets the server.
    pub(crate) fn open(
        mut transport: Box<dyn Transport>,
        budget: Arc<Budget>,
        limits: &'a Limits,
        credentials: &'a Credentials,
    ) -> Result<Self, GitError> {
        budget.allow(Cap::AdvertisementBytes, limits.advertisement_bytes);
        // Our transports authenticate by themselves; the library's credential helpers are never asked.
        let nobody = |_| Ok(None);
        let service = gix_transport::Service::UploadPack;
        let handshake = gix_protocol::handshake(&mut transport, service, nobody, Vec::new(), &mut Discard)
            .map_err(|error| explain(&budget, credentials, &error))?;
        if let Some(format) = handshake.capabilities.capability("object-format")
            && format.value().is_some_and(|value| value != "sha1")
        {
            return Err(GitError::ObjectFormat);
        }
        Ok(Self { transport, handshake, budget, limits, credentials })
    }

    /// The server's refs whose full names start with one of `prefixes`.
    pub(crate) fn refs(&mut self, prefixes: &[String]) -> Result<BTreeMap<String, Advertised>, GitError> {
        // Protocol 0 and 1 send all of them with the greeting.
        let found = if let Some(refs) = self.handshake.refs.take() {
            refs
        } else {
            let mut wanted = RefPrefixes::new();
            wanted.extend(prefixes.iter().map(|prefix| prefix.as_str().into()));
            LsRefsCommand::new(Some(wanted), &self.handshake.capabilities, agent())
                .invoke_blocking(&mut self.transport, &mut Discard, false)
                .map_err(|error| explain(&self.budget, self.credentials, &error))?
        };
        let named = found.iter().filter_map(advertised);
        Ok(named.filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect())
    }

    /// Fetches `want` without its history into `store`, which already has the commits `haves` whole.
    pub(crate) fn fetch(
        &mut self,
        want: ObjectId,
        haves: &[ObjectId],
        store: &Store,
    ) -> Result<(), GitError> {
        store.write_shallow(haves)?;
        self.budget.allow(Cap::PackBytes, self.limits.pack_bytes);
        let depth = Shallow::DepthAtRemote(NonZeroU32::MIN);
        let options = Options {
            shallow_file: store.shallow_file(),
            shallow: &depth,
            tags: Tags::None,
            reject_shallow_remote: false,
        };
        let context = Context {
            handshake: &mut self.handshake,
            transport: &mut self.transport,
            user_agent: agent(),
            trace_packetlines: false,
        };
        let (budget, limits) = (&self.budget, self.limits);
        let receive = |pack: &mut dyn BufRead, _: &mut dyn DynNestedProgress, _: &AtomicBool| {
            unpack::receive(pack, store, limits, budget)
                .map(|()| true)
                .map_err(|error| gix_error::Error::from_error(budget.fail(error)))
        };
        let mut question = OneRound { want, haves };
        let result = gix_protocol::fetch(&mut question, receive, Discard, &STOP_NEVER, context, options);
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                budget.check("receiving objects")?;
                Err(explain(budget, self.credentials, &error))
            }
        }
    }
}

fn advertised(found: &Ref) -> Option<(String, Advertised)> {
    let (name, want, target) = match found {
        Ref::Direct { full_ref_name, object } => (full_ref_name, *object, *object),
        Ref::Peeled { full_ref_name, tag, object } => (full_ref_name, *tag, *object),
        Ref::Symbolic { full_ref_name, tag, object, .. } => (full_ref_name, tag.unwrap_or(*object), *object),
        Ref::Unborn { .. } => return None,
    };
    // A name that is not UTF-8 cannot be asked for, so nobody misses it.
    Some((String::from_utf8(name.to_vec()).ok()?, Advertised { want, target }))
}

/// What really happened: the transport's own note, else what the server said, else the library's words.
fn explain(budget: &Budget, credentials: &Credentials, error: &gix_error::Error) -> GitError {
    if let Some(noted) = budget.failure() {
        return noted;
    }
    let text = error.iter_errors().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let detail = credentials.redact(&text);
    let lower = detail.to_lowercase();
    if ["not found", "access denied", "permission denied", "could not read"].iter().any(|s| lower.contains(s))
    {
        return GitError::AccessRefused { detail };
    }
    GitError::Protocol { detail }
}

/// Says what is wanted and what is here, and that this is all. With a depth of one there is no history to compare.
struct OneRound<'a> {
    want: ObjectId,
    haves: &'a [ObjectId],
}

impl Negotiate for OneRound<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix_error::Result<Action> {
        Ok(Action::MustNegotiate { remote_ref_target_known: Vec::new() })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        arguments.want(self.want);
        true
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        arguments: &mut Arguments,
        _previous: Option<&Response>,
    ) -> gix_error::Result<(Round, bool)> {
        for have in self.haves {
            arguments.have(have);
        }
        let haves = self.haves.len();
        let round = Round {
            haves_sent: haves,
            in_vain: 0,
            haves_to_send: haves,
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}
