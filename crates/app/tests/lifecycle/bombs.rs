//! Pictures that are small as files and huge as pictures, and what they cost a server as seen from outside.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::support::Server;

const MIB: u64 = 1 << 20;

/// How many are sent at once of each.
const AT_ONCE: u32 = 20;

#[tokio::test]
async fn a_bomb_of_each_format_costs_neither_memory_nor_time() {
    // Each comes from an address of its own, of which one has not as many places for pictures.
    let server = Server::start(&[("MANGO_TRUSTED_PROXIES", "127.0.0.1")]);
    let (url, http) = (server.url(), Client::new());
    // Whatever is made once is there before it is measured.
    assert!(http.get(format!("{url}/openapi.json")).send().await.unwrap().status().is_success());
    upload(&http, url, 0, b"no picture").await;
    for (format, bomb) in bombs() {
        assert!(bomb.len() < 10_000, "{format}");
        let (before, begun) = (forget_peak(&server), Instant::now());
        let checks = join_all((0..AT_ONCE).map(|n| upload(&http, url, n, &bomb))).await;
        let sign_ups = join_all((0..AT_ONCE).map(|n| sign_up(&http, url, n, &bomb))).await;
        let (took, grew) = (begun.elapsed(), peak(&server).saturating_sub(before));
        println!("{AT_ONCE} times two {format} took {took:?} and {} KiB", grew / 1024);
        assert_eq!(checks, vec![StatusCode::UNPROCESSABLE_ENTITY; checks.len()], "{format}");
        // Hashing the passwords of so many at once may find no room.
        let refused = |status: &StatusCode| [422, 503].contains(&status.as_u16());
        assert!(sign_ups.iter().all(refused) && sign_ups.contains(&StatusCode::UNPROCESSABLE_ENTITY), "{sign_ups:?}");
        assert!(took < Duration::from_secs(30), "{format} took {took:?}");
        // One of these decoded has more than 700 MiB. The passwords take 19 MiB each, as many at once as there are cores.
        let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
        assert!(grew < (64 + 24 * cores) * MIB, "{format} took {grew} bytes");
    }
    assert_eq!(http.get(format!("{url}/readyz")).send().await.unwrap().status(), StatusCode::OK);
}

async fn upload(http: &Client, url: &str, n: u32, picture: &[u8]) -> StatusCode {
    let form = Form::new().part("image", Part::bytes(picture.to_vec()).file_name("picture"));
    let upload = http.post(format!("{url}/user/photo_to_base64")).header("x-forwarded-for", format!("198.51.100.{n}"));
    upload.multipart(form).send().await.unwrap().status()
}

async fn sign_up(http: &Client, url: &str, n: u32, picture: &[u8]) -> StatusCode {
    let photo = BASE64_STANDARD.encode(picture);
    let body =
        json!({"phone": format!("+316123456{n:02}"), "password": "correct horse battery staple", "photo": photo});
    let create = http.post(format!("{url}/user/create")).header("x-forwarded-for", format!("198.51.100.{n}"));
    create.json(&body).send().await.unwrap().status()
}

/// A picture of each format that says it has more pixels than anybody takes.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let mut jpeg = include_bytes!("../../../media/tests/fixtures/progressive.jpg").to_vec();
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFD, 0xE8, 0xFD, 0xE8]);
    vec![("JPEGs", jpeg), ("PNGs", png()), ("GIFs", gif()), ("WebPs", webp())]
}

fn png() -> Vec<u8> {
    let part = |kind: &[u8; 4], body: &[u8]| {
        let named = [kind.as_slice(), body].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), named.as_slice(), &crc32(&named).to_be_bytes()].concat()
    };
    let side = 60_000_u32.to_be_bytes();
    let header = [side.as_slice(), &side, &[8, 6, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &part(b"IHDR", &header), &part(b"IDAT", &[0x78, 0x9C]), &part(b"IEND", &[])]
        .concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

fn gif() -> Vec<u8> {
    let (colours, size) = ([0x80, 0, 0, 0, 0, 0, 255, 255, 255], [255; 4]);
    [b"GIF89a".as_slice(), &size, &colours, &[0x2C, 0, 0, 0, 0], &size, &[0, 2, 2, 0x44, 0x01, 0, 0x3B]].concat()
}

/// Lossy, of 16,383 pixels a side.
fn webp() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        [kind.as_slice(), &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
    };
    let frame = [[0x10, 0, 0, 0x9D, 0x01, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F].as_slice(), &[0; 64]].concat();
    chunk(b"RIFF", &[b"WEBP".as_slice(), &chunk(b"VP8 ", &frame)].concat())
}

/// The most memory that a server has had since [`forget_peak`], in bytes.
fn peak(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn forget_peak(server: &Server) -> u64 {
    fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    peak(server)
}
