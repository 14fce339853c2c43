//! The rules of the architecture, each as a test over the source itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A source file: where it is, its text, and its code, which is the text with comments and literals blanked.
struct Source {
    path: String,
    text: String,
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The Rust files under these folders of the workspace.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut found);
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found.sort();
    found.into_iter().map(|path| read(&path)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let code = blank(&text);
    let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    Source { path, text, code }
}

/// The daemons' own code, without their tests.
fn shipped() -> Vec<Source> {
    let mut sources = sources(&["control-plane/src", "node-agent/src", "proto/src"]);
    sources.retain(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/"));
    sources.iter_mut().for_each(without_tests);
    sources
}

/// Blanks each item that is compiled for tests only.
fn without_tests(source: &mut Source) {
    while let Some(start) = source.code.find("#[cfg(test)]") {
        let rest = &source.code[start..];
        let end = match rest.find(['{', ';']) {
            Some(open) if rest.as_bytes()[open] == b'{' => block_end(rest, open).expect("the braces of a test match"),
            Some(semicolon) => semicolon,
            None => rest.len() - 1,
        };
        for text in [&mut source.code, &mut source.text] {
            let blanked =
                text[start..=start + end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect::<String>();
            // The text may be longer in bytes than in characters; what follows has to stay where it is.
            let blanked = format!("{blanked}{}", " ".repeat(end + 1 - blanked.len()));
            text.replace_range(start..=start + end, &blanked);
        }
    }
}

/// Where the block that opens at `open` ends.
fn block_end(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    code[open..].char_indices().find_map(|(i, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(open + i)
    })
}

fn control_plane() -> Vec<Source> {
    let mut sources = shipped();
    sources.retain(|source| source.path.starts_with("control-plane/"));
    sources
}

impl Source {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// The slice that it belongs to.
    fn slice(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("control-plane/src/domain/")?;
        rest.split_once('/').map(|(slice, _)| slice)
    }

    fn in_folder(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("control-plane/src/{folder}/"))
    }

    /// Each place where the code holds one of these words, as `path:line: the line`.
    fn places(&self, words: &[&str]) -> Vec<String> {
        let lines = self.code.lines().zip(self.text.lines()).enumerate();
        lines
            .filter(|(_, (code, _))| words.iter().any(|word| holds(code, word)))
            .map(|(i, (_, text))| format!("{}:{}: {}", self.path, i + 1, text.trim()))
            .collect()
    }
}

/// Whether the line holds the word, and not as the end of a longer one.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let starts_word = word.starts_with(|c: char| c.is_alphanumeric());
        !(starts_word && before.is_some_and(|c| c.is_alphanumeric() || c == '_'))
    })
}

/// Blanks comments and literals, byte for byte, keeping lines.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(code).unwrap()
}

/// Where the comment or literal that begins at `at` ends; `at` when none begins there.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let find = |needle: &[u8], from: usize| {
        rest[from..]
            .windows(needle.len())
            .position(|w| w == needle)
            .map_or(bytes.len(), |i| at + from + i + needle.len())
    };
    let inside_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return find(b"\n", 0).saturating_sub(1).max(at + 2);
    }
    if rest.starts_with(b"/*") {
        return find(b"*/", 2);
    }
    if !inside_word && (rest.starts_with(b"r\"") || rest.starts_with(b"r#") || rest.starts_with(b"br\"")) {
        let hashes = rest.iter().skip_while(|b| b.is_ascii_alphabetic()).take_while(|b| **b == b'#').count();
        let open = rest.iter().position(|b| *b == b'"').unwrap_or(0);
        if rest.get(open) == Some(&b'"') && open <= 2 + hashes {
            return find(&[b"\"".as_slice(), &b"#".repeat(hashes)].concat(), open + 1);
        }
    }
    match rest[0] {
        b'"' => {
            let mut i = 1;
            while i < rest.len() && rest[i] != b'"' {
                i += if rest[i] == b'\\' { 2 } else { 1 };
            }
            (at + i + 1).min(bytes.len())
        }
        b'\'' if rest.get(1) == Some(&b'\\') => find(b"'", 3),
        // A character and not a lifetime.
        b'\'' => {
            let width = std::str::from_utf8(&rest[1..(1 + 4).min(rest.len())])
                .map_or_else(|error| error.valid_up_to().max(1), |text| text.chars().next().map_or(1, char::len_utf8))
                .min(text_width(rest));
            if rest.get(1 + width) == Some(&b'\'') { at + width + 2 } else { at }
        }
        _ => at,
    }
}

