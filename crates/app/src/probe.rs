//! A question to a server that runs on this machine.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of an answer; those of the paths that are asked for have a few hundred.
const LONGEST: u64 = 64 * 1024;

/// The status and the rest of the answer to a GET.
///
/// # Errors
/// Nobody answers there, or not in time, or not in HTTP.
pub fn get(bind: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let address = reachable(bind);
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    status.map(|status| (status, answer)).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

/// Whether a Mango answers there.
#[must_use]
pub fn is_mango(bind: SocketAddr) -> bool {
    get(bind, "/healthz").is_ok_and(|(status, answer)| status == 200 && answer.ends_with(r#"{"status":"ok"}"#))
}

/// Where a server that listens on this address can be reached from this machine.
#[must_use]
pub fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn check(answer: &'static str, expected: Option<u16>, mango: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert_eq!(get(address, "/healthz").ok().map(|(status, _)| status), expected, "{answer:?}");
        assert_eq!(is_mango(address), mango, "{answer:?}");
        server.join().unwrap();
    }

    #[test]
    fn answers_are_told_apart() {
        check("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}", Some(200), true);
        check("HTTP/1.1 200 OK\r\n\r\nhello", Some(200), false);
        check("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"ok\"}", Some(503), false);
        check("SSH-2.0-OpenSSH\r\n", None, false);
        check("", None, false);
    }

    #[test]
    fn an_address_that_stands_for_all_is_reached_on_loopback() {
        let table = [("0.0.0.0:5000", "127.0.0.1:5000"), ("[::]:80", "[::1]:80"), ("10.1.2.3:4", "10.1.2.3:4")];
        for (bind, expected) in table {
            assert_eq!(reachable(bind.parse().unwrap()).to_string(), expected);
        }
    }
}
