use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A CopyData message of this many bytes.
fn row(size: usize) -> Vec<u8> {
    let length = u32::try_from(size + 4).unwrap().to_be_bytes();
    [&b"d"[..], &length[..], &vec![7; size]].concat()
}

fn hello() -> Vec<u8> {
    b"R\0\0\0\x08\0\0\0\0".to_vec()
}

/// What comes out of a gate, read in buffers of `room` bytes while the server sends its first and last bytes in pieces
/// of `step`.
async fn through(bytes: Vec<u8>, step: usize, room: usize) -> (Vec<u8>, Bytes) {
    let (mut server, client) = tokio::io::duplex(1 << 20);
    let pass = Arc::new(Pass::new(Some(Arc::new(Semaphore::new(1)))));
    let mut gate = Gate::new(client, Arc::clone(&pass));
    let sending = tokio::spawn(async move {
        let (first, rest) = bytes.split_at(64);
        let (rest, last) = rest.split_at(rest.len() - 400);
        for chunk in first.chunks(step).chain(rest.chunks(1 << 20)).chain(last.chunks(step)) {
            server.write_all(chunk).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let (mut out, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        match gate.read(&mut buffer).await.unwrap() {
            0 => break,
            read => out.extend_from_slice(&buffer[..read]),
        }
    }
    sending.await.unwrap();
    let wide = pass.row(Bytes::new());
    (out, wide)
}

#[tokio::test]
async fn wide_rows_are_taken_out_however_the_bytes_are_cut_and_all_else_is_left_alone() {
    let size = WIDE + 1;
    for answer in [&b""[..], b"N"] {
        let before = [answer, &hello(), &row(10)].concat();
        let bytes = [before.clone(), row(size), row(3), row(300)].concat();
        let expected = [before, STAND_IN.to_vec(), row(3), row(300)].concat();
        for (step, room) in
            [(1 << 20, 1 << 16), (9, 1 << 16), (1 << 16, 3), (1, 1), (7, 1), (bytes.len(), 4096)]
        {
            let (out, wide) = through(bytes.clone(), step, room).await;
            assert!(out == expected, "in steps of {step}, read by {room}: {} bytes", out.len());
            assert_eq!(wide, Bytes::from(vec![7; size]));
        }
    }
    // After an S the stream is encrypted.
    let bytes = [b"S".to_vec(), row(size)].concat();
    let (out, wide) = through(bytes.clone(), 1 << 20, 1 << 16).await;
    assert!(out == bytes && wide.is_empty());
}

#[tokio::test]
async fn a_second_wide_row_is_received_when_the_last_piece_of_the_first_is_gone() {
    let lane: Lane = Arc::new(Semaphore::new(1));
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (mut server, client) = tokio::io::duplex(1 << 16);
        let pass = Arc::new(Pass::new(Some(Arc::clone(&lane))));
        let gate = Gate::new(client, Arc::clone(&pass));
        tokio::spawn(async move { server.write_all(&[b"N".to_vec(), row(WIDE + 1)].concat()).await });
        ends.push((gate, pass));
    }
    let (mut second, _) = ends.pop().unwrap();
    let (mut first, pass) = ends.pop().unwrap();
    let mut buffer = [0; 6];
    first.read_exact(&mut buffer).await.unwrap();
    let whole = pass.row(Bytes::new());
    let piece = whole.slice(10..20);
    drop(whole);
    let mut read = Box::pin(second.read_exact(&mut buffer));
    let wait = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(wait, &mut read).await.is_err(), "a piece of the first is still there");
    drop(piece);
    read.await.unwrap();
}
