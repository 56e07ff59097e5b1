//! Pictures that are small as files and huge as pictures. This test has a process of its own, whose memory it measures.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test fails the test by panicking")]

use std::fs;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, RgbImage};
use mango_domain::model::Client;
use mango_domain::ports::{ImageError, Images};
use mango_media::{ImageLimits, ImageProcessor, PoolSize};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn bombs_cost_neither_memory_nor_time() {
    let processor = ImageProcessor::new(ImageLimits::default(), PoolSize::default());
    for (what, picture) in bombs() {
        assert!(picture.len() < 100_000, "{what} must be small as a file");
        forget_peak();
        let before = peak();
        let started = Instant::now();
        let refused = processor.process(picture, Client::default()).await;
        let (took, grew) = (started.elapsed(), peak() - before);
        println!("{what}: {refused:?} after {took:?} and {} KiB", grew / 1024);
        assert!(matches!(refused, Err(ImageError::TooLarge(_))), "{what}: {refused:?}");
        assert!(took < Duration::from_secs(2), "{what} took {took:?}");
        assert!(grew < 8 * MIB, "{what} took {grew} bytes");
    }

    // A small picture with a colour profile that inflates to 256 MiB is taken, and the profile passed over.
    let picture = png_with_profile(&vec![0; 256 << 20]);
    assert!(picture.len() < 4_000_000, "the profile has {} bytes in the file", picture.len());
    forget_peak();
    let before = peak();
    processor.process(picture, Client::default()).await.unwrap();
    let grew = peak() - before;
    assert!(grew < 32 * MIB, "a profile took {grew} bytes");

    // The most that is taken: 50 million pixels, all alike, in a file of about a megabyte.
    for (what, picture) in largest() {
        let bytes = picture.len();
        forget_peak();
        let before = peak();
        let started = Instant::now();
        processor.process(picture, Client::default()).await.unwrap();
        let (took, grew) = (started.elapsed(), peak() - before);
        println!("{what} of {bytes} bytes took {took:?} and {} MiB", grew / MIB);
        assert!(took < Duration::from_secs(60), "{what} took {took:?}");
        assert!(grew < 448 * MIB, "{what} took {grew} bytes");
    }

    // Several of them at once have no more together than is agreed, which here is enough for one and a half.
    let size = PoolSize { running: NonZeroUsize::new(4).unwrap(), memory: 384 * MIB, ..PoolSize::default() };
    let processor = ImageProcessor::new(ImageLimits::default(), size);
    let clear = encode(DynamicImage::new_rgba8(10_000, 5_000), ImageFormat::Png);
    forget_peak();
    let before = peak();
    let [one, two, three, four] = std::array::from_fn(|_| processor.process(clear.clone(), Client::default()));
    let done = tokio::join!(one, two, three, four);
    let grew = peak() - before;
    println!("four at once took {} MiB", grew / MIB);
    assert!(done.0.and(done.1).and(done.2).and(done.3).is_ok());
    assert!(grew < 384 * MIB, "four at once took {grew} bytes");
}

/// Pictures whose headers promise more than is allowed, or whose parts hide it.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let mut jpeg = encode(DynamicImage::new_rgb8(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFD, 0xE8, 0xFD, 0xE8]);
    let mut progressive = include_bytes!("fixtures/progressive.jpg").to_vec();
    let frame = progressive.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    // 16,000 by 3,100 is within the limits, but without subsampling its coefficients are not.
    progressive[frame + 5..frame + 9].copy_from_slice(&[0x3E, 0x80, 0x0C, 0x1C]);
    progressive[frame + 11] = 0x11;
    vec![
        ("a JPEG of 65,000 a side", jpeg),
        ("a progressive JPEG with too many coefficients", progressive),
        ("a PNG of 60,000 a side", png_header(60_000, 60_000, 8, 0)),
        ("a PNG of 16,000 a side", png_header(16_000, 16_000, 1, 0)),
        ("a 16-bit PNG of 51 million pixels", png_header(7_150, 7_150, 16, 6)),
        ("a GIF of 65,535 a side", gif((65_535, 65_535), (1, 1))),
        ("a small GIF with a frame of 65,535 a side", gif((1, 1), (65_535, 65_535))),
        ("a WebP of 16,383 a side", riff(&[vp8(16_383, 16_383)])),
        (
            "a WebP that is lossless and of 16,384 a side",
            riff(&[chunk(b"VP8L", &[0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0])]),
        ),
        ("a WebP with a large canvas", riff(&[vp8x(0, 9_999, 9_999), vp8(1, 1)])),
        ("a small WebP with a large frame", riff(&[vp8x(0, 9, 9), vp8(16_383, 16_383)])),
        (
            "a small animation with a large frame",
            riff(&[vp8x(2, 9, 9), chunk(b"ANIM", &[0; 6]), frame_of(vp8(16_383, 16_383))]),
        ),
    ]
}

