//! The stores over real databases. What needs a PostgreSQL server has `postgres` in its path.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

/// Makes of each function, generic over its backend, a test in the module `sqlite` and one in the module `postgres`.
macro_rules! on_both {
    ($($case:ident)*) => {
        on_both!(@ sqlite, Sqlite: $($case)*);
        on_both!(@ postgres, Postgres: $($case)*);
    };
    (@ $module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case::<crate::support::$backend>().await;
                }
            )*
        }
    };
}

mod appends;
mod constraints;
mod contract;
mod encryption;
mod limits;
mod migrations;
mod stalled;
mod support;
mod unreachable;
