//! Pictures that are taken: how the files made of them look.

use image::codecs::gif::GifEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{
    DynamicImage, ExtendedColorType, Frame, GrayImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage,
};
use mango_domain::model::Client;
use mango_domain::ports::Images;
use moxcms::ColorProfile;

use crate::samples::*;

/// Sees that the four quarters are where they belong, in all files.
async fn check_quarters(what: &str, picture: Vec<u8>) {
    let seen = see(&process(picture).await);
    assert_close(&corners(&seen.original), &CORNERS, what);
    for square in &seen.squares {
        assert_close(&corners(&opaque(square)), &CORNERS, what);
    }
}

#[tokio::test]
async fn all_kinds_of_pictures_are_taken() {
    let picture = || DynamicImage::from(quarters(64, 64));
    let mut animation = Vec::new();
    let mut encoder = GifEncoder::new(&mut animation);
    encoder.encode_frame(Frame::new(picture().into_rgba8())).unwrap();
    encoder.encode_frame(Frame::new(DynamicImage::from(RgbImage::new(64, 64)).into_rgba8())).unwrap();
    drop(encoder);

    for (what, file) in [
        ("JPEG", encode(picture(), ImageFormat::Jpeg)),
        ("progressive JPEG", include_bytes!("../fixtures/progressive.jpg").to_vec()),
        ("CMYK JPEG", include_bytes!("../fixtures/cmyk.jpg").to_vec()),
        ("PNG", encode(picture(), ImageFormat::Png)),
        ("16-bit PNG", encode(picture().into_rgb16(), ImageFormat::Png)),
        ("16-bit PNG with alpha", encode(picture().into_rgba16(), ImageFormat::Png)),
        ("PNG with a palette of two bits", include_bytes!("../fixtures/palette.png").to_vec()),
        ("lossless WebP", encode(picture(), ImageFormat::WebP)),
        ("lossy WebP", lossy_webp(&quarters(64, 64))),
        ("GIF", encode(picture(), ImageFormat::Gif)),
        ("animated GIF", animation),
        ("animated WebP", animated_webp(&quarters(64, 64))),
    ] {
        check_quarters(what, file).await;
    }
}

/// An animation whose second frame is black.
fn animated_webp(first: &RgbImage) -> Vec<u8> {
    let (width, height) = first.dimensions();
    let second = RgbImage::new(width, height);
    let config = webp::WebPConfig::new().unwrap();
    let mut encoder = webp::AnimEncoder::new(width, height, &config);
    encoder.add_frame(webp::AnimFrame::from_rgb(first, width, height, 0));
    encoder.add_frame(webp::AnimFrame::from_rgb(&second, width, height, 100));
    encoder.encode().to_vec()
}

#[tokio::test]
async fn grey_pictures_stay_grey() {
    let brightness = |x: u32| u8::try_from(x * 4).unwrap();
    let grey = GrayImage::from_fn(64, 64, |x, _| Luma([brightness(x)]));
    let wide: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_fn(64, 64, |x, _| Luma([u16::from(brightness(x)) * 257]));
    let translucent = DynamicImage::from(grey.clone()).into_luma_alpha16();
    for (what, file) in [
        ("grey JPEG", encode(grey.clone(), ImageFormat::Jpeg)),
        ("grey PNG", encode(grey, ImageFormat::Png)),
        ("16-bit grey PNG", encode(wide, ImageFormat::Png)),
        ("16-bit grey PNG with alpha", encode(translucent, ImageFormat::Png)),
    ] {
        let seen = see(&process(file).await);
        assert_close(&[seen.original.get_pixel(48, 32).0], &[[192; 3]], what);
        assert_close(&[opaque(&seen.squares[0]).get_pixel(300, 200).0], &[[192; 3]], what);
    }
}

#[tokio::test]
async fn every_exif_orientation_is_turned_upright() {
    // Which of the stored corners is seen at the top left, top right, bottom left and bottom right.
    let turned = [
        (1, [0, 1, 2, 3]),
        (2, [1, 0, 3, 2]),
        (3, [3, 2, 1, 0]),
        (4, [2, 3, 0, 1]),
        (5, [0, 2, 1, 3]),
        (6, [2, 0, 3, 1]),
        (7, [3, 1, 2, 0]),
        (8, [1, 3, 0, 2]),
    ];
    // One picture that is shrunk, and one that is not.
    for (width, height) in [(64, 32), (4096, 2048)] {
        let stored = encode(quarters(width, height), ImageFormat::Jpeg);
        for (orientation, places) in turned {
            let block = [b"Exif\0\0".as_slice(), &exif(orientation, orientation % 2 == 0)].concat();
            let files = process(with_segment(&stored, 0xE1, &block)).await;
            assert_no_metadata(&files.original);
            let seen = see(&files);
            let what = format!("orientation {orientation} of {width} by {height}");
            let (long, short) = (width.min(2048), width.min(2048) / 2);
            let size = if orientation < 5 { (long, short) } else { (short, long) };
            assert_eq!(seen.original.dimensions(), size, "{what}");
            let expected = places.map(|place| CORNERS[place]);
            assert_close(&corners(&seen.original), &expected, &what);
            for square in &seen.squares {
                assert_close(&corners(&opaque(square)), &expected, &what);
            }
        }
    }
}

