//! The encryption of the connection to PostgreSQL, as `sslmode` and `sslrootcert` in its URL want it. They mean what they mean to
//! PostgreSQL's own clients; `docs/operations.md` has the list.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, client};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use crate::Reason;

/// Reads the URL: how to connect, and how to encrypt the connection.
pub(super) async fn of(url: &str) -> Result<(Config, MakeRustlsConnect), Reason> {
    let Parameters { rest, mode, roots } = Parameters::of(url);
    let mut config: Config = rest.parse()?;
    config.ssl_mode(match &*mode {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" | "verify-ca" | "verify-full" => SslMode::Require,
        _ => return Err("sslmode must be disable, prefer, require, verify-ca or verify-full".into()),
    });
    let provider = Arc::new(ring::default_provider());
    let trust = match roots {
        Some(file) => Some(Trust::read(&file, mode == "verify-full", &provider).await?),
        None if mode.starts_with("verify") => {
            return Err(format!("sslmode={mode} needs sslrootcert, a file of certificates in PEM format").into());
        }
        None => None,
    };
    let verifier = Arc::new(Verifier { trust, provider: Arc::clone(&provider) });
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = tls.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok((config, MakeRustlsConnect::new(tls)))
}

/// A URL without the parameters that are read here.
struct Parameters {
    rest: String,
    mode: String,
    roots: Option<String>,
}

impl Parameters {
    fn of(url: &str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut rest, mut mode, mut roots) = (Vec::new(), "prefer".to_owned(), None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            // A plus is a plus, as in every URL that is not a form.
            let decoded = pair.replace('+', "%2B");
            match form_urlencoded::parse(decoded.as_bytes()).next() {
                Some((name, value)) if name == "sslmode" => mode = value.into_owned(),
                Some((name, value)) if name == "sslrootcert" => roots = Some(value.into_owned()),
                _ => rest.push(pair),
            }
        }
        Self { rest: format!("{base}?{}", rest.join("&")), mode, roots }
    }
}

/// Whose certificates are good.
#[derive(Debug)]
struct Trust {
    /// The certificates of the file.
    file: Vec<CertificateDer<'static>>,
    /// Knows whether they have issued another.
    issued: Arc<WebPkiServerVerifier>,
    /// Whether the name of the host must be in it.
    named: bool,
}

impl Trust {
    async fn read(path: &str, named: bool, provider: &Arc<CryptoProvider>) -> Result<Self, Reason> {
        let wrong = |reason: &dyn std::fmt::Display| format!("sslrootcert={path}: {reason}");
        let pem = tokio::fs::read(path).await.map_err(|error| wrong(&error))?;
        let file: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let file = file.map_err(|error| wrong(&error))?;
        let mut roots = RootCertStore::empty();
        if roots.add_parsable_certificates(file.iter().cloned()).0 == 0 {
            return Err(wrong(&"there is no certificate in it").into());
        }
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?;
        Ok(Self { file, issued, named })
    }
}

/// Looks at the certificate that the server shows.
#[derive(Debug)]
struct Verifier {
    /// `None` when anybody's will do. Then a signature by it proves nothing either.
    trust: Option<Trust>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        // A server often has signed its own certificate, which then is in the file itself. It is no authority and has no other.
        if trust.file.contains(certificate) {
            if trust.named {
                client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match trust.issued.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last, when all the rest is in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !trust.named => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.trust {
            Some(trust) => trust.issued.verify_tls12_signature(message, certificate, signature),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.trust {
            Some(trust) => trust.issued.verify_tls13_signature(message, certificate, signature),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, rest: &str, mode: &str, roots: Option<&str>) {
        let found = Parameters::of(url);
        assert_eq!((&*found.rest, &*found.mode, found.roots.as_deref()), (rest, mode, roots), "{url}");
    }

    #[test]
    fn only_the_parameters_of_encryption_are_taken_from_a_url() {
        check("postgres://h/db", "postgres://h/db?", "prefer", None);
        check("postgres://h/db?sslmode=require", "postgres://h/db?", "require", None);
        check(
            "postgres://h/db?options=-c%20a=b+c&sslrootcert=/a%20b+c.pem&sslmode=verify-full&connect_timeout=3",
            "postgres://h/db?options=-c%20a=b+c&connect_timeout=3",
            "verify-full",
            Some("/a b+c.pem"),
        );
    }
}
