//! WebSockets and other protocols that a request changes to: bytes both ways until one side ends.
//!
//! Between two plain sockets an idle tunnel has no buffer: bytes are read into one that the thread's tunnels share, and only
//! what a slow side cannot take yet is kept. Where the client's side is encrypted, each direction has a small one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Version;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use crate::code::Code;
use crate::endpoint::Endpoint;
use crate::flow::Reads;
use crate::outbox::{self, Outbox};
use crate::record::{Record, Work};
use crate::route::Protocol;
use crate::sender::Sender;
use crate::table::Live;
use crate::worker::Worker;

/// What is read at a time.
const PIECE: usize = 16 * 1024;
/// The same where a buffer is needed for each direction.
const SMALL: usize = 2 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// Carries bytes between a pod and a client from now on. When the router stops, it has as long to end as a request; when
/// the pod leaves the table, as long as the route says.
/// `sender` is the pod's connection, of which a WebSocket over HTTP/2 takes a share.
pub fn start(mut record: Box<Record>, pod: OnUpgrade, client: OnUpgrade, sender: Sender) {
    record.stand_alone();
    tokio::task::spawn_local(async move {
        // One of HTTP/1.1 is of no more use, and what is left of it needs memory.
        let share = sender.is_http2().then_some(sender);
        let _open = record.worker.opened();
        let limit = record.live().map_or(Duration::from_secs(55), |live| live.route.limits.idle);
        let (mut stop, drain) = (record.worker.stop.clone(), record.worker.drain);
        let stopped = async {
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(drain).await;
        };
        let pod_of = record.work.as_ref().and_then(Work::place).map(|place| place.endpoint().clone());
        let (has_pod, drain) =
            (pod_of.is_some(), record.live().map(|live| live.route.limits).unwrap_or_default().drain);
        let (worker, of) = (record.worker.clone(), record.route.clone());
        let left = async {
            let mut pod = pod_of;
            while let Some(one) = pod {
                one.gone().await;
                tokio::time::sleep(drain).await;
                // It may have been away for a moment only.
                pod = newest(&worker, of.as_deref(), one.address);
            }
            if !has_pod {
                std::future::pending::<()>().await;
            }
        };
        let code = match tokio::try_join!(pod, client) {
            Ok((pod, client)) => tokio::select! {
                carried = carry(pod, client, limit, is_plain(&record)) => carried.err(),
                () = stopped => None,
                () = left => None,
            },
            Err(_) => Some(Code::H13),
        };
        record.end(code);
        drop(share);
    });
}

/// The pod of this address in the newest table.
fn newest(worker: &Worker, of: Option<&Live>, address: SocketAddr) -> Option<Arc<Endpoint>> {
    let table = worker.tables.load();
    let live = table.successor(of?)?;
    live.backends.iter().flatten().find(|pod| pod.address == address).cloned()
}

/// Whether both sides are sockets: no TLS and no HTTP/2 around the bytes.
fn is_plain(record: &Record) -> bool {
    let is_http1 = record.live().is_some_and(|live| live.route.protocol == Protocol::Http1);
    is_http1 && record.peer.proto == "http" && record.version < Version::HTTP_2
}

async fn carry(
    pod: Upgraded,
    client: Upgraded,
    limit: Duration,
    plain: bool,
) -> std::result::Result<(), Code> {
    let last = Cell::new(Instant::now());
    let both = async {
        if plain { carry_plain(pod, client, &last).await } else { carry_any(pod, client, &last).await }
    };
    tokio::select! {
        // A side that breaks off ends the tunnel; that is how most of them end.
        _ = both => Ok(()),
        () = silence(&last, limit) => Err(Code::H15),
    }
}

/// Between two sockets.
async fn carry_plain(pod: Upgraded, client: Upgraded, last: &Cell<Instant>) -> Result<()> {
    let pod = pod.downcast::<Outbox>().map_err(|_| ErrorKind::Unsupported)?;
    let client = client.downcast::<Reads<Outbox>>().map_err(|_| ErrorKind::Unsupported)?;
    let (early_pod, early_client) = (pod.read_buf, client.read_buf);
    let ((mut pod, for_pod), (mut client, for_client)) =
        (pod.io.into_inner()?, client.io.into_inner().into_inner()?);
    client.write_all(&for_client).await?;
    pod.write_all(&for_pod).await?;
    client.write_all(&early_pod).await?;
    pod.write_all(&early_client).await?;
    drop((early_pod, early_client, for_pod, for_client));
    tokio::try_join!(pump(&pod, &client, last), pump(&client, &pod, last)).map(drop)
}

