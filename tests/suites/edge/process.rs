use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use mpanel_tests::process::Setup;
use mpanel_tests::{TestDatabase, databases};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mpanel-faulty");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it to its end, with these arguments and this of the environment.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let (database, dir) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let setup = Setup { program: PROGRAM, database: &database, dir: &dir };
    setup.command().args(arguments).envs(environment.iter().copied()).output().unwrap()
}

#[tokio::test]
async fn told_to_stop_it_ends_in_order_and_starts_again() {
    for database in databases().await {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup { program: PROGRAM, database: &database, dir: &dir };
        for signal in ["TERM", "INT"] {
            let mut process = setup.serve(|_| {});
            process.api.get("/readyz").await.expect(200);
            process.signal("HUP");
            process.api.get("/metrics").await.expect(200);
            process.signal(signal);
            assert!(process.wait().success(), "{} on {signal}", database.name);
        }
    }
}

#[tokio::test]
async fn the_first_start_says_where_it_is_and_shows_the_token_once() {
    let (database, dir) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let setup = Setup { program: PROGRAM, database: &database, dir: &dir };
    let first = setup.serve(|command| {
        command.env_remove("MPANEL_BOOTSTRAP_TOKEN");
    });
    let token = first.greeting.iter().find_map(|line| line.trim().strip_prefix("mpanel_")).expect("a token is shown");
    let token = format!("mpanel_{token}");
    first.api.with_token(&token).get("/metrics").await.expect(200);
    drop(first);
    let second = setup.serve(|command| {
        command.env_remove("MPANEL_BOOTSTRAP_TOKEN");
    });
    assert!(!second.greeting.iter().any(|line| line.contains(&token)), "{:?}", second.greeting);
    second.api.with_token(&token).get("/metrics").await.expect(200);
    let rotated = setup.command().args(["token", "rotate"]).output().unwrap();
    assert!(rotated.status.success(), "{}", text(&rotated.stderr));
    second.api.with_token(&token).get("/metrics").await.expect_problem(401, "unauthorized");
    second.api.with_token(text(&rotated.stdout).trim()).get("/metrics").await.expect(200);
}

#[test]
fn a_wrong_start_says_what_is_wrong_and_what_to_do() {
    for (environment, expected) in [
        (("MPANEL__HTTP__LISTEN", "0.0.0.0:0"), "http.listen: is not loopback"),
        (("MPANEL__HTTP__LISTNE", "x"), "MPANEL__HTTP__LISTNE: unknown field `listne`"),
        (("MPANEL__DATABASE__URL", "mysql://x"), "database.url: must start with sqlite: or postgres:"),
        (("MPANEL_BOOTSTRAP_TOKEN", "weak"), "MPANEL_BOOTSTRAP_TOKEN: must be 32 to 256"),
        (("MPANEL_SECRET_KEY", "weak"), "MPANEL_SECRET_KEY: must be 32 bytes"),
        (("MPANEL__HTTP__TLS_KEY", "/nowhere"), "http.tls_certificate: tls_certificate and tls_key belong together"),
        (("MPANEL_CONFIG", "/nowhere/mpanel.toml"), "/nowhere/mpanel.toml: cannot be read"),
    ] {
        let output = run(&["serve"], &[environment]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(&format!("mpanel: {expected}")), "{stderr}");
    }
}

#[test]
fn the_configuration_can_be_printed_and_checked() {
    let printed = run(&["config"], &[]);
    assert!(printed.status.success());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mpanel.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let named = file.to_str().unwrap();
    assert!(run(&["config", "check", "--config", named], &[]).status.success());
    std::fs::write(&file, "[http]\nlistne = 1\n").unwrap();
    let wrong = run(&["--config", named, "config", "check"], &[]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("line 2: unknown field `listne`"), "{}", text(&wrong.stderr));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (variable, field) in [("MPANEL__HTTP__LISTEN", "http.listen"), ("MPANEL__AGENTS__LISTEN", "agents.listen")] {
        let output = run(&["serve"], &[(variable, &address)]);
        assert!(text(&output.stderr).contains(&format!("mpanel: {field}: cannot listen on {address}")));
        assert!(output.status.signal().is_none());
    }
}
