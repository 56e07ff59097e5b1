//! Links from a page of a history to the next (RFC 8288).

use mango_domain::model::{ChatId, MessagePage, PageRequest};

/// The `Link` to the page that comes after this one in the direction of reading, if there is one.
pub(super) fn next(chat: ChatId, request: &PageRequest, page: &MessagePage) -> Option<String> {
    let (newest, oldest) = (page.messages.first()?.message.seq, page.messages.last()?.message.seq);
    // It is made of numbers alone, so that nothing in it can be mistaken for anything else.
    let bounds = match (request.before, request.after) {
        (None, Some(_)) => format!("after={newest}"),
        (Some(_), Some(after)) => format!("before={oldest}&after={after}"),
        (_, None) => format!("before={oldest}"),
    };
    page.more.then(|| format!(r#"</message/{chat}?limit={}&{bounds}>; rel="next""#, request.limit()))
}
