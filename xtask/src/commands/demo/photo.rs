//! Portraits of nobody: head and shoulders before a gradient.

use anyhow::Result;
use png::{BitDepth, ColorType, Encoder};

const SIZE: i32 = 480;

/// A colour in the order red, green, blue.
pub(super) type Color = [u8; 3];

/// A square PNG, its background going from one colour at the top left to the other at the bottom right.
pub(super) fn portrait([from, to]: [Color; 2]) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    for y in 0..SIZE {
        for x in 0..SIZE {
            let background = mix(from, to, x + y, 2 * SIZE);
            let color = if is_figure(x, y) { mix(background, [255; 3], 4, 5) } else { background };
            pixels.extend_from_slice(&color);
        }
    }
    let mut file = Vec::new();
    let size = SIZE.unsigned_abs();
    let mut encoder = Encoder::new(&mut file, size, size);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

/// Two circles: the head, and the shoulders whose lower part is outside.
fn is_figure(x: i32, y: i32) -> bool {
    let within = |top: i32, radius: i32| (x - SIZE / 2).pow(2) + (y - top).pow(2) < radius.pow(2);
    within(SIZE * 2 / 5, SIZE / 6) || within(SIZE, SIZE * 2 / 5)
}

/// The colour that lies `part` of `whole` of the way from one to the other.
fn mix(from: Color, to: Color, part: i32, whole: i32) -> Color {
    let mut mixed = from;
    for (channel, to) in mixed.iter_mut().zip(to) {
        let (from, to) = (i32::from(*channel), i32::from(to));
        *channel = u8::try_from(from + (to - from) * part / whole).unwrap_or(u8::MAX);
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portrait_is_a_png_with_a_figure_before_its_colours() {
        let file = portrait([[200, 0, 0], [0, 0, 100]]).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (480, 480, ColorType::Rgb));
        let pixel = |x: usize, y: usize| &pixels[(y * 480 + x) * 3..][..3];
        assert_eq!(pixel(0, 0), [200, 0, 0]);
        assert_eq!(pixel(479, 0), [101, 0, 49]);
        assert!(pixel(240, 192).iter().all(|channel| *channel > 200), "the head is light");
    }
}
