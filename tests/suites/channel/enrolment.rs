//! Join tokens, signing requests and the CA itself.

use std::time::Duration;

use control_plane::clock::Clock;
use control_plane::db::Db;
use control_plane::domain::audit::Actor;
use control_plane::domain::secrets::{EnvelopeKey, service::Service as Secrets};
use control_plane::error::Error;
use control_plane::grpc::Config;
use control_plane::grpc::ca::Authority;
use mpanel_tests::channel::{hello, signing_request};
use mpanel_tests::databases;
use proto::agent::v1 as wire;
use proto::agent::v1::enrolment_client::EnrolmentClient;
use rcgen::KeyPair;
use tonic::Code;

use super::{audited, everywhere};

#[tokio::test]
async fn a_token_is_good_for_one_enrolment() {
    everywhere(async |plane| {
        let (server, command) = plane.server("pve1").await;
        let identity = plane.enrol(&command.token).await.unwrap();
        let refused = plane.enrol(&command.token).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("mpanel server token"), "{refused}");
        let unknown = plane.enrol("no token").await.err().unwrap();
        assert_eq!(refused.message(), unknown.message(), "a stranger does not learn which tokens there are");
        assert_eq!(audited(&plane.db, "server.enrolment_refused").await, 1);
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn of_eight_that_redeem_one_token_at_once_one_is_enrolled() {
    everywhere(async |plane| {
        let (_, command) = plane.server("pve1").await;
        let answers = futures::future::join_all((0..8).map(|_| plane.enrol(&command.token))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_that_expired_or_is_wrong_or_belongs_elsewhere_is_refused() {
    everywhere(async |plane| {
        let (_, one) = plane.server("pve1").await;
        let (_, two) = plane.server("pve2").await;
        let (id, _) = one.token.split_once('.').unwrap();
        let (_, secret) = two.token.split_once('.').unwrap();
        for wrong in [String::new(), "x".into(), format!("{id}.{secret}"), "a".repeat(5000), format!("{id}.\0")] {
            let refused = plane.enrol(&wrong).await.err().unwrap();
            assert!(matches!(refused.code(), Code::PermissionDenied | Code::InvalidArgument), "{wrong}: {refused}");
        }
        plane.clock.advance(Duration::from_secs(3601));
        let refused = plane.enrol(&one.token).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied);
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn an_unacceptable_signing_request_does_not_use_up_the_token() {
    everywhere(async |plane| {
        let (_, command) = plane.server("pve1").await;
        let mut forged = signing_request(&KeyPair::generate().unwrap(), "a.example");
        let last = forged.len() - 1;
        forged[last] ^= 1;
        for csr_der in [Vec::new(), b"garbage".to_vec(), forged, vec![0x30; 20_000]] {
            let mut client = EnrolmentClient::new(plane.connect(None).await.unwrap());
            let request = wire::EnrollRequest {
                token: command.token.clone(),
                csr_der: csr_der.into(),
                agent_version: String::new(),
            };
            let refused = client.enroll(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            assert!(refused.message().contains("csr_der"), "{refused}");
        }
        plane.enrol(&command.token).await.unwrap();
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_refused_again_and_again_has_to_wait() {
    everywhere(async |plane| {
        let (_, command) = plane.server("pve1").await;
        let mut refused = plane.enrol("no token").await.err().unwrap();
        for _ in 0..30 {
            if refused.code() == Code::ResourceExhausted {
                break;
            }
            refused = plane.enrol("no token").await.err().unwrap();
        }
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(plane.enrol(&command.token).await.err().unwrap().code(), Code::ResourceExhausted);
        plane.clock.advance(Duration::from_secs(61));
        plane.enrol(&command.token).await.unwrap();
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_enrols_again_keeps_its_record_and_its_old_certificate_expires() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        plane.clock.advance(Duration::from_hours(25));
        assert!(plane.session(&identity, hello("m")).await.is_err());
        let command = plane.servers.enrolment_token_create(&Actor::system("test"), server.id).await.unwrap();
        let identity = plane.enrol(&command.token).await.unwrap();
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn control_planes_that_start_at_once_end_with_one_ca() {
    for database in databases().await {
        let (config, clock, key) = (Config::default(), Clock::system(), EnvelopeKey::generate().unwrap());
        let mut secrets = Vec::new();
        for _ in 0..8 {
            let db = Db::open(&database.url).await.unwrap();
            secrets.push(Secrets::new(db, clock.clone(), key.clone()));
        }
        let all =
            futures::future::join_all(secrets.iter().map(|secrets| Authority::load(&config, secrets, clock.now())));
        let all: Vec<_> = all.await.into_iter().map(|authority| authority.unwrap().sha256()).collect();
        assert!(all.iter().all(|sha256| *sha256 == all[0]), "{all:?}");
    }
}

#[tokio::test]
async fn the_ca_of_another_key_is_not_replaced_but_refused() {
    for database in databases().await {
        let (config, clock) = (Config::default(), Clock::system());
        let db = Db::open(&database.url).await.unwrap();
        let load = async || {
            let secrets = Secrets::new(db.clone(), clock.clone(), EnvelopeKey::generate().unwrap());
            Authority::load(&config, &secrets, clock.now()).await
        };
        load().await.unwrap();
        let error = load().await.err().unwrap();
        assert!(matches!(&error, Error::Conflict { code: "secret_key_wrong", .. }), "{error:?}");
        assert!(error.to_string().contains("MPANEL_SECRET_KEY"), "{error}");
    }
}

#[tokio::test]
async fn a_ca_of_the_operator_s_own_is_used_and_an_unusable_one_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = rcgen::CertificateParams::default();
    let leaf = file("leaf.pem", params.self_signed(&key).unwrap().pem());
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = file("ca.pem", params.self_signed(&key).unwrap().pem());
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = file("expired.pem", params.self_signed(&key).unwrap().pem());
    let (key, other) = (file("key.pem", key.serialize_pem()), file("other.pem", other.serialize_pem()));

    let db = Db::open(&mpanel_tests::TestDatabase::sqlite().url).await.unwrap();
    let clock = Clock::system();
    let secrets = Secrets::new(db, clock.clone(), EnvelopeKey::generate().unwrap());
    let load = async |certificate: &std::path::Path, key: &std::path::Path| {
        let (ca_certificate, ca_key) = (Some(certificate.into()), Some(key.into()));
        let config = Config { ca_certificate, ca_key, ..Config::default() };
        Authority::load(&config, &secrets, clock.now()).await.map(|authority| authority.sha256())
    };
    assert_eq!(load(&ca, &key).await.unwrap().len(), 64);
    for (certificate, key, cause) in [
        (&leaf, &key, "not that of a CA"),
        (&ca, &other, "do not belong together"),
        (&expired, &key, "has expired"),
        (&ca, &folder.path().join("missing.pem"), "ca_key"),
        (&key, &key, "no certificate"),
    ] {
        let error = load(certificate, key).await.unwrap_err().to_string();
        assert!(error.contains(cause) && error.contains("agents.ca_"), "{error}");
    }
}
