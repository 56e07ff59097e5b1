//! nginx with the example of the documentation, in front of a server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::CertifiedKey;
use tempfile::TempDir;

use super::installed;
use crate::support::Server;

/// How long it may take to begin.
const SOON: Duration = Duration::from_secs(30);

/// A process of nginx, killed when it is dropped.
pub struct Nginx {
    process: Child,
    folder: TempDir,
    clear: u16,
    secure: u16,
}

impl Nginx {
    /// Starts it with `docs/proxies/nginx.conf`, in which only addresses and the places of files are others.
    pub fn before(server: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (clear, secure) = (spare_port(), spare_port());
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
                .expect("a certificate");
        let at = |name: &str| folder.path().join(name).to_str().expect("a path in UTF-8").to_owned();
        fs::write(at("certificate.pem"), cert.pem()).expect("the certificate");
        fs::write(at("key.pem"), signing_key.serialize_pem()).expect("the key");

        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxies/nginx.conf");
        let mut text = fs::read_to_string(example).expect("the example");
        for (written, meant) in [
            ("server 127.0.0.1:5000;", format!("server {};", server.url().replace("http://", ""))),
            // Whoever asks is on this machine.
            ("allow 127.0.0.1;", String::new()),
            ("allow ::1;", String::new()),
            ("listen 80;", format!("listen 127.0.0.1:{clear};")),
            ("listen 443 ssl http2;", format!("listen 127.0.0.1:{secure} ssl http2;")),
            ("/etc/letsencrypt/live/chat.example.org/fullchain.pem", at("certificate.pem")),
            ("/etc/letsencrypt/live/chat.example.org/privkey.pem", at("key.pem")),
        ] {
            assert_eq!(text.matches(written).count(), 1, "{written:?} is not in the example just once");
            text = text.replace(written, &meant);
        }
        fs::write(at("mango.conf"), text).expect("the example");
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", at(kind)))
            .concat();
        let around = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}include {};\n}}\n",
            at("pid"),
            at("mango.conf")
        );
        fs::write(at("nginx.conf"), around).expect("what stands around the example");

        let log = fs::File::create(at("log")).expect("a log");
        let mut command = Command::new(installed("MANGO_TEST_NGINX"));
        command.args(["-p", &at(""), "-c", &at("nginx.conf")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let nginx = Self { process: command.spawn().expect("nginx"), folder, clear, secure };
        let deadline = Instant::now() + SOON;
        while TcpStream::connect(("127.0.0.1", secure)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not begin:\n{}", nginx.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    /// Where it is reached over TLS.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.secure)
    }

    /// Where it is reached in the clear.
    pub fn clear_url(&self) -> String {
        format!("http://localhost:{}", self.clear)
    }

    /// What clients have to trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// What it complains of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on, for a program that cannot choose one itself.
fn spare_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
