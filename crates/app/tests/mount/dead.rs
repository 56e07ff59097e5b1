//! Clients that are gone without a word.

use std::time::Duration;

use futures_util::SinkExt;
use mango::server::{Options, Origins};
use mango_http::BodyLimits;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{MAX_PAYLOAD, Mounted, OPTIONS, SOCKET, echo, join};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_no_more_is_cut_off() {
    let options = Options { dead_after: Duration::from_secs(1), ..OPTIONS };
    let mounted = Mounted::with(Origins::Any, BodyLimits::up_to(MAX_PAYLOAD), options);
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let stream = client.connect(mounted.address).await.unwrap();
    let url = format!("ws://{}{SOCKET}", mounted.address);
    let mut deaf = tokio_tungstenite::client_async(url, stream).await.unwrap().0;
    join(&mut deaf).await;
    deaf.send(Message::text(r#"42["flood"]"#)).await.unwrap();
    mounted.until_open(0).await;
    drop(deaf);
    // Others are not cut off, however long they say nothing.
    let mut idle = mounted.websocket().await;
    join(&mut idle).await;
    tokio::time::sleep(2 * options.dead_after).await;
    echo(&mut idle).await;
}
