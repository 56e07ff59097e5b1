//! The rules of the value types: what each takes, what it makes of it, and what it refuses.

mod members;
mod messages;
mod pages;
mod phones;
mod photos;
mod secrets;
mod sync;
mod texts;

use mango_domain::FieldError;

/// Checks that something was refused, and which field the refusal names.
#[track_caller]
fn check_refused<T: std::fmt::Debug>(result: Result<T, FieldError>, field: &str, case: &dyn std::fmt::Debug) {
    match result {
        Err(error) => assert_eq!(error.field, field, "{case:?}"),
        Ok(taken) => assert_eq!(format!("{taken:?}"), "refused", "{case:?}"),
    }
}
