//! WebSocket frames (RFC 6455, section 5), as far as the client of a chat needs them.

use anyhow::{Result, bail};

/// What a server has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole text message.
    Text(&'a [u8]),
    /// The server closes the connection, and may say why.
    Close(&'a [u8]),
    /// Something else, such as a ping, which no server here sends: Engine.IO has pings of its own.
    Other,
}

/// Reads the first frame and tells how long it is; `None` when it is not whole yet.
///
/// # Errors
/// When a message comes in several frames: no server here sends any that long.
pub fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let Some(([first, second], rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let (length, head) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
            None => return Ok(None),
        },
        length => (usize::from(length), 2),
    };
    let Some(payload) = bytes.get(head..head + length) else {
        return Ok(None);
    };
    let frame = match first {
        0x81 => Frame::Text(payload),
        0x88 => Frame::Close(payload),
        0x89 | 0x8a => Frame::Other,
        other => bail!("a frame that begins with {other:#x}"),
    };
    Ok(Some((frame, head + length)))
}

/// Writes a text message as a client does, masked. The mask is of zeros, which costs the generator nothing and the server what any
/// other would.
pub fn write_text(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(0x81);
    let length = payload.len();
    match u8::try_from(length) {
        Ok(short) if short < 126 => out.push(0x80 | short),
        _ => match u16::try_from(length) {
            Ok(medium) => {
                out.push(0x80 | 126);
                out.extend_from_slice(&medium.to_be_bytes());
            }
            Err(_) => {
                out.push(0x80 | 127);
                out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written, with the mask taken out, is what is read.
    fn check(length: usize) {
        let payload = vec![b'x'; length];
        let mut masked = Vec::new();
        write_text(&mut masked, &payload);
        let head = masked.len() - length - 4;
        let mut served = masked[..head].to_vec();
        served[1] &= 0x7f;
        served.extend_from_slice(&payload);
        let whole = served.len();
        served.extend_from_slice(b"more");
        assert_eq!(parse(&served).unwrap(), Some((Frame::Text(&payload), whole)));
        for cut in 0..whole {
            assert_eq!(parse(&served[..cut]).unwrap(), None, "{cut} of {whole}");
        }
    }

    #[test]
    fn frames_of_every_length_are_read_whole_or_not_at_all() {
        for length in [0, 1, 125, 126, 1000, 65_535, 65_536] {
            check(length);
        }
    }

    #[test]
    fn what_no_server_here_sends_is_an_error() {
        assert!(parse(&[0x01, 1, b'x']).is_err(), "the first part of a message in parts");
        assert_eq!(parse(&[0x88, 2, 3, 232]).unwrap(), Some((Frame::Close(&[3, 232]), 4)));
    }
}
