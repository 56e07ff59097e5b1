//! The samples of a picture on their way into a JPEG: apart by brightness and colour, and cut into blocks.

use std::array;

use super::transform::Lanes;

/// Sixteen rows of the picture, as brightness and colours.
pub(super) struct Strip {
    /// How many units of 16 by 16 pixels lie side by side.
    pub(super) units: usize,
    pub(super) luma: Plane,
    pub(super) blue: Plane,
    pub(super) red: Plane,
    /// Colours of two rows before four neighbours become one.
    full: [Vec<[f32; 2]>; 2],
}

impl Strip {
    pub(super) fn new(units: usize) -> Self {
        let full = || vec![[0.0; 2]; units * 16];
        Self {
            units,
            luma: Plane::new(units * 2, 2),
            blue: Plane::new(units, 1),
            red: Plane::new(units, 1),
            full: [full(), full()],
        }
    }

    /// Takes up to sixteen rows. What is missing on the right and below is filled with the last pixels.
    pub(super) fn fill(&mut self, rows: &[&[u8]]) {
        let Some(last) = rows.last() else { return };
        let mut luma = self.luma.rows_mut();
        let mut source = rows.iter().chain(std::iter::repeat(last));
        for (blue, red) in self.blue.rows_mut().zip(self.red.rows_mut()) {
            for full in &mut self.full {
                let (Some(row), Some(luma)) = (source.next(), luma.next()) else { return };
                let (pixels, _) = row.as_chunks::<3>();
                let end = pixels.last().copied().unwrap_or_default();
                let mut done = 0;
                for ((pixel, luma), full) in pixels.iter().zip(luma.iter_mut()).zip(full.iter_mut()) {
                    (*luma, *full) = convert(*pixel);
                    done += 1;
                }
                let (end_luma, end_colour) = convert(end);
                luma.iter_mut().skip(done).for_each(|luma| *luma = end_luma);
                full.iter_mut().skip(done).for_each(|full| *full = end_colour);
            }
            let [above, below] = &self.full;
            let pairs = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
            for (([a, b], [c, d]), (blue, red)) in pairs.zip(blue.iter_mut().zip(red.iter_mut())) {
                *blue = (a[0] + b[0] + c[0] + d[0]) * 0.25;
                *red = (a[1] + b[1] + c[1] + d[1]) * 0.25;
            }
        }
    }
}

/// Brightness and colour of a pixel (JFIF), all with zero in the middle.
fn convert([red, green, blue]: [u8; 3]) -> (f32, [f32; 2]) {
    let (red, green, blue) = (f32::from(red), f32::from(green), f32::from(blue));
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    (luma - 128.0, [(blue - luma) * 0.564_334, (red - luma) * 0.713_267])
}

/// Rows of samples, a whole number of blocks wide and high.
pub(super) struct Plane {
    samples: Vec<f32>,
    width: usize,
}

impl Plane {
    fn new(across: usize, down: usize) -> Self {
        Self { samples: vec![0.0; across * down * 64], width: across * 8 }
    }

    fn rows_mut(&mut self) -> std::slice::ChunksExactMut<'_, f32> {
        self.samples.chunks_exact_mut(self.width)
    }

    pub(super) fn block(&self, across: usize, down: usize) -> [Lanes; 8] {
        let start = down * 8 * self.width + across * 8;
        array::from_fn(|row| {
            let row = self.samples.get(start + row * self.width..).and_then(|rest| rest.first_chunk::<8>());
            Lanes(row.copied().unwrap_or_default())
        })
    }
}
