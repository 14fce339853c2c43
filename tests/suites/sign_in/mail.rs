use std::time::Duration;

use control_plane::domain::mail::{Letter, Tls};
use mpanel_tests::mailbox::Mailbox;
use mpanel_tests::{TestApp, TestDatabase, eventually};
use rcgen::{CertificateParams, KeyPair};

const PATIENCE: Duration = Duration::from_mins(1);

fn letter() -> Letter {
    Letter { kind: "test", subject: "Grüße".to_owned(), text: "Ein Link: https://panel.example.net/x#y\n".to_owned() }
}

#[tokio::test]
async fn a_mail_reaches_an_smtp_server_that_puts_it_off_at_first() {
    let (mailbox, database) = (Mailbox::start(&["--fail", "1"]).await, TestDatabase::sqlite());
    let app = TestApp::start_with(&database, |config| mailbox.configure(config)).await;
    assert!(app.running.app.mail.is_on());
    app.running.app.mail.mail_send("ann@example.net", letter());
    let mail = mailbox.next("ann@example.net").await;
    assert_eq!(mail["from"], "mPanel <mpanel@example.net>");
    assert_eq!((mail["subject"].as_str(), mail["automatic"].as_str()), (Some("Grüße"), Some("auto-generated")));
    assert!(mail["text"].as_str().unwrap().contains("Ein Link: https://panel.example.net/x#y"), "{mail}");
    app.stop().await;
}

#[tokio::test]
async fn mails_go_over_tls_with_a_password_to_a_server_whose_certificate_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(path("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(path("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(path("password"), "s3cret\n").unwrap();
    let (crt, key) = (path("tls.crt"), path("tls.key"));
    let mailbox = Mailbox::start(&["--certificate", &crt, "--key", &key, "--password", "s3cret"]).await;
    let database = TestDatabase::sqlite();
    let app = TestApp::start_with(&database, |config| {
        mailbox.configure(config);
        config.mail.host = Some("localhost".to_owned());
        config.mail.tls = Tls::Starttls;
        config.mail.ca_certificate = Some(crt.clone().into());
        config.mail.user = Some("mpanel".to_owned());
        config.mail.password_file = Some(path("password").into());
    });
    let app = app.await;
    app.running.app.mail.mail_send("ann@example.net", letter());
    let mail = mailbox.next("ann@example.net").await;
    assert_eq!((mail["tls"].as_bool(), mail["user"].as_str()), (Some(true), Some("mpanel")));
    app.stop().await;
    // Nobody vouches for this certificate: nothing is sent, and the password is not shown.
    let app = TestApp::start_with(&database, |config| {
        mailbox.configure(config);
        config.mail.host = Some("localhost".to_owned());
        config.mail.tls = Tls::Starttls;
    });
    let app = app.await;
    app.running.app.mail.mail_send("ann@example.net", letter());
    app.stop().await;
    assert!(mailbox.is_empty().await);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_counted_and_audited() {
    let (mailbox, database) = (Mailbox::start(&["--refuse"]).await, TestDatabase::sqlite());
    let app = TestApp::start_with(&database, |config| mailbox.configure(config)).await;
    app.running.app.mail.mail_send("ann@example.net", letter());
    eventually("the loss to be counted", PATIENCE, async || {
        let lost = app.api.metric("mpanel_mails_total{kind=\"test\",outcome=\"lost\"").await;
        (lost >= 1.0).then_some(())
    })
    .await;
    app.stop().await;
    let rows = mpanel_tests::signing_in::audited(&database, "mail.lost").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("not here") && rows[0].contains("ann@example.net"), "{rows:?}");
}
