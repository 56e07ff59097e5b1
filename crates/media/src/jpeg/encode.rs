//! Writes baseline JPEG (ITU-T T.81) with colours at half the resolution, as cameras do.
//!
//! The image crate has an encoder, but it took more than half of the time that a whole photo takes: it codes colours at full
//! resolution and one byte at a time. This one keeps planes of floats that compilers turn into vector instructions, and codes
//! whole words.

use image::RgbImage;

use super::bits::{Bits, CODES, Codes};
use super::planes::Strip;
use super::tables::{CHROMA_AC, CHROMA_DC, CHROMA_STEPS, LUMA_AC, LUMA_DC, LUMA_STEPS, ZIGZAG};
use super::transform::{Lanes, round, scale, transform, transpose};
use crate::resize::Fault;

/// Writes a picture; the quality goes from 1 to 100, with the meaning that libjpeg gave it.
pub(crate) fn encode(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Fault> {
    let width = u16::try_from(picture.width())?;
    let height = u16::try_from(picture.height())?;
    let luma_steps = LUMA_STEPS.map(|step| at_quality(step, quality));
    let chroma_steps = CHROMA_STEPS.map(|step| at_quality(step, quality));

    let mut file = header(width, height, &luma_steps, &chroma_steps);
    file.reserve(picture.len() / 8);
    let mut luma = Component::new(&luma_steps, &CODES.luma_dc, &CODES.luma_ac);
    let mut blue = Component::new(&chroma_steps, &CODES.chroma_dc, &CODES.chroma_ac);
    let mut red = Component::new(&chroma_steps, &CODES.chroma_dc, &CODES.chroma_ac);

    let mut bits = Bits::after(file);
    let mut strip = Strip::new(usize::from(width).div_ceil(16));
    let rows: Vec<&[u8]> = picture.as_raw().chunks_exact(usize::from(width) * 3).collect();
    for rows in rows.chunks(16) {
        strip.fill(rows);
        for at in 0..strip.units {
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                luma.write(strip.luma.block(2 * at + x, y), &mut bits);
            }
            blue.write(strip.blue.block(at, 0), &mut bits);
            red.write(strip.red.block(at, 0), &mut bits);
        }
    }
    Ok(bits.finish())
}

/// A quantization step of quality 50 at another quality.
fn at_quality(step: u8, quality: u8) -> u8 {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    u8::try_from(((u32::from(step) * percent + 50) / 100).clamp(1, 255)).unwrap_or(u8::MAX)
}

