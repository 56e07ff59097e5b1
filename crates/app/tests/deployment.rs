//! The unit of systemd, the container and the examples of proxies say what `docs/security.md` says of them. That they work is shown where they are
//! run: nginx by the clients' tests, the others by nobody but people.
#![expect(clippy::unwrap_used, reason = "a helper that fails should fail its test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The lines of a file that are no comments, without the white space around them.
fn lines(path: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// What a file has to say, each on a line of its own.
fn check(path: &str, expected: &[&str]) {
    let lines: BTreeSet<String> = lines(path).into_iter().collect();
    for line in expected {
        assert!(lines.contains(*line), "{line:?} is not in {path}");
    }
}

/// The part of compose.yaml that is about a service.
fn service(name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/compose.yaml")).unwrap();
    let head = format!("  {name}:");
    let body = text.lines().skip_while(|line| *line != head).skip(1);
    let body: Vec<_> = body.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    assert!(body.len() > 10, "{name} is not in compose.yaml");
    body.into_iter().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn the_unit_of_systemd_may_do_little_else_than_serve() {
    check(
        "docs/systemd/mango.service",
        &[
            "User=mango",
            "StateDirectoryMode=0700",
            "UMask=0077",
            "MemoryMax=2G",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "PrivateTmp=yes",
            "PrivateDevices=yes",
            "ProtectProc=invisible",
            "ProtectKernelTunables=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectControlGroups=yes",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "AmbientCapabilities=",
            "RestrictSUIDSGID=yes",
            "RestrictNamespaces=yes",
            "PrivateUsers=yes",
            "MemoryDenyWriteExecute=yes",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged",
            "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        ],
    );
    // What is said twice counts as it is said last.
    let unit = lines("docs/systemd/mango.service");
    let names = unit.iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let names: Vec<&str> = names.filter(|name| *name != "SystemCallFilter").collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn the_containers_are_read_only_and_not_root() {
    for name in ["mango", "postgres"] {
        let service = service(name);
        let says = |line: &str| service.iter().any(|said| said == line);
        for line in ["read_only: true", "cap_drop:", "- ALL", "security_opt:", "- no-new-privileges:true", "memory: 2g"]
        {
            assert!(says(line), "{line:?} is not said of {name}");
        }
        for line in ["privileged: true", "cap_add:", "network_mode: host", "pid: host"] {
            assert!(!says(line), "{line:?} is said of {name}");
        }
    }
    let mango = service("mango");
    assert!(
        mango.contains(&"- ${PUBLISH:-127.0.0.1:5000}:5000".to_owned()),
        "nobody elsewhere reaches it unless told so"
    );
    assert!(!mango.iter().any(|line| line.starts_with("user:")), "it is the user of the image");
    let postgres = service("postgres");
    assert!(postgres.contains(&"user: postgres".to_owned()) && !postgres.contains(&"ports:".to_owned()));
    check("docker/compose.yaml", &["internal: true"]);
    check("docker/Dockerfile", &["USER 10001:10001"]);
}

/// What Mango relies on: who the client is and which scheme it used are said by the proxy alone.
#[test]
fn the_examples_of_proxies_tell_the_client_and_the_scheme() {
    check(
        "docs/proxies/nginx.conf",
        &[
            "proxy_set_header   Host $http_host;",
            "proxy_set_header   X-Forwarded-For $remote_addr;",
            "proxy_set_header   X-Forwarded-Proto $scheme;",
            "proxy_set_header   Forwarded \"\";",
            "ssl_protocols       TLSv1.2 TLSv1.3;",
            "add_header Strict-Transport-Security \"max-age=63072000\" always;",
        ],
    );
    // nginx takes the headers of the level above only where a level has none of its own.
    let nginx = lines("docs/proxies/nginx.conf");
    let headers: Vec<_> = nginx.iter().filter(|line| line.starts_with("proxy_set_header")).collect();
    assert_eq!(headers.len(), 6, "{headers:?}");
    // Sessions of long-polling and names of photos stay out of its log: those have locations of their own.
    for location in ["location /ws/socket.io {", "location /static/ {"] {
        let inside = nginx.iter().skip_while(|line| *line != location).take_while(|line| *line != "}");
        let inside: Vec<_> = inside.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for line in ["access_log off;", "error_log stderr crit;"] {
            assert!(inside.iter().any(|said| said == line), "{line:?} is not in {location:?}");
        }
    }
    // And also those that come in the clear, to be sent away.
    let clear = nginx.iter().skip_while(|line| *line != "listen 80;").take_while(|line| *line != "server {");
    assert!(clear.into_iter().any(|line| line == "access_log off;"), "what comes over port 80 is logged");
    // Caddy sets X-Forwarded-For and X-Forwarded-Proto by itself, and logs no requests unless told so.
    check(
        "docs/proxies/Caddyfile",
        &[
            "header Strict-Transport-Security \"max-age=63072000\"",
            "header_up -Forwarded",
            "reverse_proxy 127.0.0.1:5000 {",
        ],
    );
    let caddy = lines("docs/proxies/Caddyfile");
    let told = |words: &str| caddy.iter().any(|line| line.contains(words));
    assert!(
        !told("trusted_proxies") && !told("header_up X-Forwarded") && !caddy.iter().any(|line| line.starts_with("log"))
    );
}
