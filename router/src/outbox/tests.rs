use std::future::poll_fn;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;

use super::*;

async fn pair() -> (Outbox, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Outbox::new(ours), listener.accept().await.unwrap().0)
}

async fn write(outbox: &mut Outbox, pieces: &[&[u8]]) -> usize {
    let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    poll_fn(|cx| Pin::new(&mut *outbox).poll_write_vectored(cx, &pieces)).await.unwrap()
}

#[tokio::test]
async fn small_writes_go_out_together_and_before_a_large_one() {
    let (mut outbox, mut other) = pair().await;
    assert_eq!(write(&mut outbox, &[b"head", b"", b"body"]).await, 8);
    assert_eq!(write(&mut outbox, &[b", more"]).await, 6);
    let mut seen = [0; 64];
    let early = tokio::time::timeout(Duration::from_millis(20), other.read(&mut seen)).await;
    assert!(early.is_err(), "it waits");
    flush();
    assert_eq!(other.read(&mut seen).await.unwrap(), 14);
    assert_eq!(&seen[..14], b"headbody, more");
    let large = vec![b'x'; SMALL + 1];
    write(&mut outbox, &[b"first "]).await;
    assert!(write(&mut outbox, &[&large]).await > 0);
    assert!(other.read(&mut seen).await.unwrap() > 6);
    assert!(seen.starts_with(b"first x"));
}

#[tokio::test]
async fn whoever_does_not_read_is_waited_for_and_gets_all_of_it_in_order() {
    let (mut outbox, mut other) = pair().await;
    let (mut sent, piece) = (0u32, [7; 4096]);
    // Until the kernel takes no more: then a flush is not at its end.
    let is_flushed = loop {
        let mut marked = piece;
        marked[..4].copy_from_slice(&sent.to_be_bytes());
        let written = write(&mut outbox, &[&marked]).await;
        assert_eq!(written, piece.len());
        sent += 1;
        flush();
        let flushed = poll_fn(|cx| Poll::Ready(Pin::new(&mut outbox).poll_flush(cx))).await;
        if flushed.is_pending() {
            break flushed;
        }
    };
    assert!(is_flushed.is_pending());
    let reads = tokio::spawn(async move {
        let mut all = Vec::new();
        other.read_to_end(&mut all).await.map(|_| all)
    });
    poll_fn(|cx| Pin::new(&mut outbox).poll_flush(cx)).await.unwrap();
    drop(outbox);
    let all = reads.await.unwrap().unwrap();
    assert_eq!(all.len(), sent as usize * piece.len());
    for (n, piece) in all.chunks(piece.len()).enumerate() {
        assert_eq!(piece[..4], u32::try_from(n).unwrap().to_be_bytes());
    }
}

#[tokio::test]
async fn what_waits_goes_out_also_when_the_connection_is_dropped_and_is_handed_on_when_it_is_taken() {
    let (mut outbox, mut other) = pair().await;
    write(&mut outbox, &[b"last words"]).await;
    drop(outbox);
    flush();
    let mut all = Vec::new();
    other.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"last words");
    let (mut outbox, _other) = pair().await;
    write(&mut outbox, &[b"not yet"]).await;
    assert_eq!(outbox.into_inner().unwrap().1, b"not yet");
    flush();
}

#[tokio::test]
async fn a_message_is_kept_where_that_is_asked_for_however_large_it_is() {
    let (mut outbox, mut other) = pair().await;
    let last = outbox.last();
    let large = vec![b'x'; 3 * SMALL];
    for (is_kept, message) in [(true, &b"small"[..]), (true, &large), (false, b"no"), (true, b"again")] {
        last.begin(is_kept);
        write(&mut outbox, &[message]).await;
        flush();
        let mut seen = vec![0; message.len()];
        other.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, message);
        // In one round it is only left where it is, and the next message follows.
        if message.len() != 5 || seen == b"again" {
            assert_eq!(last.take().as_deref(), is_kept.then_some(message));
        }
    }
    last.begin(true);
    write(&mut outbox, &[b"never sent"]).await;
    assert_eq!(last.take().unwrap(), b"never sent");
    write(&mut outbox, &[b"sent"]).await;
    flush();
    drop((outbox, last));
    let mut all = Vec::new();
    other.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"sent", "what was taken is sent elsewhere");
}

#[test]
fn a_thread_that_is_never_idle_writes_all_the_same() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.unwrap().block_on(async {
        tokio::task::spawn_local(writer());
        let busy = tokio::task::spawn_local(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let (mut outbox, mut other) = pair().await;
        write(&mut outbox, &[b"hello"]).await;
        let mut seen = [0; 5];
        let read = other.read_exact(&mut seen);
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        busy.abort();
    });
}

#[tokio::test]
async fn what_follows_an_answered_message_is_not_kept() {
    let (mut outbox, mut other) = pair().await;
    let last = outbox.last();
    last.begin(true);
    write(&mut outbox, &[b"GET"]).await;
    flush();
    last.begin(false);
    let mut seen = [0; 1024];
    other.read_exact(&mut seen[..3]).await.unwrap();
    for _ in 0..1_000 {
        write(&mut outbox, &[&[7; 1024]]).await;
        flush();
        other.read_exact(&mut seen).await.unwrap();
    }
    assert!(outbox.write.lock().bytes.capacity() <= IDLE);
    assert_eq!(last.take(), None);
}

#[tokio::test]
async fn a_write_that_fails_is_told_of() {
    let (mut outbox, other) = pair().await;
    drop(other);
    loop {
        let written = poll_fn(|cx| Pin::new(&mut outbox).poll_write(cx, b"x")).await;
        flush();
        if written.is_err() {
            break;
        }
    }
    assert!(poll_fn(|cx| Pin::new(&mut outbox).poll_flush(cx)).await.is_err());
}
