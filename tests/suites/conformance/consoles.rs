//! Screens and serial terminals, as far as their login.

use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use mpanel_tests::pve_rig::{Rig, is_real, patience, unseen};
use node_agent::proxmox::{Console, ConsoleKind, ErrorKind, Hypervisor, Operation, Presence, Secret, Target};
use pve_sim::vnc_response;
use tokio_tungstenite::tungstenite::Message;

/// A console as a stream of bytes.
struct Wire {
    console: Console,
    read: Vec<u8>,
}

impl Wire {
    async fn open(rig: &Rig, target: Target, kind: ConsoleKind) -> Self {
        let mut console =
            rig.pve.open_console(target, kind).await.unwrap_or_else(|error| panic!("{kind:?}: {error:?}"));
        let read = std::mem::take(&mut console.first);
        Self { console, read }
    }

    /// So many bytes; fewer: it ended.
    async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            let next = tokio::time::timeout(patience(), self.console.socket.next()).await;
            match next.expect("something in time") {
                Some(Ok(Message::Binary(bytes))) => self.read.extend_from_slice(&bytes),
                Some(Ok(Message::Text(text))) => self.read.extend_from_slice(text.as_bytes()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            }
        }
        let rest = self.read.split_off(count.min(self.read.len()));
        std::mem::replace(&mut self.read, rest)
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.console.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Logs in to a screen as noVNC does (RFC 6143); whether it is let in.
    async fn vnc(&mut self, password: &str) -> bool {
        assert_eq!(self.read(12).await, b"RFB 003.008\n");
        self.write(b"RFB 003.008\n").await;
        let count = self.read(1).await[0];
        let kinds = self.read(count.into()).await;
        assert!(kinds.contains(&2), "VNC authentication is offered: {kinds:?}");
        self.write(&[2]).await;
        let challenge = self.read(16).await.try_into().unwrap();
        self.write(&vnc_response(password, challenge)).await;
        match self.read(4).await[..] {
            [0, 0, 0, 0] => true,
            [0, 0, 0, 1] => false,
            ref other => panic!("{other:?}"),
        }
    }
}

async fn refused(rig: &Rig, target: Target, kind: ConsoleKind) -> (ErrorKind, String) {
    let error = rig.pve.open_console(target, kind).await.err().expect("a refusal");
    (error.kind, error.message)
}

pub async fn a_screen_is_shown_to_who_has_its_password(rig: Arc<Rig>) {
    let target = rig.vm().await;
    let (kind, message) = refused(&rig, target, ConsoleKind::Vnc).await;
    assert!(kind == ErrorKind::Refused && message.contains("does not run"), "{kind:?}: {message}");
    rig.drive(target, Operation::Start).await.unwrap();
    assert_eq!(refused(&rig, rig.rival(target), ConsoleKind::Vnc).await.0, ErrorKind::ForeignVm);
    let mut screen = Wire::open(&rig, target, ConsoleKind::Vnc).await;
    let password = screen.console.password.as_ref().map(Secret::reveal).expect("a password").to_owned();
    assert!(screen.vnc(&password).await, "the password is the right one");
    // Shared with who looks already.
    screen.write(&[1]).await;
    let init = screen.read(24).await;
    assert!(u16::from_be_bytes([init[0], init[1]]) > 0 && u16::from_be_bytes([init[2], init[3]]) > 0, "{init:?}");
    let mut other = Wire::open(&rig, target, ConsoleKind::Vnc).await;
    assert!(!other.vnc("guessed!").await, "another is not");
}

pub async fn a_terminal_is_open_to_its_guest(rig: Arc<Rig>) {
    let target = rig.vm().await;
    rig.drive(target, Operation::Start).await.unwrap();
    let opened = rig.pve.open_console(target, ConsoleKind::Terminal).await;
    if rig.pve.version().await.unwrap().starts_with("8.") {
        let error = opened.err().expect("a refusal");
        assert_eq!((error.kind, error.presence), (ErrorKind::Refused, Presence::Present), "{error:?}");
        assert!(error.message.contains("look at the screen"), "it names the cure: {error:?}");
        return;
    }
    let console = match opened {
        Ok(console) => console,
        // A template of the operator's need not have a serial port, and a nested Proxmox may have no terminal to give.
        Err(error) if is_real() => {
            let known = error.kind == ErrorKind::Refused && error.message.contains("no serial port")
                || error.message.contains("Timeout while waiting for port");
            assert!(known, "{error:?}");
            return unseen(&format!("the terminal of a VM was not looked at: {}", error.message));
        }
        Err(error) => panic!("{error:?}"),
    };
    assert!(console.password.is_none(), "the agent has logged in itself");
    let mut terminal = Wire { console, read: Vec::new() };
    // A size, a sign of life, and a key: the guest says it back, or at least does not hang up.
    terminal.write(b"1:80:24:").await;
    terminal.write(b"2").await;
    terminal.write(b"0:1:\r").await;
    if !is_real() {
        let prompt = format!("\r\nmpanel-test-{} login: ", target.vmid);
        assert_eq!(String::from_utf8(terminal.read(prompt.len()).await).unwrap(), prompt);
    }
    rig.drive(target, Operation::Stop).await.unwrap();
}
