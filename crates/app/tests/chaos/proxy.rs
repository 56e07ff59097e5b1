//! A TCP proxy whose connections can be broken off.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    address: SocketAddr,
    breaks: watch::Sender<u32>,
}

impl Proxy {
    /// Listens on a spare port and passes everything on to another port of this machine.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (breaks, broken) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut broken = broken.clone();
                broken.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = broken.changed() => {}
                    }
                });
            }
        });
        Self { address, breaks }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks every connection that is open, wherever it stands.
    pub fn break_all(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }
}