/// The width of the character behind a quote.
fn text_width(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(byte) if byte >> 5 == 0b110 => 2,
        Some(byte) if byte >> 4 == 0b1110 => 3,
        Some(byte) if byte >> 3 == 0b11110 => 4,
        _ => 1,
    }
}

/// Every function: its line, its name, its header up to the brace, its body.
fn functions(source: &Source) -> Vec<(usize, String, &str, &str)> {
    let code = &source.code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(open) = code[at..].find(['{', ';']).map(|i| at + i) else { continue };
        if name.is_empty() || code.as_bytes()[open] == b';' {
            continue;
        }
        let close =
            block_end(code, open).unwrap_or_else(|| panic!("{}: the braces of {name} do not match", source.path));
        let line = code[..at].matches('\n').count() + 1;
        found.push((line, name, &code[at..open], &source.text[open..=close]));
    }
    found
}

#[track_caller]
#[allow(clippy::needless_pass_by_value)]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn http_and_grpc_stay_at_the_edge() {
    let sources = shipped();
    let axum = sources.iter().filter(|s| !s.in_folder("http") && s.name() != "routes.rs");
    none("axum belongs into http/ and routes.rs", axum.flat_map(|s| s.places(&["axum::", "utoipa_axum"])).collect());
    let tonic = sources
        .iter()
        .filter(|s| !s.in_folder("grpc") && !s.path.starts_with("node-agent/") && !s.path.starts_with("proto/"));
    none("tonic belongs into grpc/", tonic.flat_map(|s| s.places(&["tonic::", "proto::"])).collect());
}

#[test]
fn sql_stays_in_the_stores() {
    let sources = control_plane();
    let outside = sources.iter().filter(|s| !["store.rs", "events.rs", "db.rs"].contains(&s.name()));
    let outside = outside.filter(|s| !s.path.contains("/store/") && !s.path.contains("/src/db/"));
    let words = ["fetch_all!", "fetch_one!", "fetch_optional!", "execute!", "sqlx::query", "const SQL"];
    none("SQL belongs into store.rs", outside.flat_map(|s| s.places(&words)).collect());
}

#[test]
fn what_writes_takes_a_transaction() {
    let (mut found, mut writers) = (Vec::new(), 0);
    for source in control_plane().iter().filter(|s| s.slice().is_some()) {
        for (line, name, header, body) in functions(source) {
            let writes = ["\"INSERT ", "\"UPDATE ", "\"DELETE ", " INSERT INTO ", " UPDATE ", " DELETE FROM "];
            let sql = body.split("const SQL").nth(1).unwrap_or_default();
            let sql = sql.split_once('=').map_or("", |(_, sql)| sql.split(';').next().unwrap_or_default());
            let sql = sql.split("FOR UPDATE").collect::<String>();
            if !writes.iter().any(|word| sql.contains(word)) {
                continue;
            }
            writers += 1;
            if !header.contains("&mut Tx") {
                found.push(format!("{}:{line}: {name}", source.path));
            }
        }
    }
    assert!(writers > 20, "only {writers} writers were found");
    none("a writer takes &mut Tx", found);
}

#[test]
fn a_slice_calls_services_and_the_graph_has_no_cycle() {
    let sources = control_plane();
    let slices: BTreeSet<&str> = sources.iter().filter_map(Source::slice).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut foreign = Vec::new();
    for source in &sources {
        let Some(own) = source.slice() else { continue };
        let flat = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
        for other in slices.iter().filter(|other| **other != own) {
            let named = holds(&flat, &format!("domain::{other}"));
            let grouped =
                flat.split("domain::{").skip(1).any(|rest| holds(rest.split(';').next().unwrap_or_default(), other));
            if named || grouped {
                edges.entry(own).or_default().insert(other);
            }
            if flat.contains(&format!("domain::{other}::store")) {
                foreign.push(format!("{} uses the store of {other}", source.path));
            }
        }
    }
    none("a slice calls another's service", foreign);
    assert!(edges.get("cloudpods").is_some_and(|used| used.contains("jobs")), "{edges:#?}");
    for slice in &slices {
        let (mut seen, mut next) = (BTreeSet::new(), edges.get(slice).cloned().unwrap_or_default());
        while let Some(other) = next.pop_first() {
            assert_ne!(&other, slice, "{slice} leads back to itself: {edges:#?}");
            if seen.insert(other) {
                next.extend(edges.get(other).into_iter().flatten());
            }
        }
    }
}

