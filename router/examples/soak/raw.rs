//! One connection of HTTP/1.1, by hand: a client library would hide what is tested here.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::HOST;

/// No answer takes so long.
const LIMIT: Duration = Duration::from_secs(20);

/// A connection to the router.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a header with the fields that are given, and what comes behind it.
    pub async fn send(&mut self, line: &str, fields: &str, body: &[u8]) -> Result<()> {
        let head = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
        let sent = async {
            self.0.write_all(head.as_bytes()).await?;
            self.0.write_all(body).await
        };
        tokio::time::timeout(LIMIT, sent).await.context("sending takes too long")?.context("sending")
    }

    /// Reads an answer to its end and compares its body.
    pub async fn expect(&mut self, body: &str) -> Result<()> {
        let read = tokio::time::timeout(LIMIT, self.answer()).await.context("no answer")?;
        let got = read?;
        ensure!(got == body, "the answer is {got:?} in place of {body:?}");
        Ok(())
    }

    /// Reads so many bytes and compares.
    pub async fn expect_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let mut got = vec![0; bytes.len()];
        tokio::time::timeout(LIMIT, self.0.read_exact(&mut got)).await.context("no echo")??;
        ensure!(got == bytes, "another echo");
        Ok(())
    }

    /// Reads a header.
    pub async fn head(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            ensure!(bytes.len() < 10_000, "a header without end");
            bytes.push(self.0.read_u8().await.context("the connection ended")?);
        }
        Ok(String::from_utf8(bytes)?)
    }

    async fn answer(&mut self) -> Result<String> {
        let head = self.head().await?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if !head.starts_with("HTTP/1.1 200") {
            bail!(
                "{}",
                head.lines().filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join(" | ")
            );
        }
        let mut body = vec![0; length.context("no length")?];
        self.0.read_exact(&mut body).await.context("the answer broke off")?;
        Ok(String::from_utf8(body)?)
    }
}
