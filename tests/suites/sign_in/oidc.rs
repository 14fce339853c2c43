use control_plane::domain::oidc;
use control_plane::ids::UserId;
use mpanel_tests::oidc_provider::{Browser, OidcProvider};
use mpanel_tests::signing_in::{PASSWORD, audited, person, signed_in, suspend};
use mpanel_tests::{Answer, TestApp, TestDatabase, databases};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

pub const PANEL: &str = "https://panel.example.net";
pub const ACCESS: &str = "__Host-mpanel_access";
const ANN: &str = "ann@example.net";

/// Of a provider that asks for no secret of ours.
pub fn settings(issuer: &str) -> oidc::Config {
    oidc::Config {
        name: "corp".to_owned(),
        issuer: issuer.to_owned(),
        client_id: "mpanel".to_owned(),
        client_secret_file: None,
        ca_certificate: None,
        email_domains: Vec::new(),
        staff: false,
    }
}

struct Rig {
    app: TestApp,
    provider: OidcProvider,
    _dir: tempfile::TempDir,
}

impl Rig {
    async fn start(database: &TestDatabase, change: impl FnOnce(&mut oidc::Config)) -> Self {
        let provider = OidcProvider::start("mpanel", "s3cret", &format!("{PANEL}/api/auth/oidc/corp/callback")).await;
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "s3cret\n").unwrap();
        let mut config = settings(&provider.issuer);
        config.client_secret_file = Some(secret);
        change(&mut config);
        let app = TestApp::start_with(database, |all| {
            all.http.public_url = Some(PANEL.to_owned());
            all.oidc = vec![config];
        });
        Self { app: app.await, provider, _dir: dir }
    }

    /// The address of the control plane in place of the console's.
    fn here(&self, url: &Url) -> Url {
        assert_eq!(url.origin().ascii_serialization(), PANEL);
        let mut here = Url::parse(&self.app.api.url).unwrap();
        here.set_path(url.path());
        here.set_query(url.query());
        here
    }

    /// Sends a browser to the provider; where that sends it back to.
    async fn there_and_back(&self, browser: &mut Browser, who: &Value) -> Url {
        self.provider.person(who).await;
        let start = Url::parse(&format!("{}/api/auth/oidc/corp/start", self.app.api.url)).unwrap();
        let to = browser.until_it_leaves(&start).await;
        self.here(&browser.until_it_leaves(&to).await)
    }

    /// Signs somebody in by the provider; the browser, and what the control plane answered.
    async fn sign_in(&self, who: &Value) -> (Browser, Answer) {
        let mut browser = Browser::default();
        let back = self.there_and_back(&mut browser, who).await;
        let answer = self.arrive(&mut browser, &back).await;
        (browser, answer)
    }

    /// Sets out by a provider.
    async fn start_by(&self, name: &str) -> Answer {
        let start = Url::parse(&format!("{}/api/auth/oidc/{name}/start", self.app.api.url)).unwrap();
        self.arrive(&mut Browser::default(), &start).await
    }

    async fn arrive(&self, browser: &mut Browser, back: &Url) -> Answer {
        let answer = browser.get(back).await;
        let (status, headers, text) = (answer.status(), answer.headers().clone(), answer.text().await.unwrap());
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// Who the browser is signed in as.
    async fn me(&self, browser: &Browser) -> Value {
        let site = Url::parse(&self.app.api.url).unwrap();
        let cookie = format!("{ACCESS}={}", browser.cookie(&site, ACCESS).unwrap());
        let request = self.app.api.anonymous(Method::GET, "/api/auth/me").header("Cookie", cookie);
        mpanel_tests::app::send(request).await.expect(200)
    }
}

/// Nobody is let in: the browser is sent to the page where they can begin anew, which is told why.
pub fn expect_turned_away(answer: &Answer, code: &str) {
    let page = format!("{PANEL}/sign-in#oidc={code}");
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, page.as_str()), "{}", answer.text);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap()).collect();
    assert!(cookies.len() == 1 && cookies[0].contains("Max-Age=0"), "the journey is over: {cookies:?}");
}

fn ann() -> Value {
    json!({"sub": "ann-1", "email": "Ann@Example.net", "email_verified": true, "name": "Ann"})
}

#[tokio::test]
async fn somebody_whom_the_provider_vouches_for_comes_in_as_who_they_are_here() {
    for database in databases().await {
        let rig = Rig::start(&database, |_| {}).await;
        let listed = mpanel_tests::app::send(rig.app.api.anonymous(Method::GET, "/api/auth/oidc")).await.expect(200);
        assert_eq!(listed["items"][0]["name"], "corp");
        let (_, nobody) = rig.sign_in(&ann()).await;
        expect_turned_away(&nobody, "unauthorized");
        let id = person(&rig.app, ANN, "OWNER").await;
        let (browser, answer) = rig.sign_in(&ann()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "https://panel.example.net/"));
        let me = rig.me(&browser).await;
        assert_eq!((me["user"]["id"].as_str(), me["staff"].as_bool()), (Some(id.to_string().as_str()), Some(false)));
        // From now on they are known by what never changes, whatever their address is there.
        let renamed = json!({"sub": "ann-1", "email": "other@example.net", "email_verified": true});
        let (browser, _) = rig.sign_in(&renamed).await;
        assert_eq!(rig.me(&browser).await["user"]["id"], id.to_string());
        suspend(&rig.app, id).await;
        expect_turned_away(&rig.sign_in(&ann()).await.1, "unauthorized");
        rig.app.stop().await;
        assert_eq!(audited(&database, "user.identity_linked").await.len(), 1);
        assert!(audited(&database, "session.started").await[0].contains("oidc:corp"));
    }
}

