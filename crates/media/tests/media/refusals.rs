//! Pictures that are not taken, and the reasons that are given.

use image::ImageFormat;
use mango_domain::model::Client;
use mango_domain::ports::{ImageError, Images};
use mango_media::{ImageLimits, ImageProcessor, PoolSize};

use crate::samples::*;

async fn refusal(limits: ImageLimits, picture: Vec<u8>) -> ImageError {
    let processor = ImageProcessor::new(limits, PoolSize::default());
    let checked = processor.check(picture.clone(), Client::default()).await.err();
    let processed = processor.process(picture, Client::default()).await.err();
    assert_eq!(format!("{checked:?}"), format!("{processed:?}"), "both must refuse alike");
    processed.expect("the picture must be refused")
}

async fn check_not_a_picture(what: &str, picture: &[u8]) {
    let error = refusal(ImageLimits::default(), picture.to_vec()).await;
    assert!(matches!(error, ImageError::NotAPicture), "{what}: {error:?}");
}

async fn check_too_large(limits: ImageLimits, picture: Vec<u8>, text: &str) {
    let error = refusal(limits, picture).await;
    assert!(matches!(error, ImageError::TooLarge(_)), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

#[tokio::test]
async fn what_is_no_picture_is_refused() {
    for (what, bytes) in [
        ("nothing", b"".as_slice()),
        ("a text", b"hello, I am a photo"),
        ("an SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"><rect width=\"1\" height=\"1\"/></svg>"),
        ("an SVG with a declaration", b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        ("a page", b"<!doctype html><img src=x onerror=alert(1)>"),
        ("a PDF", b"%PDF-1.7\n1 0 obj"),
        ("a BMP", b"BM\x3A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xFF\0\0\0"),
        ("a TIFF", b"II*\0\x08\0\0\0\0\0\0\0\0\0"),
        ("the start of a JPEG", b"\xFF\xD8\xFF\xE0"),
        ("an empty JPEG", b"\xFF\xD8\xFF\xD9"),
        ("a JPEG segment without end", b"\xFF\xD8\xFF\xE1\xFF\xFF"),
        ("a JPEG segment shorter than its length", b"\xFF\xD8\xFF\xE1\x00\x01\xFF\xD9"),
        ("the signature of a PNG", b"\x89PNG\r\n\x1a\n"),
        ("the signature of a GIF", b"GIF89a"),
        ("the signature of a WebP", b"RIFF\x04\0\0\0WEBP"),
    ] {
        check_not_a_picture(what, bytes).await;
    }
}

#[tokio::test]
async fn truncated_files_are_refused_wherever_they_end() {
    let picture = noise(40, 40);
    // With the bytes at the end that come after the last pixel: the checksum of PNG's end chunk, and the end of GIF's last
    // block and its trailer.
    for (what, file, end) in [
        ("JPEG", encode(picture.clone(), ImageFormat::Jpeg), 0),
        ("progressive JPEG", include_bytes!("../fixtures/progressive.jpg").to_vec(), 0),
        ("PNG", encode(picture.clone(), ImageFormat::Png), 4),
        ("GIF", encode(picture.clone(), ImageFormat::Gif), 3),
        ("lossless WebP", encode(picture.clone(), ImageFormat::WebP), 0),
        ("lossy WebP", lossy_webp(&picture), 0),
    ] {
        processor().check(file.clone(), Client::default()).await.expect(what);
        let whole = file.len() - end;
        for length in (0..whole).step_by(17).chain(whole - 20..whole) {
            check_not_a_picture(&format!("{what}, {length} of {} bytes", file.len()), &file[..length]).await;
        }
    }
}

#[tokio::test]
async fn damaged_files_never_break_the_processor() {
    // A byte changed here and there: the picture is refused or comes out different, and nothing else.
    let picture = noise(24, 24);
    for file in [
        encode(picture.clone(), ImageFormat::Jpeg),
        include_bytes!("../fixtures/progressive.jpg").to_vec(),
        encode(picture.clone(), ImageFormat::Png),
        encode(picture.clone(), ImageFormat::Gif),
        encode(picture.clone(), ImageFormat::WebP),
        lossy_webp(&picture),
    ] {
        let processor = processor();
        for at in (0..file.len()).step_by(file.len() / 60 + 1) {
            let mut damaged = file.clone();
            damaged[at] ^= 0xFF;
            if let Err(error) = processor.process(damaged, Client::default()).await {
                assert!(!matches!(error, ImageError::Failed(_)), "byte {at}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn limits_are_told_with_their_numbers() {
    let picture = || encode(quarters(64, 32), ImageFormat::Png);
    let bytes = picture().len();
    let limits = ImageLimits { bytes: 100, ..ImageLimits::default() };
    check_too_large(limits, picture(), &format!("at most 100 bytes, this picture has {bytes}")).await;
    let limits = ImageLimits { side: 63, ..ImageLimits::default() };
    check_too_large(limits, picture(), "at most 63 pixels, this picture has 64 by 32").await;
    let limits = ImageLimits { pixels: 2047, ..ImageLimits::default() };
    check_too_large(limits, picture(), "at most 2047 pixels in all, this picture has 64 by 32").await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let limits = ImageLimits { memory: 6143, ..ImageLimits::default() };
        check_too_large(limits, encode(quarters(64, 32), format), "too much memory").await;
    }
    // Exactly at the limits it is taken.
    let bytes = u64::try_from(bytes).unwrap();
    let limits = ImageLimits { bytes, pixels: 2048, side: 64, memory: 6144 };
    ImageProcessor::new(limits, PoolSize::default()).process(picture(), Client::default()).await.unwrap();
}
