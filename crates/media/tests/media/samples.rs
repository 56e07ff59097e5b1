//! Pictures made in code, and what is read out of the files that come back.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use mango_domain::model::Client;
use mango_domain::ports::{Images, PhotoSet};
use mango_media::{ImageLimits, ImageProcessor, PoolSize};

pub(crate) const RED: [u8; 3] = [255, 0, 0];
pub(crate) const GREEN: [u8; 3] = [0, 255, 0];
pub(crate) const BLUE: [u8; 3] = [0, 0, 255];
pub(crate) const WHITE: [u8; 3] = [255, 255, 255];

/// The corners of [`quarters`]: top left, top right, bottom left, bottom right.
pub(crate) const CORNERS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];

/// A picture of four quarters, each of another colour.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    })
}

/// A picture that is red on the left and, on the right, so transparent that its green must not be seen.
pub(crate) fn half_transparent(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, _| if x < width / 2 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 255, 0, 0]) })
}

/// A picture with a different brightness at every pixel, for files that cannot be compressed to nothing.
pub(crate) fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, red, green, blue] = state.to_be_bytes();
        Rgb([red, green, blue])
    })
}

pub(crate) fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(crate) fn jpeg(picture: &RgbImage, profile: Option<Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).unwrap();
    }
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
    file
}

pub(crate) fn lossy_webp(picture: &RgbImage) -> Vec<u8> {
    webp::Encoder::from_rgb(picture, picture.width(), picture.height()).encode(90.0).to_vec()
}

/// An EXIF block that holds an orientation and a secret description, in either byte order.
pub(crate) fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut block = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    block.extend(short(42));
    block.extend(long(8));
    block.extend(short(2));
    // ImageDescription: six bytes of text after the directory.
    block.extend([short(0x010E), short(2)].concat());
    block.extend([long(6), long(38)].concat());
    // Orientation: one short, written in the entry itself.
    block.extend([short(0x0112), short(3)].concat());
    block.extend(long(1));
    block.extend([short(orientation), short(0)].concat());
    block.extend(long(0));
    block.extend(b"secret");
    block
}

/// Puts segments after the start marker of a JPEG.
pub(crate) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap();
    [&jpeg[..2], &[0xFF, marker], &length.to_be_bytes(), body, &jpeg[2..]].concat()
}

pub(crate) fn processor() -> ImageProcessor {
    ImageProcessor::new(ImageLimits::default(), PoolSize::default())
}

pub(crate) async fn process(picture: Vec<u8>) -> PhotoSet {
    processor().process(picture, Client::default()).await.unwrap()
}

/// The files of a photo, decoded.
pub(crate) struct Seen {
    pub(crate) original: RgbImage,
    /// 400, 100 and 50 pixels.
    pub(crate) squares: [RgbaImage; 3],
}

/// Decodes the files, and sees that each is of the kind and the size it must be.
pub(crate) fn see(files: &PhotoSet) -> Seen {
    let read = |bytes: &[u8], format| image::load_from_memory_with_format(bytes, format).unwrap();
    let squares = [(&files.square400, 400), (&files.square100, 100), (&files.square50, 50)].map(|(bytes, side)| {
        let square = read(bytes, ImageFormat::WebP).to_rgba8();
        assert_eq!(square.dimensions(), (side, side));
        square
    });
    Seen { original: read(&files.original, ImageFormat::Jpeg).to_rgb8(), squares }
}

/// The colours in the middles of the four quarters of a picture.
pub(crate) fn corners(picture: &RgbImage) -> [[u8; 3]; 4] {
    let (width, height) = picture.dimensions();
    let (left, right, top, bottom) = (width / 4, width * 3 / 4, height / 4, height * 3 / 4);
    [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| picture.get_pixel(x, y).0)
}

pub(crate) fn opaque(square: &RgbaImage) -> RgbImage {
    assert!(square.pixels().all(|pixel| pixel.0[3] == 255), "the square must be opaque");
    DynamicImage::from(square.clone()).into_rgb8()
}

/// Colours are compared with as much tolerance as lossy files need.
#[track_caller]
pub(crate) fn assert_close(seen: &[[u8; 3]], expected: &[[u8; 3]], what: &str) {
    let close = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 24);
    let all = seen.len() == expected.len() && seen.iter().zip(expected).all(|(a, b)| close(a, b));
    assert!(all, "{what}: {seen:?} is not close to {expected:?}");
}