async fn pump(from: &TcpStream, to: &TcpStream, last: &Cell<Instant>) -> Result<()> {
    loop {
        // Where both sides are always ready nothing here would wait, and nobody else would have a turn.
        tokio::task::coop::consume_budget().await;
        // Whoever carries much for long has its turn often; others' small writes need not wait for its end.
        outbox::flush();
        from.readable().await?;
        let passed = BUFFER.with_borrow_mut(|buffer| {
            let n = from.try_read(buffer)?;
            let written = if n == 0 { 0 } else { or_none(to.try_write(&buffer[..n]))? };
            Ok((n, buffer[written..n].to_vec()))
        });
        match passed {
            Ok((0, _)) => return socket2::SockRef::from(to).shutdown(std::net::Shutdown::Write),
            Ok((_, rest)) => {
                last.set(Instant::now());
                write(to, &rest).await?;
            }
            Err(error) if is_blocked(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write(to: &TcpStream, mut rest: &[u8]) -> Result<()> {
    while !rest.is_empty() {
        to.writable().await?;
        let n = or_none(to.try_write(rest))?;
        rest = &rest[n..];
    }
    Ok(())
}

fn is_blocked(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// A socket that is full has taken nothing.
fn or_none(result: Result<usize>) -> Result<usize> {
    result.or_else(|error| if is_blocked(&error) { Ok(0) } else { Err(error) })
}

/// Between any two, as where the client's side is encrypted.
async fn carry_any(pod: Upgraded, client: Upgraded, last: &Cell<Instant>) -> Result<()> {
    let (pod_read, pod_write) = tokio::io::split(TokioIo::new(pod));
    let (client_read, client_write) = tokio::io::split(TokioIo::new(client));
    tokio::try_join!(pump_any(pod_read, client_write, last), pump_any(client_read, pod_write, last)).map(drop)
}

async fn pump_any(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Cell<Instant>,
) -> Result<()> {
    let mut buffer = vec![0; SMALL];
    loop {
        tokio::task::coop::consume_budget().await;
        let n = read_on(&mut from, &mut to, &mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        last.set(Instant::now());
        to.write_all(&buffer[..n]).await?;
        // What is encrypted may still stand in a buffer of its own.
        to.flush().await?;
    }
}

/// Reads the next piece, and meanwhile writes what is left of those before: an outbox may find only later that its socket is
/// full.
async fn read_on(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    buffer: &mut [u8],
) -> Result<usize> {
    let mut piece = ReadBuf::new(buffer);
    poll_fn(|cx| {
        // If it fails the next write will tell: what the other way still carries is not to be lost.
        let _ = Pin::new(&mut *to).poll_flush(cx);
        Pin::new(&mut *from).poll_read(cx, &mut piece)
    })
    .await?;
    Ok(piece.filled().len())
}

/// Ends when nothing was carried for `limit`.
async fn silence(last: &Cell<Instant>, limit: Duration) {
    loop {
        let left = limit.saturating_sub(last.get().elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[test]
    fn what_a_full_socket_did_not_take_follows_when_the_other_side_reads_again() {
        let options = tokio::runtime::LocalOptions::default();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(options).unwrap();
        runtime.block_on(async {
            tokio::task::spawn_local(outbox::writer());
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut pod = listener.accept().await.unwrap().0;
            let mut sent = 0;
            while let Ok(Ok(())) = tokio::time::timeout(Duration::from_millis(50), ours.writable()).await {
                sent += or_none(ours.try_write(&[b'x'; 4096])).unwrap();
            }
            let (mut client, from) = tokio::io::duplex(64);
            let to = TokioIo::new(Outbox::new(ours));
            let last = Rc::new(Cell::new(Instant::now()));
            tokio::task::spawn_local(async move { pump_any(from, to, &last).await });
            client.write_all(b"hello").await.unwrap();
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let mut all = vec![0; sent + 5];
            let read = pod.read_exact(&mut all);
            tokio::time::timeout(Duration::from_secs(10), read).await.expect("all of it").unwrap();
            assert!(all.ends_with(b"xhello"));
            // The client is still there, and silent.
            drop(client);
        });
    }

    #[tokio::test]
    async fn what_was_read_is_on_its_way_before_more_is_read() {
        let (mut client, from) = tokio::io::duplex(64);
        let (to, mut pod) = tokio::io::duplex(64);
        let last = Cell::new(Instant::now());
        // Holds what it is given until it is told to let go, as TLS does where the socket is full.
        let carried = pump_any(from, tokio::io::BufWriter::new(to), &last);
        let talk = async {
            client.write_all(b"hello").await?;
            let mut heard = [0; 5];
            pod.read_exact(&mut heard).await?;
            Ok::<_, std::io::Error>(heard)
        };
        tokio::select! {
            heard = talk => assert_eq!(&heard.unwrap(), b"hello"),
            ended = carried => panic!("{ended:?}"),
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("it was kept back"),
        }
    }
}
