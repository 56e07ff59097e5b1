//! Requests for pages.

use mango_domain::model::{PageRequest, Seq};

use super::check_refused;

#[test]
fn a_page_has_1_to_200_messages_and_50_when_nothing_is_said() {
    for (asked, expected) in [(None, 50), (Some(1), 1), (Some(50), 50), (Some(199), 199), (Some(200), 200)] {
        let request = PageRequest::parse(asked, None, None).expect("a request");
        assert_eq!(request.limit(), expected);
    }
    for asked in [i64::MIN, -1, 0, 201, 4_294_967_297, i64::MAX] {
        check_refused(PageRequest::parse(Some(asked), None, None), "limit", &asked);
    }
}

#[test]
fn bounds_are_taken_as_they_are() {
    for (before, after) in [(None, None), (Some(1), None), (None, Some(0)), (Some(i64::MAX), Some(-7))] {
        let (before, after) = (before.map(Seq::new), after.map(Seq::new));
        let request = PageRequest::parse(None, before, after).expect("a request");
        assert_eq!((request.before, request.after), (before, after));
    }
}
