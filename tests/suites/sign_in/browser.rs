use std::collections::BTreeMap;

use mpanel_tests::app::send;
use mpanel_tests::signing_in::{PASSWORD, person, try_sign_in_with};
use mpanel_tests::{Answer, Api, TestApp, databases};
use reqwest::Method;
use serde_json::json;

const ANN: &str = "ann@example.net";

/// A browser: its cookies, and the page's script that knows one of them.
struct Browser {
    api: Api,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn sign_in(api: &Api) -> Self {
        let answer = try_sign_in_with(api, json!({"email": ANN, "password": PASSWORD, "cookies": true})).await;
        let mut browser = Self { api: api.clone(), cookies: BTreeMap::new() };
        browser.take(&answer);
        let body = answer.expect(200);
        assert!(body["access_token"].is_null() && body["refresh_token"].is_null(), "{body}");
        assert_eq!(body["csrf_token"].as_str(), Some(browser.csrf().as_str()));
        browser
    }

    fn take(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn csrf(&self) -> String {
        self.cookies["mpanel_csrf"].clone()
    }

    async fn asks(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.api.anonymous(method, path).header("Cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    }
}

#[tokio::test]
async fn a_cookie_changes_something_only_with_what_other_sites_cannot_show() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let (browser, other) = (Browser::sign_in(&app.api).await, Browser::sign_in(&app.api).await);
        browser.asks(Method::GET, "/api/auth/me", &[]).await.expect(200);
        let (csrf, others) = (browser.csrf(), other.csrf());
        for headers in [
            vec![],
            vec![("X-CSRF-Token", "x")],
            vec![("X-CSRF-Token", others.as_str())],
            vec![("X-CSRF-Token", csrf.as_str()), ("Sec-Fetch-Site", "cross-site")],
            vec![("X-CSRF-Token", csrf.as_str()), ("Sec-Fetch-Site", "same-site")],
            vec![("X-CSRF-Token", csrf.as_str()), ("Origin", "https://evil.example")],
        ] {
            for path in ["/api/auth/logout", "/api/auth/refresh"] {
                browser.asks(Method::POST, path, &headers).await.expect_problem(403, "forbidden");
            }
        }
        let session = browser.asks(Method::GET, "/api/auth/me", &[]).await.expect(200)["session_id"].clone();
        let path = format!("/api/auth/sessions/{}", session.as_str().unwrap());
        browser.asks(Method::DELETE, &path, &[]).await.expect_problem(403, "forbidden");
        let own = [("X-CSRF-Token", csrf.as_str()), ("Sec-Fetch-Site", "same-origin")];
        let ended = browser.asks(Method::POST, "/api/auth/logout", &own).await;
        ended.expect_status(204);
        assert_eq!(ended.headers.get_all("set-cookie").iter().count(), 3);
        browser.asks(Method::GET, "/api/auth/me", &[]).await.expect_problem(401, "unauthorized");
        other.asks(Method::GET, "/api/auth/me", &[]).await.expect(200);
        app.stop().await;
    }
}

#[tokio::test]
async fn a_browser_refreshes_by_its_cookie() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        person(&app, ANN, "OWNER").await;
        let mut browser = Browser::sign_in(&app.api).await;
        let before = browser.cookies.clone();
        let csrf = browser.csrf();
        let answer = browser.asks(Method::POST, "/api/auth/refresh", &[("X-CSRF-Token", &csrf)]).await;
        answer.expect_status(200);
        browser.take(&answer);
        assert_ne!(before["mpanel_refresh"], browser.cookies["mpanel_refresh"]);
        let csrf = browser.csrf();
        browser.asks(Method::POST, "/api/auth/logout", &[("X-CSRF-Token", &csrf)]).await.expect_status(204);
        app.stop().await;
    }
}

#[tokio::test]
async fn cookies_are_hidden_from_scripts_and_kept_to_their_paths_and_to_tls() {
    let https = Some("https://panel.example.net");
    for (behind_proxy, public_url) in
        [(false, None), (false, Some("http://127.0.0.1:8080")), (true, None), (false, https), (true, https)]
    {
        let is_secure = behind_proxy || public_url == https;
        let (prefix, secure) = if is_secure { ("__Host-", "; Secure") } else { ("", "") };
        let database = mpanel_tests::TestDatabase::sqlite();
        let app = TestApp::start_with(&database, |config| {
            config.http.behind_proxy = behind_proxy;
            config.http.public_url = public_url.map(str::to_owned);
        })
        .await;
        person(&app, ANN, "OWNER").await;
        let body = json!({"email": ANN, "password": PASSWORD, "cookies": true});
        let answer = try_sign_in_with(&app.api, body.clone()).await;
        let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        let find =
            |name: &str| *set.iter().find(|cookie| cookie.contains(name)).unwrap_or_else(|| panic!("{name}: {set:?}"));
        let access = find("mpanel_access=");
        assert!(access.starts_with(&format!("{prefix}mpanel_access=")), "{access}");
        assert!(
            access.contains("; Path=/; ") && access.ends_with(&format!("; SameSite=Lax{secure}; HttpOnly")),
            "{access}"
        );
        let refresh = find("mpanel_refresh=");
        assert!(refresh.contains("; Path=/api/auth; ") && refresh.contains("; SameSite=Strict"), "{refresh}");
        assert!(refresh.ends_with("; HttpOnly") && refresh.contains("; Secure") == is_secure, "{refresh}");
        assert!(!find("mpanel_csrf=").contains("HttpOnly"));
        // Another site cannot sign a browser in as somebody else.
        let elsewhere =
            app.api.anonymous(Method::POST, "/api/auth/login").header("Origin", "https://evil.example").json(&body);
        send(elsewhere).await.expect_problem(403, "forbidden");
        app.stop().await;
    }
}
