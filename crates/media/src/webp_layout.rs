//! The layout of a WebP file, read before it is decoded: whether the file is whole, how large the frame is that will be
//! decoded, and what that costs. The decoder would find out only after decoding, since the canvas of an extended file and
//! the picture within it each have a size of their own.

/// What the chunks of a WebP file tell.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The size of the canvas, when the file has one, and of the first picture.
    sizes: Vec<(u32, u32)>,
    animated: bool,
    lossless: bool,
}

impl Layout {
    /// Reads the chunks of a file up to its first picture, and sees that the file is as long as it says. `None` when it is
    /// cut off or is no WebP file.
    pub(crate) fn read(file: &[u8]) -> Option<Self> {
        let (kind, riff, _) = split_chunk(file)?;
        let mut rest = (kind == b"RIFF").then_some(riff)?.strip_prefix(b"WEBP")?;
        let mut layout = Self::default();
        while !layout.read_chunk(&mut rest)? {}
        Some(layout)
    }

    /// Reads one chunk; answers whether it held the first picture.
    fn read_chunk(&mut self, rest: &mut &[u8]) -> Option<bool> {
        let (kind, body, after) = split_chunk(rest)?;
        *rest = after;
        match kind {
            b"VP8X" => {
                let size = body.get(4..10)?;
                self.sizes.push((u24(size.get(..3)?)? + 1, u24(size.get(3..)?)? + 1));
            }
            b"ANMF" => {
                self.animated = true;
                let mut frame = body.get(16..)?;
                while !self.read_chunk(&mut frame)? {}
                return Some(true);
            }
            b"VP8 " => {
                let &[w0, w1, h0, h1] = body.get(6..10)? else { return None };
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                self.sizes.push((side(w0, w1), side(h0, h1)));
                return Some(true);
            }
            b"VP8L" => {
                let &[b0, b1, b2, b3] = body.get(1..5)? else { return None };
                let bits = u32::from_le_bytes([b0, b1, b2, b3]);
                self.sizes.push(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1));
                self.lossless = true;
                return Some(true);
            }
            _ => {}
        }
        Some(false)
    }

    /// The sizes that must be within the limits.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (u32, u32)> {
        self.sizes.iter().copied()
    }

    /// What decoding allocates: the pixels that are handed over, those of the frame in the form of the decoder, and for an
    /// animation a canvas that the frame is drawn on.
    pub(crate) fn memory(&self) -> u64 {
        let pixels = self.sizes().map(|(width, height)| u64::from(width) * u64::from(height)).max().unwrap_or(0);
        let frame = if self.lossless { 4 } else { 2 };
        let handed_over = 4;
        let canvas = if self.animated { 8 } else { 0 };
        pixels * (frame + handed_over + canvas)
    }
}

/// Splits a chunk off: its kind, its body, and what comes after. `None` when the body is not all there.
fn split_chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (body, rest) = rest.split_at_checked(length)?;
    // A body of odd length is followed by a padding byte, which some encoders leave out at the end of the file.
    Some((kind, body, rest.get(length % 2..).unwrap_or_default()))
}

/// A little-endian number of three bytes.
fn u24(bytes: &[u8]) -> Option<u32> {
    let &[low, middle, high] = bytes else { return None };
    Some(u32::from_le_bytes([low, middle, high, 0]))
}
