//! `mpanel pod console`, attached to a terminal of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use mpanel_tests::app::TOKEN;
use mpanel_tests::browser::Browser;
use mpanel_tests::fleet::{Fleet, PODS};
use mpanel_tests::{TestDatabase, eventually};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};

use super::{PROGRAMS, SOON, address, all_closed, pod};

/// The command line with this fleet's control plane.
fn mpanel(fleet: &Fleet, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAMS.control);
    command.args(args).env_clear().env("MPANEL_URL", &fleet.api.url).env("MPANEL_TOKEN", TOKEN).stdin(Stdio::null());
    command
}

fn done(fleet: &Fleet, args: &[&str]) -> Output {
    mpanel(fleet, args).output().unwrap()
}

/// A terminal, and the command that runs in it.
struct Pty {
    master: File,
    shown: Arc<Mutex<String>>,
    before: String,
    child: Child,
    reader: JoinHandle<()>,
}

impl Pty {
    fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let flags = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
        let slave: OwnedFd = File::options().read(true).write(true).custom_flags(flags).open(name).unwrap().into();
        // In a session of its own, so that the terminal is its controlling one.
        let mut own = Command::new("setsid");
        own.arg("--ctty").arg(command.get_program()).args(command.get_args());
        own.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        own.env("PATH", "/usr/bin:/bin").stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap());
        let master = File::from(master);
        let before = modes(&master);
        resize(&master, 80, 24);
        let child = own.stderr(slave).spawn().unwrap();
        let (shown, mut reader) = (Arc::new(Mutex::new(String::new())), master.try_clone().unwrap());
        let text = shown.clone();
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // It ends with an error when the last end of the terminal is closed.
            while let Ok(count) = reader.read(&mut piece) {
                text.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
            }
        });
        Self { master, shown, before, child, reader }
    }

    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    async fn shows(&self, text: &str) {
        eventually(&format!("the terminal to show {text:?}"), SOON, async || self.text().contains(text).then_some(()))
            .await;
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.master)
            .unwrap()
            .local_modes
            .intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end: the exit code, when the terminal is as before.
    async fn ends(mut self) -> (i32, String) {
        let status = eventually("the command to end", SOON, async || self.child.try_wait().unwrap()).await;
        assert_eq!(modes(&self.master), self.before, "the terminal is as before: {}", self.text());
        eventually("all of it to be read", SOON, async || self.reader.is_finished().then_some(())).await;
        assert!(self.text().contains("\x1b[?25h"), "the cursor is shown again: {}", self.text());
        (status.code().expect("it ended by itself"), self.text())
    }
}

/// Everything of a terminal that a command may change.
fn modes(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

/// Looks at the pod's terminal.
async fn attached(fleet: &Fleet) -> Pty {
    let pty = Pty::start(&mpanel(fleet, &["pod", "console", "web-1"]));
    pty.shows("web-1 login: ").await;
    assert!(pty.is_raw(), "every key goes to the guest");
    pty
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_the_guests_until_ctrl_bracket_and_as_before_afterwards() {
    let fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 1).await;
    pod(&fleet).await;
    let mut pty = attached(&fleet).await;
    assert!(pty.text().contains("leave it with Ctrl-]"), "{}", pty.text());
    pty.types("stty size\r");
    pty.shows("24 80").await;
    resize(&pty.master, 132, 43);
    eventually("the guest to know the new size", SOON, async || {
        // Until one is typed after the guest was told.
        pty.types("stty size\r");
        pty.text().contains("43 132").then_some(())
    })
    .await;
    // The guest's, not ours: it says it back.
    pty.types("\x03 and on");
    pty.shows("\x03 and on").await;
    pty.types("last\x1d");
    let (code, text) = pty.ends().await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("left web-1's console"), "{text}");
    assert_eq!(all_closed(&fleet).await, ["closed by its user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_restored_on_every_end() {
    let mut fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 1).await;
    let id = pod(&fleet).await;
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        let pty = attached(&fleet).await;
        pty.signal(signal);
        let (code, text) = pty.ends().await;
        assert!(code == 1 && text.contains(&format!("SIG{signal} came")), "{signal}: {code}: {text}");
    }
    let mut pty = attached(&fleet).await;
    let vmid = u32::try_from(fleet.pod_until(&id, &["active"]).await["vmid"].as_u64().unwrap()).unwrap();
    fleet.hosts[0].sim.hand().stop_vm(vmid);
    pty.types("x");
    let (code, text) = pty.ends().await;
    assert!(code == 1 && text.contains("the console of web-1 ended: closed by the host"), "{code}: {text}");

    fleet.hosts[0].sim.hand().start_vm(vmid);
    eventually("the pod to be seen running", SOON, async || {
        let pod = fleet.api.get(&format!("{PODS}/{id}")).await.expect(200);
        (pod["observed_power"] == "running").then_some(())
    })
    .await;
    let pty = attached(&fleet).await;
    fleet.control.kill().await;
    let (code, text) = pty.ends().await;
    assert!(code == 5 && text.contains("no answer from the control plane"), "{code}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_no_terminal_says_why_and_what_a_browser_needs_is_printed() {
    let fleet = Fleet::start(PROGRAMS, TestDatabase::sqlite(), 1).await;
    let id = pod(&fleet).await;
    let check = |args: &[&str], code: i32, words: &str| {
        let output = done(&fleet, args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && text.contains(words), "{args:?}: {:?} {text}", output.status);
    };
    check(&["pod", "console", "web-1"], 2, "--url-only");
    check(&["pod", "console", "web-1", "--kind", "vnc"], 2, "--url-only");
    check(&["pod", "console", "nobody", "--url-only"], 4, "no such pod");
    check(&["pod", "console", "web-1", "--url-only", "--kind", "photo"], 2, "vnc, terminal");

    let printed = done(&fleet, &["pod", "console", "web-1", "--url-only"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    let url = format!("{}/api/console/", fleet.api.url.replace("http://", "ws://"));
    assert!(text.contains(&url) && text.contains("mpanel.console, ticket."), "{text}");
    let printed = done(&fleet, &["pod", "console", "web-1", "--url-only", "--kind", "terminal", "--json"]);
    let ticket: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let mut browser = Browser::open(address(&fleet.api), &ticket).await.unwrap();
    assert_eq!(browser.said().await["kind"], "terminal");
    browser.close().await;

    // What the host says against it: without a serial port there is no terminal.
    let vmid = fleet.pod_until(&id, &["active"]).await["vmid"].as_u64().unwrap();
    fleet.hosts[0].sim.hand().set_config(u32::try_from(vmid).unwrap(), "serial0", None);
    let pty = Pty::start(&mpanel(&fleet, &["pod", "console", "web-1"]));
    let mut child = pty.child;
    let status = eventually("the command to end", SOON, async || child.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(3));
    let shown = pty.shown.clone();
    eventually("why", SOON, async || {
        let text = shown.lock().unwrap().clone();
        (text.contains("no serial port") && text.contains("Conflict (409)")).then_some(())
    })
    .await;

    fleet.api.post(&format!("{PODS}/{id}/stop"), &json!({})).await.expect(202);
    eventually("the pod to be seen stopped", SOON, async || {
        let pod = fleet.api.get(&format!("{PODS}/{id}")).await.expect(200);
        (pod["observed_power"] == "stopped").then_some(())
    })
    .await;
    check(&["pod", "console", "web-1", "--url-only"], 3, "start it");
}
