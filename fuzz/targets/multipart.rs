//! The form of a picture: whatever the body, its field is found or it is refused.

#![cfg_attr(not(test), no_main)]

use actix_http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_multipart::Multipart;
use bytes::Bytes;
use futures_util::stream;
#[cfg(not(test))]
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Builder;

fuzz_target!(|data: &[u8]| {
    // The first byte says in pieces of which size the body comes.
    let Some((size, body)) = data.split_first() else { return };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=B"));
    let pieces: Vec<_> =
        body.chunks(usize::from(*size).max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let parts = Multipart::new(&headers, stream::iter(pieces));
    let runtime = Builder::new_current_thread().build().unwrap();
    if let Ok(Some(picture)) = runtime.block_on(mango_http::read_picture(parts)) {
        assert!(picture.len() <= body.len());
    }
});
