use super::*;

fn check(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::parse("mpanel.toml", text, environment).map_err(|error| error.to_string())
}

#[test]
fn the_annotated_default_is_the_default() {
    let annotated = check(ANNOTATED, &[]).unwrap();
    assert_eq!(format!("{annotated:?}"), format!("{:?}", Config::default()));
    assert!(annotated.problems().is_empty());
}

#[test]
fn a_mistake_is_named_with_its_line() {
    for (text, expected) in [
        ("[http]\nlistne = 1\n", "mpanel.toml, line 2: unknown field `listne`, expected one of `listen`,"),
        ("[htp]\n", "mpanel.toml, line 1: unknown field `htp`,"),
        ("\n[http]\nheader_timeout = \"5 parsecs\"\n", "mpanel.toml, line 3: `5 parsecs` is no duration"),
        ("[http]\nlisten = true\n", "mpanel.toml, line 2: invalid type: boolean `true`"),
        ("[http\n", "mpanel.toml, line 1: "),
    ] {
        let error = check(text, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let config = check(
        "[http]\nlisten = \"127.0.0.1:1\"\nmax_connections = 1\n",
        &[
            ("MPANEL__HTTP__LISTEN", "127.0.0.1:2"),
            ("MPANEL__HTTP__BEHIND_PROXY", "true"),
            ("MPANEL__HTTP__MAX_CONNECTIONS", "7"),
            ("MPANEL__AGENTS__TRUST_DOMAIN", "123"),
            ("MPANEL__AGENTS__NAMES", "[\"a.example\", \"b.example\"]"),
            ("MPANEL__SHUTDOWN_GRACE", "3s"),
            ("MPANEL_UNRELATED", "x"),
        ],
    )
    .unwrap();
    assert_eq!(config.http.listen.port(), 2);
    assert!(config.http.behind_proxy);
    assert_eq!(config.http.max_connections, 7);
    assert_eq!(config.agents.trust_domain, "123");
    assert_eq!(config.agents.names, ["a.example", "b.example"]);
    assert_eq!(config.shutdown_grace, Duration::from_secs(3));
}

#[test]
fn a_mistake_in_the_environment_is_named() {
    for (variable, value, expected) in [
        ("MPANEL__HTTP__LISTNE", "x", "MPANEL__HTTP__LISTNE: unknown field `listne`"),
        ("MPANEL__HTTP__MAX_CONNECTIONS", "-1", "MPANEL__HTTP__MAX_CONNECTIONS: invalid value"),
        ("MPANEL__HTTP__MAX_CONNECTIONS", "many", "MPANEL__HTTP__MAX_CONNECTIONS: invalid type"),
        ("MPANEL__SHUTDOWN_GRACE__X", "1", "MPANEL__SHUTDOWN_GRACE__X: "),
    ] {
        let error = check("", &[(variable, value)]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn plain_http_is_for_loopback_or_behind_a_proxy() {
    let fields = |text: &str| check(text, &[]).unwrap().problems().into_iter().map(|p| p.field).collect::<Vec<_>>();
    assert_eq!(fields("[http]\nlisten = \"0.0.0.0:8080\""), ["http.listen"]);
    let behind = "[http]\nlisten = \"0.0.0.0:8080\"\nbehind_proxy = true";
    assert_eq!(fields(behind), ["http.trusted_proxies"]);
    assert!(fields(&format!("{behind}\ntrusted_proxies = [\"192.0.2.10/32\"]")).is_empty());
    assert!(fields("[http]\nbehind_proxy = true").is_empty());
    assert!(fields("[http]\nlisten = \"[::1]:8080\"").is_empty());
    assert!(fields("[http]\nlisten = \"0.0.0.0:1\"\ntls_certificate = \"c\"\ntls_key = \"k\"").is_empty());
    assert_eq!(fields("[http]\ntls_key = \"k\""), ["http.tls_certificate"]);
    assert_eq!(fields("[database]\nurl = \"mysql://x\""), ["database.url"]);
    assert_eq!(fields("[log]\nfilter = \"a=b=c\""), ["log.filter"]);
}

#[test]
fn the_key_lies_beside_the_database() {
    let file = |url: &str| Config { database: Database { url: url.to_owned() }, ..Config::default() }.secret_key_file();
    assert_eq!(file("sqlite:///srv/x/mpanel.db?mode=rwc"), Path::new("/srv/x/secret.key"));
    assert_eq!(file("sqlite://mpanel.db"), Path::new("secret.key"));
    assert_eq!(file("postgres://u@h/d"), Path::new("/var/lib/mpanel/secret.key"));
}

#[test]
fn durations_carry_their_unit() {
    assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(parse_duration("24h"), Some(Duration::from_hours(24)));
    assert_eq!(parse_duration("7d"), Some(Duration::from_hours(168)));
    for wrong in ["", "5", "s", "5 s", "-5s", "5y", "99999999999999999999s", "9999999999999999999d"] {
        assert_eq!(parse_duration(wrong), None, "{wrong}");
    }
}