#[test]
fn the_domain_knows_no_edge() {
    let sources = control_plane();
    let domain = sources.iter().filter(|s| s.slice().is_some() && s.name() != "routes.rs");
    let words = ["crate::http", "crate::grpc", "crate::loops", "crate::app", "crate::cli"];
    none("mod, service and store import no edge", domain.flat_map(|s| s.places(&words)).collect());
    let engine = sources.iter().filter(|s| s.slice() == Some("jobs") && s.name() != "routes.rs");
    none("the engine knows no job kinds", engine.flat_map(|s| s.places(&["cloudpods", "sagas::"])).collect());
}

#[test]
fn conversions_name_every_field() {
    let sources = shipped();
    let boundaries = sources.iter().filter(|s| ["convert.rs", "store.rs"].contains(&s.name()));
    let leaves_out = |line: &str| {
        let line = line.trim();
        line == ".." || line.ends_with(", ..") || line.contains(", .. }") || line.contains("{ .. }")
    };
    let mut found = Vec::new();
    for source in boundaries {
        for (i, line) in source.code.lines().enumerate().filter(|(_, line)| leaves_out(line)) {
            // Only a look at which kind it is may leave out what the kind holds.
            if !line.contains("=>") && !line.contains("matches!") && !line.trim_start().starts_with('|') {
                found.push(format!("{}:{}: {}", source.path, i + 1, line.trim()));
            }
        }
    }
    none("a conversion destructures fully", found);
}

#[test]
fn only_the_clock_tells_the_time() {
    let sources = control_plane();
    let outside = sources.iter().filter(|s| s.name() != "clock.rs");
    // The command line is a program of its own, which waits for the control plane's answers.
    let outside = outside.filter(|s| !s.in_folder("cli"));
    let words = ["now_utc(", "SystemTime::now", "Instant::now", "OffsetDateTime::now", "now_local("];
    none("ask the Clock", outside.flat_map(|s| s.places(&words)).collect());
}

#[test]
fn nothing_panics_on_purpose() {
    let words = [".unwrap()", ".expect(", ".unwrap_err()", "panic!(", "todo!(", "unimplemented!(", "unreachable!("];
    none("return an Error", shipped().iter().flat_map(|s| s.places(&words)).collect());
}

#[test]
fn no_task_is_left_behind_and_no_queue_grows_for_ever() {
    // A TaskTracker or a JoinSet is waited for.
    let words =
        ["tokio::spawn(", "task::spawn(", "thread::spawn(", "unbounded_channel", "mpsc::unbounded", "mem::forget"];
    none("bound it, and let shutdown wait for it", shipped().iter().flat_map(|s| s.places(&words)).collect());
}

#[test]
fn there_is_no_global_state() {
    let mut found = Vec::new();
    for source in shipped() {
        // The process's metrics, and the count of its fault points, are global by nature.
        if ["telemetry.rs", "fault.rs"].contains(&source.name()) {
            continue;
        }
        let mutable = ["Lock", "Mutex", "Atomic", "Cell", "mut "];
        let lines = source.code.lines().filter(|line| {
            let line = line.trim_start().trim_start_matches("pub ");
            line.starts_with("static ") && mutable.iter().any(|word| line.contains(word))
        });
        found.extend(lines.map(|line| format!("{}: {}", source.path, line.trim())));
    }
    none("pass it", found);
}

