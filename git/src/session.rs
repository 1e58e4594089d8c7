//! One conversation with a git server: greet, list refs, receive a pack. Works over any transport.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Cursor, Read};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use gix_hash::ObjectId;
use gix_protocol::fetch::negotiate::{Action, Round, one_round};
use gix_protocol::fetch::{Arguments, Context, Negotiate, Options, Response, Shallow, Tags};
use gix_protocol::handshake::Ref;
use gix_protocol::ls_refs::RefPrefixes;
use gix_protocol::{Handshake, LsRefsCommand};
use gix_transport::client::blocking_io::Transport;
use gix_utils::progress::Discard;

use crate::budget::Budget;
use crate::credentials::Credentials;
use crate::error::{Cap, GitError};
use crate::limits::Limits;
use crate::mirror::Store;

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
        Ok(Self { transport, handshake, budget, limits, credentials })
    }

    /// The server's refs whose full names start with one of `prefixes`.
    pub(crate) fn refs(&mut self, prefixes: &[String]) -> Result<BTreeMap<String, Advertised>, GitError> {
        let found = match self.handshake.refs.take() {
            Some(refs) => refs, // protocol 0 and 1 send all of them with the greeting
            None => {
                let mut wanted = RefPrefixes::new();
                wanted.extend(prefixes.iter().map(|prefix| prefix.as_str().into()));
                LsRefsCommand::new(Some(wanted), &self.handshake.capabilities, agent())
                    .invoke_blocking(&mut self.transport, &mut Discard, false)
                    .map_err(|error| explain(&self.budget, self.credentials, &error))?
            }
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
        let stop = AtomicBool::new(false);
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
        let result = stop_at(budget.deadline(), &stop, || {
            gix_protocol::fetch(
                &mut OneRound { want, haves },
                |pack, _, _| {
                    receive(pack, store, limits, budget, &stop)
                        .map(|()| true)
                        .map_err(|error| gix_error::Error::from_error(budget.fail(error)))
                },
                Discard,
                &stop,
                context,
                options,
            )
        });
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

/// Sets `stop` when the deadline passes while `work` runs: indexing a hostile pack must end as well.
fn stop_at<T>(deadline: Instant, stop: &AtomicBool, work: impl FnOnce() -> T) -> T {
    let (done, wait) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let left = deadline.saturating_duration_since(Instant::now());
            if wait.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Reads a pack off the wire, checks what its header promises, and writes it with its index.
fn receive(
    pack: &mut dyn BufRead,
    store: &Store,
    limits: &Limits,
    budget: &Budget,
    stop: &AtomicBool,
) -> Result<(), GitError> {
    let mut header = [0; 12];
    pack.read_exact(&mut header).map_err(|error| protocol(&error))?;
    let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    if !header.starts_with(b"PACK") {
        return Err(GitError::Protocol { detail: "it sent no pack".into() });
    }
    if count > limits.objects {
        return Err(GitError::too_large(Cap::Objects, u64::from(limits.objects)));
    }
    let mut whole = Cursor::new(header).chain(pack);
    let options = gix_pack::bundle::write::Options {
        thread_limit: Some(1),
        alloc_limit_bytes: Some(limits.object_bytes),
        ..gix_pack::bundle::write::Options::default()
    };
    let bases = store.objects(limits)?;
    let written = gix_pack::Bundle::write_to_directory(
        &mut whole,
        Some(&store.pack_dir()),
        &mut Discard,
        stop,
        Some(bases),
        gix_hash::Kind::Sha1,
        options,
    );
    match written {
        Ok(outcome) => outcome.keep_path.map_or(Ok(()), |keep| remove_if_there(&keep)),
        Err(error) if error.is_resource_exhausted() => {
            Err(GitError::too_large(Cap::ObjectBytes, limits.object_bytes as u64))
        }
        Err(error) => Err(budget.failure().unwrap_or_else(|| protocol(&error))),
    }
}

fn remove_if_there(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::storage(&error)),
        _ => Ok(()),
    }
}

fn protocol(error: &dyn std::error::Error) -> GitError {
    GitError::Protocol { detail: crate::error::tame(&error.to_string()) }
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
