//! What the user of the URL is to PostgreSQL: how it gets in, and what it may do there.

mod postgres {
    use std::fs;

    use mango_persistence::{Database, DatabaseUrl, Options};
    use mango_testkit::{PrivatePostgres, Stop};

    /// A user who may look and not create is told who can change that.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_user_that_may_not_create_tables_is_told_so() {
        let server = PrivatePostgres::shared();
        let superusers = server.url_for_new_database();
        server.psql(&superusers, "CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        let url: DatabaseUrl = superusers.replace("mango@", "guest@").parse().unwrap();
        let name = superusers.rsplit('/').next().unwrap();
        let database = Database::connect(&url, Options::default()).await.unwrap();
        assert!(!database.facts().await.unwrap().may_create);
        let refused = database.migrate().await.unwrap_err().to_string();
        let remedy = format!("psql --command 'ALTER DATABASE \"{name}\" OWNER TO \"guest\"'");
        assert!(refused.contains("may not create tables") && refused.contains(&remedy), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");

        server.psql(&superusers, &format!("ALTER DATABASE {name} OWNER TO guest"));
        // Before PostgreSQL 15 the schema is not that of the database's owner; everybody may create in it, unless that was taken away.
        let before_15 = "IF current_setting('server_version_num')::int < 150000 THEN GRANT CREATE ON SCHEMA public TO guest; END IF;";
        server.psql(&superusers, &format!("DO $$ BEGIN {before_15} END $$"));
        assert!(database.facts().await.unwrap().may_create);
        assert!(!database.migrate().await.unwrap().is_empty());
    }

    /// Signs that mean something in a URL are written with a percent sign, and arrive as they are.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_password_of_any_signs_opens_the_database() {
        let server = PrivatePostgres::start();
        let url = server.url_for_new_database();
        server.psql(&url, "CREATE ROLE keyed LOGIN PASSWORD 's3@/?#%:cret'");
        let rules = "host all keyed 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        fs::write(server.folder().join("data/pg_hba.conf"), rules).unwrap();
        server.stop(Stop::Fast);
        server.start_again();
        let with = |password: &str| url.replace("mango@", &format!("keyed:{password}@")).parse().unwrap();
        Database::connect(&with("s3%40%2F%3F%23%25%3Acret"), Options::default()).await.unwrap();
        let refused = Database::connect(&with("s3cret"), Options::default()).await.unwrap_err().to_string();
        assert!(refused.contains("password authentication failed") && refused.contains("%40 %2F %3F %23"), "{refused}");
    }
}
