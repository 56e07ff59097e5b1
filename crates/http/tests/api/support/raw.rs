//! Requests as bytes, for what a proper client would never send.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends bytes and reads one answer: its status, and all of its text.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read(&mut stream).await
}

/// Reads one answer with a `content-length`.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> (u16, String) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&text) {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        text.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8(text).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {text:?}")), text)
}

fn is_whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let mut lengths =
        head.lines().filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    lengths.next().is_some_and(|length: usize| body.len() >= length)
}
