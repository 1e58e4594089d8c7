//! What an idle WebSocket costs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::peers::Running;

const ASK: &[u8] =
    b"GET / HTTP/1.1\r\nHost: r1.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// So many are opened; each costs the router two file descriptors.
const COUNT: u16 = 9_000;

/// Opens WebSockets through the router. Returns how many, and the KiB of its memory that each added.
pub fn websockets(router: &Running) -> Result<(u16, f64)> {
    let before = router.memory_kib()?;
    let mut open = Vec::new();
    for _ in 0..COUNT {
        let mut stream = TcpStream::connect(router.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(ASK)?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        ensure!(&answer == b"HTTP/1.1 101", "no WebSocket: {}", String::from_utf8_lossy(&answer));
        open.push(stream);
    }
    // What was read of the answers meanwhile is freed when the tunnels have begun.
    std::thread::sleep(Duration::from_secs(1));
    let each = (router.memory_kib()? - before) / f64::from(COUNT);
    Ok((COUNT, each))
}
