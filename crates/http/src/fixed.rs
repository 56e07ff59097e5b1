//! Texts that change with the program only, each kept once in every coding that clients ask for.

use std::future::ready;

use actix_http::ResponseHead;
use actix_http::encoding::{Decoder, Encoder};
use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt as _, stream};
use mango_domain::{Error, Failure};
use tokio::sync::OnceCell;

use crate::error::HttpError;
use crate::pieces::Pieces;

/// A text as the program holds it, and in other codings as soon as somebody has asked for them. All who read it share it.
pub(crate) struct Fixed {
    given: Bytes,
    coding: ContentEncoding,
    others: [(ContentEncoding, OnceCell<Bytes>); 2],
}

/// Left with a response that is in the coding that its client asked for already.
pub(crate) struct Coded;

impl Fixed {
    /// A text that the program holds as it is.
    pub const fn plain(text: Bytes) -> Self {
        let others = [(ContentEncoding::Brotli, OnceCell::const_new()), (ContentEncoding::Gzip, OnceCell::const_new())];
        Self { given: text, coding: ContentEncoding::Identity, others }
    }

    /// A text that the program holds compressed.
    pub const fn gzip(text: Bytes) -> Self {
        let others =
            [(ContentEncoding::Brotli, OnceCell::const_new()), (ContentEncoding::Identity, OnceCell::const_new())];
        Self { given: text, coding: ContentEncoding::Gzip, others }
    }

    /// Answers with the text in the coding that the client likes best.
    pub async fn answer(
        &self,
        request: &HttpRequest,
        mut response: HttpResponseBuilder,
    ) -> Result<HttpResponse, HttpError> {
        let coding = negotiate(request);
        let text =
            self.form(coding).await.map_err(|error| Error::Failed(Failure::broken("code a fixed text", error)))?;
        if coding != ContentEncoding::Identity {
            response.insert_header(coding);
        }
        let mut response = response.body(Pieces::of(text));
        response.extensions_mut().insert(Coded);
        Ok(response)
    }

    /// The text in a coding. Those who ask while it is made wait for the one who makes it.
    async fn form(&self, coding: ContentEncoding) -> Result<Bytes, String> {
        let Some((_, form)) = self.others.iter().find(|(other, _)| *other == coding) else {
            return Ok(self.given.clone());
        };
        let make = || async { encode(decode(self.given.clone(), self.coding).await?, coding).await };
        form.get_or_try_init(make).await.cloned()
    }
}

fn negotiate(request: &HttpRequest) -> ContentEncoding {
    let offered = [Encoding::identity(), Encoding::brotli(), Encoding::gzip()];
    let accepted = request.get_header::<AcceptEncoding>();
    match accepted.and_then(|accepted| accepted.negotiate(offered.iter())) {
        Some(Encoding::Known(coding)) => coding,
        _ => ContentEncoding::Identity,
    }
}

async fn decode(text: Bytes, coding: ContentEncoding) -> Result<Bytes, String> {
    let decoder = Decoder::new(stream::once(ready(Ok(text))), coding);
    let plain = decoder.try_fold(BytesMut::new(), |mut plain, part| {
        plain.extend_from_slice(&part);
        ready(Ok(plain))
    });
    plain.await.map(BytesMut::freeze).map_err(|error| error.to_string())
}

async fn encode(text: Bytes, coding: ContentEncoding) -> Result<Bytes, String> {
    let mut head = ResponseHead::new(StatusCode::OK);
    to_bytes(Encoder::response(coding, &mut head, text)).await.map_err(|error| error.to_string())
}