#[tokio::test]
async fn an_address_that_the_provider_has_not_verified_or_of_another_domain_lets_nobody_in() {
    for database in databases().await {
        let rig = Rig::start(&database, |config| config.email_domains = vec!["Example.net".to_owned()]).await;
        person(&rig.app, ANN, "OWNER").await;
        person(&rig.app, "ann@evil.example", "OWNER").await;
        for who in [
            json!({"sub": "x", "email": ANN, "email_verified": false}),
            json!({"sub": "x", "email": ANN}),
            json!({"sub": "x"}),
            json!({"sub": "x", "email": "ann@evil.example", "email_verified": true}),
            json!({"sub": "x", "email": "ann@example.net@evil.example", "email_verified": true}),
        ] {
            let (browser, answer) = rig.sign_in(&who).await;
            expect_turned_away(&answer, "unauthorized");
            assert!(browser.cookie(&Url::parse(&rig.app.api.url).unwrap(), ACCESS).is_none(), "{who}");
        }
        assert_eq!(rig.sign_in(&ann()).await.1.status.as_u16(), 303);
        rig.app.stop().await;
    }
}

#[tokio::test]
async fn an_account_that_may_be_somebody_else_s_is_not_taken_for_the_address_owner_s() {
    for database in databases().await {
        let rig = Rig::start(&database, |_| {}).await;
        let boss = person(&rig.app, "boss@example.net", "OWNER").await;
        let boss = signed_in(&rig.app, &boss.to_string()).await;
        // Whoever invites was shown the link, and accepts in ann's name.
        let wish = json!({"email": ANN, "role": "MEMBER"});
        let token = boss.post("/api/users/invite", &wish).await.expect(201)["token"].clone();
        let body = json!({"token": token, "name": "Ann", "password": PASSWORD});
        boss.post("/api/users/invite/accept", &body).await.expect(200);
        expect_turned_away(&rig.sign_in(&ann()).await.1, "unauthorized");
        rig.app.stop().await;
        assert!(audited(&database, "user.identity_linked").await.is_empty());
        let refused = audited(&database, "sign_in.refused").await;
        assert!(refused.len() == 1 && refused[0].contains("address_unproven"), "{refused:?}");
    }
}

#[tokio::test]
async fn staff_come_in_only_by_a_provider_that_is_for_staff() {
    for database in databases().await {
        for staff in [false, true] {
            let rig = Rig::start(&database, |config| config.staff = staff).await;
            let email = format!("staff-{staff}@example.net");
            let id = person(&rig.app, &email, "MEMBER").await;
            make_staff(&rig.app, id).await;
            let (browser, answer) = rig.sign_in(&json!({"sub": email, "email": email, "email_verified": true})).await;
            if staff {
                assert_eq!(rig.me(&browser).await["staff"], true);
            } else {
                expect_turned_away(&answer, "unauthorized");
            }
            rig.app.stop().await;
        }
    }
}

async fn make_staff(app: &TestApp, user: UserId) {
    const SQL: &str = "UPDATE users SET platform_role = 'PLATFORM_ADMIN' WHERE id = $1";
    let mut tx = app.running.app.db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), SQL, user).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn nobody_comes_in_by_another_s_way() {
    for database in databases().await {
        let rig = Rig::start(&database, |_| {}).await;
        person(&rig.app, ANN, "OWNER").await;
        let (mut ann_s, mut other) = (Browser::default(), Browser::default());
        let back = rig.there_and_back(&mut ann_s, &ann()).await;
        // Another browser has not gone there, or went another way.
        expect_turned_away(&rig.arrive(&mut other, &back).await, "unauthorized");
        rig.there_and_back(&mut other, &ann()).await;
        expect_turned_away(&rig.arrive(&mut other, &back).await, "unauthorized");
        let mut forged = back.clone();
        let pairs: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        let changed = pairs.iter().map(|(k, v)| (k, if k == "code" { format!("{v}x") } else { v.clone() }));
        forged.query_pairs_mut().clear().extend_pairs(changed);
        expect_turned_away(&rig.arrive(&mut ann_s, &forged).await, "unauthorized");
        let mut denied = back.clone();
        denied.set_query(Some("error=access_denied&state=x"));
        expect_turned_away(&rig.arrive(&mut ann_s, &denied).await, "unauthorized");
        denied.set_query(Some("error=a&error=b"));
        expect_turned_away(&rig.arrive(&mut ann_s, &denied).await, "invalid");
        rig.app.stop().await;
    }
}

#[tokio::test]
async fn a_provider_that_is_away_or_another_than_it_says_is_named() {
    let database = TestDatabase::sqlite();
    let rig = Rig::start(&database, |config| config.issuer = "http://127.0.0.1:1".to_owned()).await;
    expect_turned_away(&rig.start_by("corp").await, "unavailable");
    expect_turned_away(&rig.start_by("none").await, "not_found");
    rig.app.stop().await;
    let rig = Rig::start(&database, |config| config.issuer = config.issuer.replace("127.0.0.1", "localhost")).await;
    expect_turned_away(&rig.start_by("corp").await, "unavailable");
    rig.app.stop().await;
}