#[tokio::test]
async fn png_and_webp_have_orientations_too() {
    let picture = quarters(64, 32);
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif(6, true)).unwrap();
    encoder.write_image(&picture, 64, 32, ExtendedColorType::Rgb8).unwrap();
    let mut webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(exif(6, false)).unwrap();
    encoder.write_image(&picture, 64, 32, ExtendedColorType::Rgb8).unwrap();

    for (what, file) in [("PNG", png), ("WebP", webp)] {
        let seen = see(&process(file).await);
        assert_eq!(seen.original.dimensions(), (32, 64), "{what}");
        assert_close(&corners(&seen.original), &[BLUE, RED, WHITE, GREEN], what);
    }
}

#[tokio::test]
async fn metadata_is_dropped() {
    let profile = ColorProfile::new_srgb().encode().unwrap();
    let mut picture = jpeg(&quarters(64, 64), Some(profile));
    for (marker, body) in [
        (0xE1, [b"Exif\0\0".as_slice(), &exif(1, true)].concat()),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>secret</x:xmpmeta>".to_vec()),
        (0xED, b"Photoshop 3.0\0secret".to_vec()),
        (0xFE, b"secret".to_vec()),
    ] {
        picture = with_segment(&picture, marker, &body);
    }
    let files = process([picture.as_slice(), b"secret"].concat()).await;
    assert_no_metadata(&files.original);
    for square in [&files.square400, &files.square100, &files.square50] {
        assert_eq!(&square[12..16], b"VP8 ", "a square holds a picture and nothing else");
        assert!(!contains(square, b"secret"));
    }
}