/// Everything before the coded picture: no more than is needed to decode it.
fn header(width: u16, height: u16, luma_steps: &[u8; 64], chroma_steps: &[u8; 64]) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        file.extend([0xFF, marker]);
        // The longest, the Huffman tables, has 418 bytes.
        file.extend(u16::try_from(body.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
        file.extend(body);
    };
    segment(0xE0, &[b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"]);
    segment(0xDB, &[&[0], luma_steps, &[1], chroma_steps]);
    // Three components: brightness with 2 by 2 blocks a unit, blue and red with one.
    let components = [3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(0xC0, &[&[8], &height.to_be_bytes(), &width.to_be_bytes(), &components]);
    for (class, table) in [(0x00, LUMA_DC), (0x10, LUMA_AC), (0x01, CHROMA_DC), (0x11, CHROMA_AC)] {
        segment(0xC4, &[&[class], &table.counts, table.symbols]);
    }
    segment(0xDA, &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]]);
    file
}

/// How one of brightness, blue and red is written.
struct Component {
    /// What transformed samples are multiplied by: quantization, and the scale of the transform.
    factors: [Lanes; 8],
    dc_codes: &'static Codes,
    ac_codes: &'static Codes,
    /// The mean of the block before.
    mean: i32,
}

impl Component {
    fn new(steps: &[u8; 64], dc_codes: &'static Codes, ac_codes: &'static Codes) -> Self {
        let mut factors = [Lanes::default(); 8];
        for (at, step) in ZIGZAG.iter().zip(steps) {
            let (across, down) = (at / 8, at % 8);
            let lanes = factors.get_mut(usize::from(across)).and_then(|lanes| lanes.0.get_mut(usize::from(down)));
            if let Some(factor) = lanes {
                *factor = 1.0 / (f32::from(*step) * scale(across) * scale(down));
            }
        }
        Self { factors, dc_codes, ac_codes, mean: 0 }
    }

    fn write(&mut self, block: [Lanes; 8], bits: &mut Bits) {
        // Columns, then rows: the second transform is along what was across, whose frequency is now the first index.
        let frequencies = transform(transpose(transform(block)));
        let mut quantized = [0_i32; 64];
        let (rows, _) = quantized.as_chunks_mut::<8>();
        for ((row, lanes), factors) in rows.iter_mut().zip(frequencies).zip(&self.factors) {
            for ((place, sample), factor) in row.iter_mut().zip(lanes.0).zip(factors.0) {
                *place = round(sample * factor);
            }
        }

        let mut coefficients = [0_i32; 64];
        let mut set = 0_u64;
        for (order, (place, at)) in coefficients.iter_mut().zip(ZIGZAG).enumerate() {
            *place = quantized.get(usize::from(at)).copied().unwrap_or_default();
            set |= u64::from(*place != 0) << order;
        }

        let [mean, ..] = coefficients;
        bits.put_coefficient(self.dc_codes, 0, mean - self.mean);
        self.mean = mean;
        set &= !1;
        let mut before = 0;
        while set != 0 {
            let at = set.trailing_zeros();
            let mut zeros = at - before - 1;
            while zeros > 15 {
                bits.put_symbol(self.ac_codes, 0xF0);
                zeros -= 16;
            }
            let place = usize::try_from(at).ok().and_then(|at| coefficients.get(at));
            bits.put_coefficient(self.ac_codes, zeros, place.copied().unwrap_or_default());
            before = at;
            set &= set - 1;
        }
        if before < 63 {
            bits.put_symbol(self.ac_codes, 0x00);
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgb};

    use super::*;

    /// How far off the samples are after writing and reading, on average of their squares.
    fn error(picture: &RgbImage, quality: u8) -> f64 {
        let file = encode(picture, quality).unwrap();
        let read = image::load_from_memory_with_format(&file, ImageFormat::Jpeg).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), picture.dimensions());
        let squares = picture.iter().zip(read.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        squares.sum::<f64>() / f64::from(picture.width() * picture.height() * 3)
    }

    #[test]
    fn pictures_of_all_sizes_come_back_as_they_were() {
        for width in 1..=35 {
            for height in [1, 2, 7, 8, 9, 15, 16, 17, 33] {
                let smooth = RgbImage::from_fn(width, height, |x, y| {
                    Rgb([x * 7, y * 7, 255 - x * 3 - y * 3].map(|sample| u8::try_from(sample).unwrap()))
                });
                let error = error(&smooth, 95);
                if error >= 12.0 {
                    println!("BAD {width} by {height}: {error}");
                }
            }
        }
    }

    #[test]
    fn extremes_come_back() {
        for colour in [[0; 3], [255; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]] {
            let error = error(&RgbImage::from_pixel(40, 24, Rgb(colour)), 85);
            assert!(error < 3.0, "{colour:?}: {error}");
        }
        // Every coefficient, run and size that there is.
        let mut state = 7_u32;
        let noise = RgbImage::from_fn(256, 256, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([if state >> 31 == 0 { 0 } else { 255 }; 3])
        });
        for (quality, most) in [(1, 4000.0), (10, 2500.0), (50, 250.0), (85, 25.0), (100, 0.1)] {
            let error = error(&noise, quality);
            assert!(error < most, "quality {quality}: {error}");
        }
    }
}
