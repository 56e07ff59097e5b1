//! Both databases keep what the ports of the stores promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its database has failed")]

mod support;

mod sqlite {
    use super::support::Sqlite;

    mango_testkit::contract_suite!(Sqlite::new());
}

mod postgres {
    use super::support::Postgres;

    mango_testkit::contract_suite!(Postgres::new());
}