fn largest() -> Vec<(&'static str, Vec<u8>)> {
    let black = DynamicImage::from(RgbImage::new(10_000, 5_000));
    let clear = DynamicImage::new_rgba8(10_000, 5_000);
    let deep = clear.to_rgba16();
    vec![
        ("a JPEG", encode(black.clone(), ImageFormat::Jpeg)),
        ("a PNG", encode(black, ImageFormat::Png)),
        ("a PNG with alpha", encode(clear, ImageFormat::Png)),
        ("a 16-bit PNG with alpha", encode(deep.into(), ImageFormat::Png)),
    ]
}

fn encode(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A PNG with a colour profile.
fn png_with_profile(profile: &[u8]) -> Vec<u8> {
    let plain = encode(DynamicImage::new_rgb8(8, 8), ImageFormat::Png);
    let after_header = 8 + 12 + 13;
    let (header, rest) = plain.split_at(after_header);
    let body = [b"bomb\0\0".as_slice(), &fdeflate::compress_to_vec(profile)].concat();
    [header, &png_part(b"iCCP", &body), rest].concat()
}

/// A chunk of a PNG.
fn png_part(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [kind.as_slice(), body].concat();
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), named.as_slice(), &crc32(&named).to_be_bytes()].concat()
}

/// A PNG with a header and the start of its data.
fn png_header(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let header = [&width.to_be_bytes(), &height.to_be_bytes(), [depth, colour, 0, 0, 0].as_slice()].concat();
    [
        b"\x89PNG\r\n\x1a\n".as_slice(),
        &png_part(b"IHDR", &header),
        &png_part(b"IDAT", &[0x78, 0x9C]),
        &png_part(b"IEND", &[]),
    ]
    .concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// A GIF with a screen and a frame of these sizes.
fn gif(screen: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
    let size = |(width, height): (u16, u16)| [width.to_le_bytes(), height.to_le_bytes()].concat();
    [
        b"GIF89a".as_slice(),
        &size(screen),
        &[0x80, 0, 0, 0, 0, 0, 255, 255, 255],
        &[0x2C, 0, 0, 0, 0],
        &size(frame),
        &[0, 2, 2, 0x44, 0x01, 0, 0x3B],
    ]
    .concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WEBP".as_slice(), &chunks.concat()].concat())
}

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [kind.as_slice(), &length.to_le_bytes(), body, &[0; 1][..body.len() % 2]].concat()
}

fn vp8x(flags: u8, right: u32, bottom: u32) -> Vec<u8> {
    let u24 = |number: u32| number.to_le_bytes()[..3].to_vec();
    chunk(b"VP8X", &[vec![flags, 0, 0, 0], u24(right), u24(bottom)].concat())
}

fn vp8(width: u16, height: u16) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    chunk(b"VP8 ", &[[0x10, 0, 0, 0x9D, 0x01, 0x2A].as_slice(), &size, &[0; 64]].concat())
}

fn frame_of(picture: Vec<u8>) -> Vec<u8> {
    let place = [0, 0, 0, 0, 0, 0, 9, 0, 0, 9, 0, 0, 100, 0, 0, 0];
    chunk(b"ANMF", &[place.as_slice(), &picture].concat())
}

/// The most memory this process has had since [`forget_peak`], as Linux tells it.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}
