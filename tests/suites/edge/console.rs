//! The web console, as `tests/run` builds it: the page, its files and its policy. What it does is for the browser's tests.

use mpanel_tests::TestApp;
use mpanel_tests::app::send;
use reqwest::Method;

#[tokio::test]
async fn the_console_is_served_to_everybody_and_asks_nobody_else() {
    let (app, _database) = TestApp::start().await;
    let get = async |path: &str| send(app.api.anonymous(Method::GET, path)).await;
    let page = get("/servers/pve1?tab=pods").await;
    assert_eq!(page.status, 200, "is it built? deploy/console does that\n{}", page.text);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    let paths: Vec<_> = page.text.split('"').filter(|text| text.starts_with('/')).collect();
    assert!([".js\"", ".css\""].iter().all(|end| page.text.contains(end)), "{paths:?}");
    assert!(!page.text.contains("://"), "nothing of it is anybody else's:\n{}", page.text);
    for path in paths {
        let file = get(path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(!file.header("content-type").starts_with("text/html"), "{path}");
        let kept = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(file.header("cache-control"), kept, "{path}");
    }
    for path in ["/assets/old.js", "/.vite/manifest.json", "/robots.txt"] {
        get(path).await.expect_problem(404, "not_found");
    }
    send(app.api.anonymous(Method::POST, "/servers")).await.expect_problem(401, "unauthorized");
    app.stop().await;
}