#[test]
fn files_and_functions_are_short() {
    let mut found = Vec::new();
    for source in sources(&["control-plane/src", "node-agent/src", "proto/src", "tests"]) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(format!("{} has {lines} lines, of {FILE_LINES_MAX}", source.path));
        }
    }
    // A test may hold a long table of cases.
    let harness = sources(&["tests/src", "tests/pve-sim/src"]);
    for source in shipped().iter().chain(&harness) {
        for (line, name, _, body) in functions(source) {
            let lines = body.lines().count().saturating_sub(1);
            if lines > FUNCTION_LINES_MAX {
                found.push(format!("{}:{line}: {name} has {lines} lines, of {FUNCTION_LINES_MAX}", source.path));
            }
        }
    }
    none("cut it", found);
}

/// The operations that nobody needs a permission for, by file and path: what they are shown is itself the proof.
const OPEN: &[(&str, &str)] = &[
    ("http/operations.rs", "/healthz"),
    ("http/operations.rs", "/readyz"),
    ("sessions/routes.rs", "/login"),
    ("sessions/routes.rs", "/refresh"),
    ("sessions/account/routes.rs", "/password/forgot"),
    ("sessions/account/routes.rs", "/password/reset"),
    ("oidc/routes.rs", ""),
    ("oidc/routes.rs", "/{name}/start"),
    ("oidc/routes.rs", "/{name}/callback"),
    ("users/routes.rs", "/invite/accept"),
];

#[test]
fn a_handler_requires_what_it_declares() {
    let mut found = Vec::new();
    for source in control_plane() {
        for operation in source.text.split("#[utoipa::path(").skip(1) {
            let path = operation.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let declared =
                operation.split("\"x-permission\" = json!(\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(permission) = declared.filter(|permission| !permission.is_empty()) else {
                if !OPEN.iter().any(|(file, open)| source.path.ends_with(file) && *open == path) {
                    found.push(format!("{}: {path} declares no x-permission", source.path));
                }
                continue;
            };
            // `cloudpods:read` is `Permission::CloudpodsRead`.
            let words = permission.split([':', '_']).map(|word| word[..1].to_uppercase() + &word[1..]);
            let name: String = words.collect();
            if !operation.contains(&format!(".require(Permission::{name})")) {
                found.push(format!("{}: {path} does not require {permission}", source.path));
            }
        }
    }
    none("say auth.require(…) beside the handler", found);
}

#[test]
fn the_tree_is_the_table_of_contents() {
    let listed = |folder: &str, allowed: &[&str]| {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.to_str().unwrap().to_owned());
        let strange = names.filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()));
        strange.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
    };
    let top = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "deny.toml",
        "proto",
        "migrations",
        "deploy",
        "control-plane",
        "node-agent",
        "tests",
        "target",
    ];
    none("not in the layout", listed("", &top));
    let sources = [
        "main.rs",
        "lib.rs",
        "config.rs",
        "config",
        "app.rs",
        "app",
        "lifecycle.rs",
        "telemetry.rs",
        "error.rs",
        "ids.rs",
        "clock.rs",
        "db.rs",
        "db",
        "events.rs",
        "fault.rs",
        "cli",
        "http",
        "grpc",
        "domain",
        "loops",
    ];
    none("not in the layout", listed("control-plane/src", &sources));
    let migrations = fs::read_dir(root().join("migrations")).unwrap().map(|entry| entry.unwrap().file_name());
    let misnamed = migrations.map(|name| name.to_str().unwrap().to_owned()).filter(|name| {
        let number = name.split('_').next().unwrap_or_default();
        !(number.len() == 4
            && number.bytes().all(|b| b.is_ascii_digit())
            && Path::new(name).extension().is_some_and(|extension| extension == "sql"))
    });
    none("NNNN_verb_noun.sql", misnamed.collect());
}

#[test]
fn literals_and_comments_are_no_code() {
    for (text, expected) in [
        ("a // b {\nc", "a       \nc"),
        ("a \"b \\\" {\" c", "a          c"),
        ("r#\"a \" {\"# b", "           b"),
        ("'{' 'a '\\'' '\\n' é 'é'", "    'a           é     "),
        ("a /* { */ b", "a         b"),
        ("&'a str", "&'a str"),
    ] {
        let blanked = blank(text);
        assert_eq!(blanked.trim_end(), expected.trim_end(), "{text}");
    }
}
