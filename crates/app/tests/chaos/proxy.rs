//! A TCP proxy whose connections can be broken off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    address: SocketAddr,
    breaks: watch::Sender<u32>,
    is_lying_in_wait: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on a spare port and passes everything on to another port of this machine.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (breaks, broken) = watch::channel(0);
        let is_lying_in_wait = Arc::new(AtomicBool::new(false));
        let waits = Arc::clone(&is_lying_in_wait);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut broken = broken.clone();
                broken.mark_unchanged();
                let waits = Arc::clone(&waits);
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = pass_on(&mut near, &mut far, &waits) => {}
                        _ = broken.changed() => {}
                    }
                });
            }
        });
        Self { address, breaks, is_lying_in_wait }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks every connection that is open, wherever it stands.
    pub fn break_all(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }

    /// Has the next connection broken off on which a commit is asked for, when that has been passed on and before its answer is.
    pub fn break_behind_commit(&self) {
        self.is_lying_in_wait.store(true, Ordering::Relaxed);
    }

    /// Whether it still waits for that commit.
    pub fn is_lying_in_wait(&self) -> bool {
        self.is_lying_in_wait.load(Ordering::Relaxed)
    }
}

/// Passes on what both sides say, until one is silent for ever or a commit is to be broken off.
async fn pass_on(near: &mut TcpStream, far: &mut TcpStream, is_lying_in_wait: &AtomicBool) -> std::io::Result<()> {
    let ((mut read_near, mut write_near), (mut read_far, mut write_far)) = (near.split(), far.split());
    let there = async {
        let mut part = vec![0; 16 * 1024];
        loop {
            let length = read_near.read(&mut part).await?;
            if length == 0 {
                return Ok(());
            }
            write_far.write_all(&part[..length]).await?;
            let commits = part[..length].windows(6).any(|word| word == b"COMMIT");
            if commits && is_lying_in_wait.swap(false, Ordering::Relaxed) {
                return Ok(());
            }
        }
    };
    let back = async { tokio::io::copy(&mut read_far, &mut write_near).await.map(drop) };
    tokio::select! {
        ended = there => ended,
        ended = back => ended,
    }
}