/// Sees that a JPEG has no segments but those that its picture needs.
fn assert_no_metadata(jpeg: &[u8]) {
    assert!(!contains(jpeg, b"secret"), "a text from the picture's metadata is in the original");
    let mut at = 2;
    while jpeg[at + 1] != 0xDA {
        assert!(matches!(jpeg[at + 1], 0xE0 | 0xDB | 0xC0 | 0xC4), "marker {:02X}", jpeg[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn colours_of_a_wide_profile_become_srgb() {
    // A red of Display P3 that sRGB has too, and that without its profile would look paler.
    let numbers = [200, 60, 50];
    let picture = RgbImage::from_pixel(64, 64, Rgb(numbers));
    let transform = ColorProfile::new_display_p3()
        .create_transform_8bit(moxcms::Layout::Rgb, &ColorProfile::new_srgb(), moxcms::Layout::Rgb, Default::default())
        .unwrap();
    let mut expected = [0; 3];
    transform.transform(&numbers, &mut expected).unwrap();
    assert!(expected[0] > numbers[0] + 8, "the test needs a colour that changes");

    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let seen = see(&process(jpeg(&picture, Some(profile))).await);
    for pixel in [seen.original.get_pixel(32, 32).0, opaque(&seen.squares[0]).get_pixel(200, 200).0] {
        assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 4), "{pixel:?} is not {expected:?}");
    }
    let damaged = see(&process(jpeg(&picture, Some(vec![7; 600]))).await);
    assert_close(&[damaged.original.get_pixel(32, 32).0], &[numbers], "damaged profile");
}

#[tokio::test]
async fn the_original_is_never_enlarged_and_never_too_long() {
    for (given, expected) in [
        ((1, 1), (1, 1)),
        ((30, 20), (30, 20)),
        ((2048, 2048), (2048, 2048)),
        ((3000, 2000), (2048, 1365)),
        ((2000, 3000), (1365, 2048)),
        ((1, 5000), (1, 2048)),
        ((5000, 1), (2048, 1)),
        ((16_384, 3), (2048, 1)),
    ] {
        let picture = RgbImage::from_pixel(given.0, given.1, Rgb(RED));
        let seen = see(&process(encode(picture, ImageFormat::Png)).await);
        assert_eq!(seen.original.dimensions(), expected, "{given:?}");
        for square in &seen.squares {
            let middle = opaque(square).get_pixel(square.width() / 2, square.width() / 2).0;
            assert_close(&[middle], &[RED], "the middle of a square");
        }
    }
}

#[tokio::test]
async fn squares_are_cut_from_the_middle() {
    let thirds = |at: u32, of: u32| {
        Rgb(if at < of / 3 {
            RED
        } else if at < of * 2 / 3 {
            GREEN
        } else {
            BLUE
        })
    };
    // The last is so long that its original is only 136 pixels high.
    for (width, height) in [(300, 100), (3000, 1000), (9000, 600)] {
        let margin = height / 10;
        let wide = RgbImage::from_fn(width, height, |x, _| thirds(x, width));
        let tall = RgbImage::from_fn(height, width, |_, y| thirds(y, width));
        for picture in [wide, tall] {
            let seen = see(&process(encode(picture, ImageFormat::Png)).await);
            for square in &seen.squares {
                let square = opaque(square);
                let (near, far) = (square.width() / 10, square.width() * 9 / 10);
                let spots = [(near, near), (far, near), (near, far), (far, far)];
                let colours = spots.map(|(x, y)| square.get_pixel(x, y).0);
                assert_close(&colours, &[GREEN; 4], &format!("{width} by {height}, margin {margin}"));
            }
        }
    }
}

#[tokio::test]
async fn squares_of_long_pictures_are_sharp() {
    // Stripes of one pixel in the middle of 12,000 by 400 pixels: they survive only if the square is cut out of the whole
    // picture, not out of the original of 2048 by 68.
    let stripes = GrayImage::from_fn(12_000, 400, |x, _| Luma([if x % 2 == 0 { 0 } else { 255 }]));
    let square = opaque(&see(&process(encode(stripes, ImageFormat::Png)).await).squares[0]);
    let (dark, light) = (square.get_pixel(200, 200).0[0], square.get_pixel(201, 200).0[0]);
    assert!(dark.abs_diff(light) > 200, "{dark} and {light}");
}

#[tokio::test]
async fn transparency_becomes_white_in_jpeg_and_stays_in_webp() {
    for file in [
        encode(half_transparent(800, 800), ImageFormat::Png),
        encode(DynamicImage::from(half_transparent(800, 800)).into_rgba16(), ImageFormat::Png),
        encode(half_transparent(800, 800), ImageFormat::WebP),
        encode(half_transparent(100, 100), ImageFormat::Png),
        encode(half_transparent(3000, 3000), ImageFormat::Png),
    ] {
        let seen = see(&process(file).await);
        assert_close(&corners(&seen.original), &[RED, WHITE, RED, WHITE], "on white");
        for square in &seen.squares {
            let side = square.width();
            assert_eq!(square.get_pixel(side / 4, side / 2).0[3], 255);
            assert_eq!(square.get_pixel(side * 3 / 4, side / 2).0[3], 0);
            let green = square.pixels().filter(|pixel| pixel.0[3] > 32).map(|pixel| pixel.0[1]).max().unwrap();
            assert!(green < 100, "the colour of transparent pixels bleeds into the visible ones: {green}");
        }
    }
}

#[tokio::test]
async fn squares_keep_the_brightness_of_fine_patterns() {
    // Half of the light of white is the number 188, not 128. The last ones are shrunk before squares are made of them.
    for (width, height) in [(1600, 1600), (3000, 3000), (2100, 4100)] {
        let board = GrayImage::from_fn(width, height, |x, y| Luma([if (x + y) % 2 == 0 { 0 } else { 255 }]));
        let seen = see(&process(encode(board, ImageFormat::Png)).await);
        let mut middles: Vec<_> = seen.squares.iter().map(|square| middle(&opaque(square))).collect();
        if width.max(height) > 2048 {
            middles.push(middle(&seen.original));
        }
        for middle in middles {
            assert!(middle.abs_diff(188) <= 6, "{middle} in a square of {width} by {height}");
        }
    }
}

/// The mean of the middle of a grey picture.
fn middle(picture: &RgbImage) -> u8 {
    let (x, y) = (picture.width() / 2, picture.height() / 2);
    let seen: Vec<u32> = (x - 8..x + 8)
        .flat_map(|x| (y - 8..y + 8).map(move |y| (x, y)))
        .map(|(x, y)| picture.get_pixel(x, y).0[0].into())
        .collect();
    u8::try_from(seen.iter().sum::<u32>() / u32::try_from(seen.len()).unwrap()).unwrap()
}

#[tokio::test]
async fn what_is_shrunk_has_no_seams() {
    // A slope of light over the whole height: a band that was placed wrongly would be a step in it.
    let brightness = |y: u32| u8::try_from(y * 255 / 4999).unwrap();
    let slope = GrayImage::from_fn(300, 5000, |_, y| Luma([brightness(y)]));
    let original = see(&process(encode(slope, ImageFormat::Png)).await).original;
    for y in 0..2048 {
        let (found, expected) = (original.get_pixel(60, y).0[0], brightness(y * 4999 / 2047));
        assert!(found.abs_diff(expected) <= 3, "{found} is not {expected} in row {y}");
    }
}

#[tokio::test]
async fn checking_gives_the_picture_back() {
    let picture = encode(quarters(64, 64), ImageFormat::Jpeg);
    assert_eq!(processor().check(picture.clone(), Client::default()).await.unwrap(), picture);
}
