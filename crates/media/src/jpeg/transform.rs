//! The cosine transform, on eight samples at a time.

use std::ops::{Add, Mul, Sub};

/// Eight samples that are worked on at once.
#[derive(Clone, Copy, Default)]
pub(super) struct Lanes(pub(super) [f32; 8]);

impl Lanes {
    fn with(mut self, other: Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a = combine(*a, b));
        self
    }
}

impl Add for Lanes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Lanes {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        Self(self.0.map(|a| a * factor))
    }
}

/// The cosine transform of eight rows into each other, after Arai, Agui and Nakajima: five multiplications, and the results
/// scaled by what [`scale`] gives.
pub(super) fn transform([r0, r1, r2, r3, r4, r5, r6, r7]: [Lanes; 8]) -> [Lanes; 8] {
    let (s07, d07, s16, d16) = (r0 + r7, r0 - r7, r1 + r6, r1 - r6);
    let (s25, d25, s34, d34) = (r2 + r5, r2 - r5, r3 + r4, r3 - r4);

    let (outer, outer_difference) = (s07 + s34, s07 - s34);
    let (inner, inner_difference) = (s16 + s25, s16 - s25);
    let even = (inner_difference + outer_difference) * 0.707_106_77;

    let (low, middle, high) = (d34 + d25, d25 + d16, d16 + d07);
    let turn = (low - high) * 0.382_683_43;
    let (low, high) = (low * 0.541_196_1 + turn, high * 1.306_563 + turn);
    let middle = middle * 0.707_106_77;
    let (plus, minus) = (d07 + middle, d07 - middle);

    [
        outer + inner,
        plus + high,
        outer_difference + even,
        minus - low,
        outer - inner,
        minus + low,
        outer_difference - even,
        plus - high,
    ]
}

/// What [`transform`] scales the coefficient of a frequency by, along one direction.
pub(super) fn scale(frequency: u8) -> f32 {
    let root8 = 8_f32.sqrt();
    if frequency == 0 {
        root8
    } else {
        root8 * 2_f32.sqrt() * (f32::from(frequency) * std::f32::consts::PI / 16.0).cos()
    }
}

pub(super) fn transpose(rows: [Lanes; 8]) -> [Lanes; 8] {
    let mut columns = [Lanes::default(); 8];
    for (row, lanes) in rows.iter().enumerate() {
        for (column, sample) in columns.iter_mut().zip(lanes.0) {
            if let Some(place) = column.0.get_mut(row) {
                *place = sample;
            }
        }
    }
    columns
}

/// Rounds a number of at most 22 bits: added to 1.5 · 2²³, its whole part is what the last bits of the sum are.
pub(super) fn round(number: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (number + SHIFT).to_bits().cast_signed().wrapping_sub(SHIFT.to_bits().cast_signed())
}
