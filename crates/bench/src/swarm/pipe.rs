//! A TCP connection that never waits: what cannot be read or written yet is left for the next time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A connection with what is not read and not written yet.
pub struct Pipe {
    stream: TcpStream,
    /// The beginning of something whose end has not come.
    kept: Vec<u8>,
    outbox: Vec<u8>,
    written: usize,
}

/// What there was to read.
pub enum Input<'a> {
    /// Bytes, beginning with what was kept, and whether there may be more.
    Bytes(&'a [u8], bool),
    /// Nothing for the moment.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Pipe {
    /// Begins to connect, and has what happens reported under the token.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn open(address: SocketAddr, registry: &Registry, token: Token) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context("cannot open a connection")?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, kept: Vec::new(), outbox: Vec::new(), written: 0 })
    }

    /// Where to write what [`flush`](Self::flush) sends.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Sends as much as goes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self) -> Result<()> {
        while let Some(rest) = self.outbox.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot write to the server"),
            }
        }
        self.outbox.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there, behind what was kept. The scratch is to have room for much more than one packet.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn read<'a>(&mut self, scratch: &'a mut [u8]) -> Result<Input<'a>> {
        let kept = self.kept.len();
        let (before, room) = scratch.split_at_mut_checked(kept).context("a packet larger than the buffer")?;
        before.copy_from_slice(&self.kept);
        let size = room.len();
        let count = loop {
            match self.stream.read(room) {
                Ok(0) if size > 0 => return Ok(Input::End),
                Ok(count) => break count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(Input::Nothing);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot read from the server"),
            }
        };
        self.kept.clear();
        // A read that did not fill the buffer has emptied the connection (epoll(7), questions and answers, 9).
        Ok(Input::Bytes(scratch.get(..kept + count).unwrap_or_default(), count == size))
    }

    /// Keeps what could not be used yet.
    pub fn keep(&mut self, rest: &[u8]) {
        self.kept.extend_from_slice(rest);
    }
}
