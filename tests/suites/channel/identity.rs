//! Who is let in, and for how long.

use std::time::Duration;

use control_plane::clock::Ms;
use control_plane::domain::audit::Actor;
use control_plane::domain::servers::ConnectionState;
use control_plane::grpc::Config;
use control_plane::grpc::ca::IssuedWithKey;
use control_plane::ids::InstanceId;
use control_plane::loops::Loop as _;
use mpanel_tests::channel::{Agent, Identity, Plane, SOON, client_tls, connect, hello, signing_request};
use mpanel_tests::eventually;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::agent_message::Body as Up;
use proto::plane::v1::plane_client::PlaneClient;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls_pki_types::CertificateDer;
use tonic::Code;

use super::{audited, everywhere, everywhere_with};

async fn renew(plane: &Plane, identity: &Identity) -> Result<Identity, tonic::Status> {
    let key = KeyPair::generate().unwrap();
    let csr_der = signing_request(&key, "spiffe.example").into();
    let mut client = AgentClient::new(plane.connect(Some(identity)).await?);
    let renewed = client.renew(wire::RenewRequest { csr_der }).await?.into_inner();
    Ok(Identity::new(&key, vec![CertificateDer::from(renewed.certificate_der.to_vec())], Ms(renewed.not_after_ms)))
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_is_open() {
    everywhere(async |plane| {
        let channel = plane.connect(None).await.unwrap();
        let refused = Agent::open(channel.clone(), hello("m")).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        assert!(refused.message().contains("enrol"), "{refused}");
        let refused = AgentClient::new(channel).renew(wire::RenewRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        plane.stop(()).await;
    })
    .await;
}

/// A CA of a stranger's, and a certificate of it that bears a server's name.
fn forged(name: &str) -> Identity {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Identity::new(&key, vec![certificate.der().clone()], Ms(i64::MAX))
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_even_with_the_right_name() {
    everywhere(async |plane| {
        let (server, _) = plane.agent("pve1").await;
        let before = plane.show(&server).await.seen.session_epoch;
        let identity = forged(&format!("spiffe://mpanel/server/{}", server.id));
        assert!(plane.session(&identity, hello("m")).await.is_err());
        assert_eq!(plane.show(&server).await.seen.session_epoch, before);
        plane.stop(()).await;
    })
    .await;
}

fn own(issued: IssuedWithKey) -> Identity {
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(issued.key.secret_der().to_vec());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    Identity::new(&key, issued.chain, issued.not_after)
}

#[tokio::test]
async fn the_listener_s_own_certificate_is_no_agent_s() {
    everywhere(async |plane| {
        let issued = plane.authority.issue_to_server(&["127.0.0.1".into()], plane.clock.now()).unwrap();
        assert!(plane.session(&own(issued), hello("m")).await.is_err());
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn agents_and_control_planes_call_each_only_what_is_theirs() {
    everywhere(async |plane| {
        let call = async |identity: Option<&Identity>| {
            let mut client = PlaneClient::new(plane.connect(identity).await.unwrap());
            client.console(tokio_stream::empty()).await.err().unwrap().code()
        };
        let (_, agent) = plane.agent("pve1").await;
        assert_eq!(call(Some(&agent)).await, Code::PermissionDenied);
        assert_eq!(call(None).await, Code::PermissionDenied);
        let other = own(plane.authority.issue_to_plane(InstanceId::generate(), plane.clock.now()).unwrap());
        assert_eq!(call(Some(&other)).await, Code::InvalidArgument, "it is let in, and says nothing");
        let refused = plane.session(&other, hello("m")).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_was_never_recorded_opens_no_session() {
    everywhere(async |plane| {
        let (server, _) = plane.agent("pve1").await;
        let key = KeyPair::generate().unwrap();
        let csr = control_plane::grpc::ca::SigningRequest::parse(&signing_request(&key, "a.example")).unwrap();
        let issued = plane.authority.issue_to_agent(&csr, server.id, plane.clock.now()).unwrap();
        let identity = Identity::new(&key, vec![issued.certificate], issued.not_after);
        assert!(plane.session(&identity, hello("m")).await.is_err());
        assert_eq!(renew(&plane, &identity).await.err().unwrap().code(), Code::Unauthenticated);
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_in_the_handshake() {
    everywhere(async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        plane.session(&identity, hello("m")).await.unwrap();
        plane.clock.advance(Duration::from_secs(24 * 3600 + 1));
        assert!(plane.session(&identity, hello("m")).await.is_err());
        assert!(renew(&plane, &identity).await.is_err());
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_revocation_ends_the_session_at_once_and_the_certificate_for_good() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        plane.servers.certificates_revoke(&Actor::system("test"), server.id).await.unwrap();
        let (go_away, status) = agent.end().await;
        assert_eq!(go_away.unwrap().reason(), wire::GoAwayReason::Revoked);
        assert_eq!(status.unwrap().code(), Code::Unauthenticated);
        let refused = plane.session(&identity, hello("m")).await.err().unwrap();
        assert!(refused.message().contains("revoked"), "{refused}");
        assert_eq!(renew(&plane, &identity).await.err().unwrap().code(), Code::Unauthenticated);
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn deleting_a_server_ends_its_session_and_its_agent_stays_out() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        plane.servers.server_delete(&Actor::system("test"), server.id, None, None).await.unwrap();
        assert_eq!(agent.end().await.0.unwrap().reason(), wire::GoAwayReason::Revoked);
        assert!(plane.session(&identity, hello("m")).await.is_err());
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn a_renewal_keeps_the_session_and_without_one_it_ends_with_the_certificate() {
    everywhere(async |plane| {
        let (renewing, identity) = plane.agent("pve1").await;
        let (negligent, other) = plane.agent("pve2").await;
        let (mut first, _) = plane.session(&identity, hello("m1")).await.unwrap();
        let (mut second, _) = plane.session(&other, hello("m2")).await.unwrap();
        plane.clock.advance(Duration::from_hours(12));
        let renewed = renew(&plane, &identity).await.unwrap();
        assert!(renewed.not_after > identity.not_after);
        plane.clock.advance(Duration::from_hours(13));
        plane.renewals.run_once().await.unwrap();
        first.alive(&plane, &renewing).await;
        let (go_away, _) = second.end().await;
        assert!(go_away.unwrap().message.contains("expired"));
        assert!(plane.session(&other, hello("m2")).await.is_err());
        let (mut next, _) = plane.session(&renewed, hello("m1")).await.unwrap();
        next.alive(&plane, &renewing).await;
        assert!(plane.hub_has(&renewing) && !plane.hub_has(&negligent));
        plane.stop((first, second, next)).await;
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_was_renewed_at_another_control_plane_keeps_the_session() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        plane.clock.advance(Duration::from_hours(25));
        let ends_at = plane.clock.now().plus(Duration::from_hours(1));
        let mut tx = plane.db.begin().await.unwrap();
        plane.servers.certificate_record(&mut tx, server.id, "0123", ends_at).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(plane.renewals.run_once().await.unwrap().done, 0);
        agent.alive(&plane, &server).await;
        plane.clock.advance(Duration::from_secs(3601));
        assert_eq!(plane.renewals.run_once().await.unwrap().done, 1);
        assert!(agent.end().await.0.unwrap().message.contains("expired"));
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_renews_without_end_is_held_back() {
    everywhere(async |plane| {
        let (_, identity) = plane.agent("pve1").await;
        let mut codes = Vec::new();
        for _ in 0..12 {
            codes.push(renew(&plane, &identity).await.err().map(|status| status.code()));
        }
        assert_eq!(codes[0], None);
        assert_eq!(codes[11], Some(Code::ResourceExhausted));
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn the_listener_renews_its_certificate_and_connections_stay() {
    let long = |config: &mut Config| config.certificate_lifetime = Duration::from_hours(1440);
    everywhere_with(long, async |plane| {
        let shown = async || {
            let tls = client_tls(plane.authority.certificate(), None, &plane.clock);
            let stream = tokio::net::TcpStream::connect(plane.address).await.unwrap();
            let name = rustls_pki_types::ServerName::IpAddress(plane.address.ip().into());
            let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await.unwrap();
            stream.get_ref().1.peer_certificates().unwrap().to_vec()
        };
        let (server, identity) = plane.agent("pve1").await;
        let before = shown().await;
        assert_eq!(before[1], *plane.authority.certificate(), "the CA is shown, for enrolling agents to pin");
        let (mut agent, _) = plane.session(&identity, hello("m")).await.unwrap();
        assert_eq!(plane.renewals.run_once().await.unwrap().done, 0);
        assert_eq!(shown().await, before);
        plane.clock.advance(Duration::from_hours(384));
        assert_eq!(plane.renewals.run_once().await.unwrap().done, 1);
        assert_ne!(shown().await[0], before[0]);
        agent.alive(&plane, &server).await;
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    everywhere(async |plane| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(plane.authority.certificate().clone()).unwrap();
        let old = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        assert!(connect(plane.address, old.into()).await.is_err());
        plane.stop(()).await;
    })
    .await;
}

#[tokio::test]
async fn a_host_s_newer_session_takes_over_from_its_older_one() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut older, first) = plane.session(&identity, hello("m")).await.unwrap();
        let (mut newer, second) = plane.session(&identity, hello("m")).await.unwrap();
        assert!(second.session_epoch > first.session_epoch);
        let (go_away, _) = older.end().await;
        assert_eq!(go_away.unwrap().reason(), wire::GoAwayReason::Superseded);
        newer.alive(&plane, &server).await;
        // What the older says now is not heard.
        older
            .say(Up::Heartbeat(wire::Heartbeat { node_name: "ghost".into(), quorate: true, ..Default::default() }))
            .await;
        newer.alive(&plane, &server).await;
        assert_eq!(plane.show(&server).await.seen.node_name, None);
        plane.stop((older, newer)).await;
    })
    .await;
}

#[tokio::test]
async fn the_end_of_an_older_session_is_not_taken_for_that_of_the_newer() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut older, _) = plane.session(&identity, hello("m")).await.unwrap();
        let beat = || wire::Heartbeat { node_name: "pve1".into(), quorate: true, ..Default::default() };
        older.say(Up::Heartbeat(beat())).await;
        eventually("the heartbeat is heard", SOON, async || plane.servers.heartbeat_newest(server.id).map(|_| ()))
            .await;
        // The host is back at once, and was not heard yet when it is looked who was.
        let (mut newer, _) = plane.session(&identity, hello("m")).await.unwrap();
        older.end().await;
        plane.servers.health_run().await.unwrap();
        newer.alive(&plane, &server).await;
        newer.say(Up::Heartbeat(beat())).await;
        newer.alive(&plane, &server).await;
        plane.servers.health_run().await.unwrap();
        newer.alive(&plane, &server).await;
        plane.stop((older, newer)).await;
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_a_host_is_kept_out_and_the_first_one_works_on() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut own, _) = plane.session(&identity, hello("machine-1")).await.unwrap();
        for _ in 0..2 {
            let refused = plane.session(&identity, hello("machine-2")).await.err().unwrap();
            assert!(refused.message().contains("mpanel server token pve1"), "{refused}");
        }
        let shown = plane.show(&server).await;
        assert!(shown.problem.contains("machine-1") && shown.problem.contains("machine-2"), "{}", shown.problem);
        assert_eq!(shown.connection.state, ConnectionState::Online);
        assert_eq!(audited(&plane.db, "server.identity_shared").await, 1);
        own.alive(&plane, &server).await;
        drop(own);
        eventually("the session is gone", SOON, async || (!plane.hub_has(&server)).then_some(())).await;
        // Nor when the first one is away: what is out at it waits for it, or for an enrolment.
        assert!(plane.session(&identity, hello("machine-2")).await.is_err());
        assert!(!plane.hub_has(&server));
        let command = plane.servers.enrolment_token_create(&Actor::system("test"), server.id).await.unwrap();
        let moved = plane.enrol(&command.token).await.unwrap();
        let (mut agent, _) = plane.session(&moved, hello("machine-2")).await.unwrap();
        agent.alive(&plane, &server).await;
        assert_eq!(plane.show(&server).await.problem, "");
        assert!(plane.session(&identity, hello("machine-1")).await.is_err(), "the old certificate counts no more");
        plane.stop(agent).await;
    })
    .await;
}

#[tokio::test]
async fn an_enrolment_ends_the_session_of_what_was_enrolled_before_at_once() {
    everywhere(async |plane| {
        let (server, identity) = plane.agent("pve1").await;
        let (mut agent, _) = plane.session(&identity, hello("machine-1")).await.unwrap();
        let command = plane.servers.enrolment_token_create(&Actor::system("test"), server.id).await.unwrap();
        agent.alive(&plane, &server).await;
        plane.enrol(&command.token).await.unwrap();
        assert_eq!(agent.end().await.0.unwrap().reason(), wire::GoAwayReason::Revoked);
        plane.stop(agent).await;
    })
    .await;
}
