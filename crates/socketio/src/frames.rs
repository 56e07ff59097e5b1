//! The frames in what goes over a WebSocket, told apart as the bytes go by.

/// The frames that one side sends on a WebSocket connection (RFC 6455, section 5.2), behind the head of its handshake.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    at: At,
    frame: Frame,
}

/// Where in a connection a byte is.
#[derive(Debug, Clone, Copy)]
enum At {
    /// In the head of the handshake, with so many bytes of the empty line at its end.
    Head { matched: u8 },
    /// At the first byte of a frame.
    Opcode,
    /// At the length.
    Length,
    /// At the length of a longer frame, of which so many bytes are missing.
    Extended { missing: u8 },
    /// At the masking key, of which so many bytes are missing.
    Mask { missing: u8 },
    /// In the payload.
    Payload { left: usize },
}

impl Default for At {
    fn default() -> Self {
        Self::Head { matched: 0 }
    }
}

/// What the header of a frame says.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Frame {
    /// The bytes of its payload.
    pub(crate) size: usize,
    first: u8,
    is_masked: bool,
    mask: [u8; 4],
}

/// A piece of a frame: at first an empty one, when its header is complete, then its payload as it comes.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) frame: Frame,
    /// Where in the payload the bytes are.
    offset: usize,
    /// Masked, if the frame is.
    pub(crate) bytes: &'a [u8],
}

impl Frame {
    /// Whether it is the last of its message.
    pub(crate) const fn is_final(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// Whether it is a ping, a pong or a close.
    pub(crate) const fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }

    /// Whether it goes on with a message that has begun.
    pub(crate) const fn is_continuation(&self) -> bool {
        self.first & 0x0f == 0
    }

    /// Whether a binary message begins with it.
    pub(crate) const fn is_binary(&self) -> bool {
        self.first & 0x0f == 2
    }
}

impl Piece<'_> {
    /// Whether it is the header.
    pub(crate) const fn is_header(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the frame ends with it.
    pub(crate) const fn is_last(&self) -> bool {
        self.offset.saturating_add(self.bytes.len()) == self.frame.size
    }

    /// The bytes as they are without the mask.
    pub(crate) fn unmasked(&self) -> impl Iterator<Item = u8> + '_ {
        let mask = self.frame.mask.iter().cycle().skip(self.offset % 4);
        self.bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask)
    }
}

impl Frames {
    /// Whether the head is over.
    pub(crate) const fn have_begun(&self) -> bool {
        !matches!(self.at, At::Head { .. })
    }

    /// Goes on by these bytes, and tells the pieces of the frames in them.
    pub(crate) fn advance(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Piece<'_>)) {
        while let Some((&first, rest)) = bytes.split_first() {
            if let At::Payload { left } = self.at {
                let (piece, beyond) = bytes.split_at(left.min(bytes.len()));
                let offset = self.frame.size.saturating_sub(left);
                let left = left.saturating_sub(piece.len());
                tell(Piece { frame: self.frame, offset, bytes: piece });
                self.at = if left == 0 { At::Opcode } else { At::Payload { left } };
                bytes = beyond;
                continue;
            }
            bytes = rest;
            self.at = self.after(first);
            if let At::Payload { left } = self.at {
                tell(Piece { frame: self.frame, offset: 0, bytes: &[] });
                if left == 0 {
                    self.at = At::Opcode;
                }
            }
        }
    }

    /// What comes after a byte that is not of a payload.
    fn after(&mut self, byte: u8) -> At {
        match self.at {
            At::Head { matched } => match (matched, byte) {
                (3, b'\n') => At::Opcode,
                (0 | 2, b'\r') | (1, b'\n') => At::Head { matched: matched.saturating_add(1) },
                (_, b'\r') => At::Head { matched: 1 },
                _ => At::Head { matched: 0 },
            },
            At::Opcode => {
                self.frame = Frame { first: byte, ..Frame::default() };
                At::Length
            }
            At::Length => {
                self.frame.is_masked = byte & 0x80 != 0;
                match byte & 0x7f {
                    126 => At::Extended { missing: 2 },
                    127 => At::Extended { missing: 8 },
                    length => {
                        self.frame.size = length.into();
                        self.after_length()
                    }
                }
            }
            At::Extended { missing } => {
                self.frame.size = self.frame.size.wrapping_shl(8) | usize::from(byte);
                match missing.saturating_sub(1) {
                    0 => self.after_length(),
                    missing => At::Extended { missing },
                }
            }
            At::Mask { missing } => {
                self.frame.mask.rotate_left(1);
                self.frame.mask[3] = byte;
                match missing.saturating_sub(1) {
                    0 => At::Payload { left: self.frame.size },
                    missing => At::Mask { missing },
                }
            }
            At::Payload { left } => At::Payload { left },
        }
    }

    const fn after_length(&self) -> At {
        if self.frame.is_masked { At::Mask { missing: 4 } } else { At::Payload { left: self.frame.size } }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\r\n\r\n";

    /// The final frame of a text, as a server sends it.
    pub(crate) fn frame(size: usize) -> Vec<u8> {
        let mut frame = header(0x81, size, 0);
        frame.resize(frame.len() + size, b'x');
        frame
    }

    /// A frame as a client sends it.
    pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 250];
        let mut frame = header(first, payload.len(), 0x80);
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn header(first: u8, size: usize, bit: u8) -> Vec<u8> {
        let mut header = vec![first];
        match size {
            0..=125 => header.push(u8::try_from(size).unwrap() | bit),
            126..=0xffff => {
                header.push(126 | bit);
                header.extend(u16::try_from(size).unwrap().to_be_bytes());
            }
            _ => {
                header.push(127 | bit);
                header.extend(u64::try_from(size).unwrap().to_be_bytes());
            }
        }
        header
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let sizes = [1, 125, 126, 5000, 65_535, 65_536, 3, 200_000];
        let (mut from_server, mut from_client) = (HEAD.to_vec(), HEAD.to_vec());
        for size in sizes {
            from_server.extend(frame(size));
            from_server.extend(frame(0));
            from_client.extend(masked(0x02, &vec![b'x'; size]));
            from_client.extend(masked(0x80, &[]));
        }
        for bytes in [from_server, from_client] {
            for step in [1, 2, 3, 7, 1000, bytes.len()] {
                let (mut frames, mut found) = (Frames::default(), Vec::new());
                for chunk in bytes.chunks(step) {
                    frames.advance(chunk, |piece| {
                        assert!(piece.unmasked().all(|byte| byte == b'x'));
                        if piece.is_last() {
                            found.push(piece.frame.size);
                        }
                    });
                }
                let all: Vec<_> = sizes.iter().flat_map(|size| [*size, 0]).collect();
                assert_eq!(found, all, "in steps of {step}");
            }
        }
    }

    #[test]
    fn a_header_says_what_kind_of_frame_it_is() {
        let kinds = |first| {
            let mut kinds = None;
            let mut frames = Frames { at: At::Opcode, frame: Frame::default() };
            frames.advance(&masked(first, b""), |piece| {
                let Piece { frame, .. } = piece;
                kinds = Some((frame.is_final(), frame.is_control(), frame.is_continuation(), frame.is_binary()));
            });
            kinds.unwrap()
        };
        assert_eq!(kinds(0x81), (true, false, false, false), "a text");
        assert_eq!(kinds(0x02), (false, false, false, true), "the beginning of a binary message");
        assert_eq!(kinds(0x80), (true, false, true, false), "the end of a message");
        assert_eq!(kinds(0x8a), (true, true, false, false), "a pong");
    }
}
