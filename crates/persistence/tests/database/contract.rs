//! Both databases keep what the ports of the stores promise.

mod sqlite {
    use crate::support::Sqlite;

    mango_testkit::contract_suite!(Sqlite::new());
}

mod postgres {
    use crate::support::Postgres;

    mango_testkit::contract_suite!(Postgres::new());
}
