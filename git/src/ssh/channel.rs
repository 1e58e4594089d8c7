//! An SSH channel as a blocking reader and writer, counted and with time-outs.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect};
use tokio::runtime;

use super::{HostCheck, broken};
use crate::budget::Budget;
use crate::credentials::Credentials;
use crate::error::GitError;
use crate::url::RepoUrl;

/// What the server says on the error channel is kept up to here.
const MAX_STDERR: usize = 4096;

/// Both halves of a channel, and the connection that it lives on.
pub(super) struct Shared {
    runtime: runtime::Handle,
    url: RepoUrl,
    credentials: Credentials,
    budget: Arc<Budget>,
    session: Arc<Session>,
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
}

/// Hangs up when the last half is gone.
struct Session {
    runtime: runtime::Handle,
    handle: Mutex<Option<Handle<HostCheck>>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.runtime.spawn(async move { handle.disconnect(Disconnect::ByApplication, "", "").await });
        }
    }
}

impl Shared {
    pub(super) fn new(
        runtime: runtime::Handle,
        session: Handle<HostCheck>,
        channel: Channel<Msg>,
        url: &RepoUrl,
        credentials: &Credentials,
        budget: &Arc<Budget>,
    ) -> Self {
        let (read, write) = channel.split();
        Self {
            session: Arc::new(Session { runtime: runtime.clone(), handle: Mutex::new(Some(session)) }),
            runtime,
            url: url.clone(),
            credentials: credentials.clone(),
            budget: Arc::clone(budget),
            read,
            write,
        }
    }

    pub(super) fn split(self) -> (Reader, Writer) {
        let writer = Writer {
            runtime: self.runtime.clone(),
            budget: Arc::clone(&self.budget),
            url: self.url.clone(),
            half: self.write,
            _session: Arc::clone(&self.session),
        };
        let reader = Reader {
            runtime: self.runtime,
            budget: self.budget,
            credentials: self.credentials,
            half: self.read,
            chunk: Bytes::new(),
            stderr: Vec::new(),
            done: false,
            _session: self.session,
        };
        (reader, writer)
    }
}

/// What the remote command prints.
pub(super) struct Reader {
    runtime: runtime::Handle,
    budget: Arc<Budget>,
    credentials: Credentials,
    half: ChannelReadHalf,
    chunk: Bytes,
    stderr: Vec<u8>,
    done: bool,
    _session: Arc<Session>,
}

impl Reader {
    fn next_chunk(&mut self) -> Result<(), GitError> {
        while self.chunk.is_empty() && !self.done {
            let next = self.budget.idle("waiting for its answer", self.half.wait());
            match self.runtime.block_on(next)? {
                None | Some(ChannelMsg::Close) => self.done = true,
                Some(ChannelMsg::Data { data }) => {
                    self.budget.received(data.len())?;
                    self.chunk = data;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    self.budget.received(data.len())?;
                    let room = MAX_STDERR.saturating_sub(self.stderr.len());
                    self.stderr.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::Failure) => return Err(self.refused("it runs no git-upload-pack")),
                Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                    let said = String::from_utf8_lossy(&self.stderr).into_owned();
                    return Err(self.refused(if said.trim().is_empty() {
                        "git-upload-pack failed"
                    } else {
                        &said
                    }));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn refused(&self, said: &str) -> GitError {
        GitError::AccessRefused { detail: self.credentials.redact(said) }
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.next_chunk() {
            self.done = true;
            return Err(self.budget.fail(error));
        }
        if self.chunk.is_empty() && self.budget.failure().is_none() && !self.stderr.is_empty() {
            // Some hosts explain on the error channel and then close with status 0.
            let said = String::from_utf8_lossy(&self.stderr).into_owned();
            return Err(self.budget.fail(self.refused(&said)));
        }
        let chunk = self.chunk.split_to(self.chunk.len().min(out.len()));
        out[..chunk.len()].copy_from_slice(&chunk);
        Ok(chunk.len())
    }
}

/// What the remote command reads.
pub(super) struct Writer {
    runtime: runtime::Handle,
    budget: Arc<Budget>,
    url: RepoUrl,
    half: ChannelWriteHalf<Msg>,
    _session: Arc<Session>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let send = self.half.data_bytes(Bytes::copy_from_slice(bytes));
        match self.runtime.block_on(self.budget.idle("sending a request", send)) {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(error)) => Err(self.budget.fail(broken(&self.url, &error))),
            Err(timeout) => Err(self.budget.fail(timeout)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
