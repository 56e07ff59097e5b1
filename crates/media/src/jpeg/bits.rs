//! Huffman codes, and the bits of a coded picture.

use std::sync::LazyLock;

use super::tables::{CHROMA_AC, CHROMA_DC, Huffman, LUMA_AC, LUMA_DC};

/// The codes of symbols: bits and how many they are.
pub(super) struct Codes([(u32, u32); 256]);

/// The codes of all tables.
pub(super) struct AllCodes {
    pub(super) luma_dc: Codes,
    pub(super) luma_ac: Codes,
    pub(super) chroma_dc: Codes,
    pub(super) chroma_ac: Codes,
}

pub(super) static CODES: LazyLock<AllCodes> = LazyLock::new(|| AllCodes {
    luma_dc: Codes::new(&LUMA_DC),
    luma_ac: Codes::new(&LUMA_AC),
    chroma_dc: Codes::new(&CHROMA_DC),
    chroma_ac: Codes::new(&CHROMA_AC),
});

impl Codes {
    /// Counts through the codes of each length, as the standard does.
    fn new(table: &Huffman) -> Self {
        let mut codes = [(0, 0); 256];
        let mut symbols = table.symbols.iter();
        let mut code = 0;
        for (length, count) in (1..).zip(table.counts) {
            for symbol in symbols.by_ref().take(usize::from(count)) {
                if let Some(place) = codes.get_mut(usize::from(*symbol)) {
                    *place = (code, length);
                }
                code += 1;
            }
            code <<= 1;
        }
        Self(codes)
    }

    fn get(&self, symbol: u32) -> (u32, u32) {
        usize::try_from(symbol).ok().and_then(|symbol| self.0.get(symbol)).copied().unwrap_or_default()
    }
}

/// The file, and the bits that are not yet a word of it.
pub(super) struct Bits {
    file: Vec<u8>,
    waiting: u64,
    count: u32,
}

impl Bits {
    /// Starts after what is already in the file.
    pub(super) fn after(file: Vec<u8>) -> Self {
        Self { file, waiting: 0, count: 0 }
    }

    /// Writes a number after so many zeros: the code of both sizes, and as many bits of the number as it has.
    pub(super) fn put_coefficient(&mut self, codes: &Codes, zeros: u32, number: i32) {
        let size = 32 - number.unsigned_abs().leading_zeros();
        let (code, length) = codes.get((zeros << 4) | size);
        // Negative numbers are written one less, without the sign.
        let number = number.wrapping_add(number >> 31).cast_unsigned() & ((1 << size) - 1);
        self.put((code << size) | number, length + size);
    }

    pub(super) fn put_symbol(&mut self, codes: &Codes, symbol: u32) {
        let (code, length) = codes.get(symbol);
        self.put(code, length);
    }

    /// Appends at most 32 bits.
    fn put(&mut self, bits: u32, length: u32) {
        self.waiting = (self.waiting << length) | u64::from(bits);
        self.count += length;
        if self.count >= 32 {
            self.count -= 32;
            let [.., a, b, c, d] = (self.waiting >> self.count).to_be_bytes();
            self.append(&[a, b, c, d]);
        }
    }

    /// Appends bytes of the coded picture. 0xFF is followed by zero there, to tell it from a marker.
    fn append(&mut self, bytes: &[u8]) {
        if bytes.contains(&0xFF) {
            for byte in bytes {
                self.file.push(*byte);
                if *byte == 0xFF {
                    self.file.push(0);
                }
            }
        } else {
            self.file.extend_from_slice(bytes);
        }
    }

    /// Fills the last byte with ones and ends the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put(0x7F, 7);
        let whole = self.count / 8;
        let bytes = (self.waiting >> (self.count % 8)).to_be_bytes();
        let start = bytes.len().saturating_sub(usize::try_from(whole).unwrap_or_default());
        self.append(bytes.get(start..).unwrap_or_default());
        self.file.extend([0xFF, 0xD9]);
        self.file
    }
}
