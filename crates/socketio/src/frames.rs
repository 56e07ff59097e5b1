//! The frames in what goes out over a WebSocket, told apart as the bytes go by.

/// Where in what a server sends on a WebSocket connection a byte is (RFC 6455, section 5.2). The frames of a server are not masked, and
/// engineioxide puts one packet into one frame.
#[derive(Debug)]
pub(crate) enum Frames {
    /// In the answer to the handshake, with so many bytes of the empty line at its end.
    Head { matched: u8 },
    /// At the first byte of a frame.
    Opcode,
    /// At the length.
    Length,
    /// At the length of a longer frame, of which so many bytes are missing.
    Extended { missing: u8, length: usize },
    /// In the payload.
    Payload { left: usize, size: usize },
}

impl Frames {
    /// Goes on by these bytes, and tells the size of each packet that is complete with them.
    pub(crate) fn advance(&mut self, mut bytes: &[u8], mut complete: impl FnMut(usize)) {
        while let Some((&first, rest)) = bytes.split_first() {
            if let Self::Payload { left, size } = *self {
                let step = left.min(bytes.len());
                bytes = bytes.get(step..).unwrap_or_default();
                *self = Self::Payload { left: left.saturating_sub(step), size };
                if left == step {
                    complete(size);
                    *self = Self::Opcode;
                }
                continue;
            }
            bytes = rest;
            *self = match *self {
                Self::Head { matched } => match (matched, first) {
                    (3, b'\n') => Self::Opcode,
                    (0 | 2, b'\r') | (1, b'\n') => Self::Head { matched: matched.saturating_add(1) },
                    (_, b'\r') => Self::Head { matched: 1 },
                    _ => Self::Head { matched: 0 },
                },
                Self::Opcode => Self::Length,
                Self::Length => match first & 0x7f {
                    126 => Self::Extended { missing: 2, length: 0 },
                    127 => Self::Extended { missing: 8, length: 0 },
                    length => Self::payload(length.into()),
                },
                Self::Extended { missing, length } => {
                    let length = length.wrapping_shl(8) | usize::from(first);
                    match missing.saturating_sub(1) {
                        0 => Self::payload(length),
                        missing => Self::Extended { missing, length },
                    }
                }
                Self::Payload { left, size } => Self::Payload { left, size },
            };
        }
    }

    const fn payload(size: usize) -> Self {
        if size == 0 { Self::Opcode } else { Self::Payload { left: size, size } }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\r\n\r\n";

    pub(crate) fn frame(size: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match size {
            0..=125 => frame.push(u8::try_from(size).unwrap()),
            126..=0xffff => {
                frame.push(126);
                frame.extend(u16::try_from(size).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend(u64::try_from(size).unwrap().to_be_bytes());
            }
        }
        frame.resize(frame.len() + size, b'x');
        frame
    }

    #[test]
    fn the_sizes_of_frames_are_found_however_they_are_cut() {
        let sizes = [1, 125, 126, 5000, 65_535, 65_536, 3, 200_000];
        let mut bytes = HEAD.to_vec();
        for size in sizes {
            bytes.extend(frame(size));
            bytes.extend(frame(0));
        }
        for step in [1, 2, 3, 7, 1000, bytes.len()] {
            let (mut frames, mut found) = (Frames::Head { matched: 0 }, Vec::new());
            for chunk in bytes.chunks(step) {
                frames.advance(chunk, |size| found.push(size));
            }
            assert_eq!(found, sizes, "in steps of {step}");
        }
    }
}
