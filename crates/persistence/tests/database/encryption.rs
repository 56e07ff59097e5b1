//! The connection to PostgreSQL is encrypted as `sslmode` and `sslrootcert` say.

mod postgres {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::path::{Path, PathBuf};

    use mango_persistence::{Database, Options};
    use mango_testkit::build::users;
    use mango_testkit::{PrivatePostgres, Stop};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use crate::support::stores;

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    /// A certificate that has signed itself, for `localhost`.
    fn issuer() -> Issuer {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A server that encrypts, with this certificate.
    struct Server {
        postgres: PrivatePostgres,
        url: String,
    }

    impl Server {
        fn start() -> Self {
            let postgres = PrivatePostgres::start();
            let url = postgres.url_for_new_database();
            for (setting, value) in [("ssl", "on"), ("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
                postgres.psql(&url, &format!("ALTER SYSTEM SET {setting} = '{value}'"));
            }
            postgres.psql(&url, "CREATE ROLE keyed LOGIN PASSWORD 's3cret'");
            postgres.psql(&url, "GRANT ALL ON SCHEMA public TO keyed");
            let rules = "host all keyed 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
            fs::write(postgres.folder().join("data/pg_hba.conf"), rules).unwrap();
            Self { postgres, url }
        }

        fn shows(&self, certificate: &str, key: &KeyPair) {
            let data = self.postgres.folder().join("data");
            let owner = fs::metadata(&data).unwrap();
            for (name, text) in [("server.crt", certificate), ("server.key", &key.serialize_pem())] {
                let file = data.join(name);
                fs::write(&file, text).unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
                chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
            self.postgres.stop(Stop::Fast);
            self.postgres.start_again();
        }

        /// Connects with these parameters; whether that is encrypted, or why it cannot be.
        async fn connect(&self, url: &str, parameters: &str) -> Result<bool, String> {
            connect(&self.postgres, &format!("{url}?{parameters}")).await
        }
    }

    async fn connect(postgres: &PrivatePostgres, url: &str) -> Result<bool, String> {
        let database = Database::connect(&url.parse().unwrap(), Options::default()).await.map_err(|e| e.to_string())?;
        let plain = url.split('?').next().unwrap();
        let encrypted = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                         WHERE application_name = 'mango' AND datname = current_database()";
        let encrypted = postgres.psql(&plain.replace("keyed:s3cret", "mango"), encrypted);
        database.close().await;
        assert!(["t", "f"].contains(&&*encrypted), "{encrypted:?}");
        Ok(encrypted == "t")
    }

    #[track_caller]
    fn check_refused(result: Result<bool, String>, says: &[&str]) {
        let error = result.unwrap_err();
        assert!(says.iter().all(|text| error.contains(text)), "{error}");
        assert!(!error.contains('\n') && !error.contains("s3cret"), "{error}");
    }

    fn write(folder: &Path, name: &str, pem: &str) -> PathBuf {
        let file = folder.join(name);
        fs::write(&file, pem).unwrap();
        file
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_without_certificate_is_used_unless_encryption_is_required() {
        let postgres = PrivatePostgres::shared();
        let url = postgres.url_for_new_database();
        for mode in ["", "sslmode=disable", "sslmode=prefer"] {
            assert_eq!(connect(postgres, &format!("{url}?{mode}")).await, Ok(false), "{mode}");
        }
        check_refused(connect(postgres, &format!("{url}?sslmode=require")).await, &["server does not support TLS"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_cannot_be_meant_is_said() {
        let postgres = PrivatePostgres::shared();
        let url = postgres.url_for_new_database();
        let folder = tempfile::tempdir().unwrap();
        let empty = write(folder.path(), "empty.pem", "").display().to_string();
        for (parameters, says) in [
            ("sslmode=allow", "sslmode must be disable, prefer, require, verify-ca or verify-full"),
            ("sslmode=verify-full", "sslmode=verify-full needs sslrootcert"),
            ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
            ("sslrootcert=/no/such.pem", "sslrootcert=/no/such.pem: No such file"),
            (&*format!("sslrootcert={empty}"), "there is no certificate in it"),
        ] {
            check_refused(connect(postgres, &format!("{url}?{parameters}")).await, &[says]);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_with_certificate_is_checked_as_far_as_is_asked() {
        let server = Server::start();
        let (authority, stranger) = (issuer(), issuer());
        let key = KeyPair::generate().unwrap();
        let issued = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        server.shows(&issued.pem(), &key);

        let folder = tempfile::tempdir().unwrap();
        let [known, unknown] = [("known.pem", &authority), ("unknown.pem", &stranger)]
            .map(|(name, issuer)| format!("sslrootcert={}", write(folder.path(), name, &issuer.pem()).display()));
        let by_address = server.url.clone();
        let by_name = by_address.replace("127.0.0.1", "localhost");
        for (url, parameters, encrypted) in [
            (&by_address, "", true),
            (&by_address, "sslmode=disable", false),
            (&by_address, "sslmode=prefer", true),
            (&by_address, "sslmode=require", true),
            (&by_address, &*format!("sslmode=require&{known}"), true),
            (&by_address, &*format!("sslmode=verify-ca&{known}"), true),
            (&by_name, &*format!("sslmode=verify-full&{known}"), true),
        ] {
            assert_eq!(server.connect(url, parameters).await, Ok(encrypted), "{url} {parameters}");
        }
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            for url in [&by_name, &by_address] {
                let refused = server.connect(url, &format!("sslmode={mode}&{unknown}")).await;
                check_refused(refused, &["TLS handshake: invalid peer certificate"]);
            }
        }
        let misnamed = server.connect(&by_address, &format!("sslmode=verify-full&{known}")).await;
        check_refused(misnamed, &["TLS handshake", "not valid for name"]);

        // A password is bound to the encrypted channel, which keeps whoever stands in between from using it.
        let keyed = by_address.replace("mango@", "keyed:s3cret@");
        assert_eq!(server.connect(&keyed, "sslmode=require&channel_binding=require").await, Ok(true));
        let mistaken = server.connect(&keyed.replace("s3cret", "s3crets"), "").await;
        check_refused(mistaken, &["password authentication failed", "check the password in DATABASE_URL"]);

        // What is written and migrated goes the same way.
        let url = format!("{by_name}?sslmode=verify-full&{known}").parse().unwrap();
        let database = Database::connect(&url, Options::default()).await.unwrap();
        assert!(!database.migrate().await.unwrap().is_empty());
        assert_eq!(users(&stores(&database), 3).await.len(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_certificate_that_has_signed_itself_is_known_when_it_is_in_the_file() {
        let server = Server::start();
        let own = issuer();
        server.shows(&own.pem(), own.key());
        let folder = tempfile::tempdir().unwrap();
        let known = format!("sslrootcert={}", write(folder.path(), "own.pem", &own.pem()).display());
        let by_name = server.url.replace("127.0.0.1", "localhost");
        assert_eq!(server.connect(&server.url, "sslmode=require").await, Ok(true));
        assert_eq!(server.connect(&server.url, &format!("sslmode=require&{known}")).await, Ok(true));
        assert_eq!(server.connect(&by_name, &format!("sslmode=verify-full&{known}")).await, Ok(true));
        let misnamed = server.connect(&server.url, &format!("sslmode=verify-full&{known}")).await;
        check_refused(misnamed, &["TLS handshake", "not valid for name"]);
    }
}
