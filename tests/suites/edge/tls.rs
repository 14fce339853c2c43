use std::path::Path;

use mpanel_tests::app::TOKEN;
use mpanel_tests::{TestApp, TestDatabase};
use reqwest::{Certificate, Client, Version};

/// Writes a new certificate of its own for localhost; as PEM, to be trusted.
fn write(dir: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(dir.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

/// A client that trusts nothing but this certificate, on a connection of its own.
async fn get(url: &str, trusted: &str) -> reqwest::Result<reqwest::Response> {
    let trusted = Certificate::from_pem(trusted.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([trusted]).build().unwrap();
    client.get(format!("{url}/metrics")).bearer_auth(TOKEN).send().await
}

#[tokio::test]
async fn https_speaks_http2_and_takes_a_new_certificate_while_it_runs() {
    let (database, dir) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let first = write(dir.path());
    let app = TestApp::start_with(&database, |config| {
        config.http.tls_certificate = Some(dir.path().join("tls.crt"));
        config.http.tls_key = Some(dir.path().join("tls.key"));
    })
    .await;
    let url = app.running.url();
    assert!(url.starts_with("https://"), "{url}");
    let answer = get(&url, &first).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));

    std::fs::write(dir.path().join("tls.crt"), "broken").unwrap();
    app.running.reload();
    assert_eq!(get(&url, &first).await.unwrap().status(), 200, "what is broken leaves the present one");

    let second = write(dir.path());
    app.running.reload();
    assert_eq!(get(&url, &second).await.unwrap().status(), 200);
    assert!(get(&url, &first).await.is_err(), "the first is no longer shown");
    app.stop().await;
}

#[tokio::test]
async fn plain_http_on_the_https_port_is_cut() {
    let (database, dir) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    write(dir.path());
    let app = TestApp::start_with(&database, |config| {
        config.http.tls_certificate = Some(dir.path().join("tls.crt"));
        config.http.tls_key = Some(dir.path().join("tls.key"));
    })
    .await;
    let plain = app.running.url().replace("https:", "http:");
    assert!(Client::new().get(format!("{plain}/healthz")).send().await.is_err());
    app.stop().await;
}
