//! A network of one's own, joined to this machine's by a virtual cable, in which packets can be made to vanish: no reset, no
//! refusal, just silence. Only root may make one; it needs `ip` and `nft`.

use std::net::Ipv4Addr;
use std::process::Command;

/// See the module. It goes with this.
pub struct Namespace {
    name: String,
    cable: String,
    /// This machine's end, where the packets of [`Namespace::swallow`] are.
    pub cut: Ipv4Addr,
    /// This machine's end too; packets to and from here are left alone.
    pub kept: Ipv4Addr,
}

impl Namespace {
    /// `None`, said on standard error, where none can be made.
    #[must_use]
    pub fn create() -> Option<Self> {
        // Tests beside this one have theirs.
        let number = std::process::id();
        let [_, _, high, low] = number.to_be_bytes();
        let at = |last: u8| Ipv4Addr::new(10, 0xc0 | (high & 0x3f), low, last);
        let (name, cable) = (format!("mpanel-{number}"), format!("mp{number}"));
        let namespace = Self { name, cable, cut: at(1), kept: at(2) };
        match namespace.build(at(3)) {
            Ok(()) => Some(namespace),
            Err(cause) => {
                eprintln!(
                    "NOT TESTED: no network namespace can be made here ({cause}); run it as root, with ip and nft"
                );
                None
            }
        }
    }

    fn build(&self, inside: Ipv4Addr) -> Result<(), String> {
        let Self { name, cable, cut, kept } = self;
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {cable} type veth peer name inside netns {name}"),
            format!("ip address add {cut}/24 dev {cable}"),
            format!("ip address add {kept}/24 dev {cable}"),
            format!("ip link set {cable} up"),
            format!("ip -n {name} address add {inside}/24 dev inside"),
            format!("ip -n {name} link set inside up"),
            format!("ip -n {name} link set lo up"),
            format!("ip netns exec {name} nft add table inet cut"),
        ] {
            words(&line)?;
        }
        Ok(())
    }

    /// The words before a command that make it run in there.
    #[must_use]
    pub fn launcher(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// From now on every packet to and from [`Namespace::cut`] vanishes.
    pub fn swallow(&self) {
        let Self { name, cut, .. } = self;
        for (hook, end) in [("input", "saddr"), ("output", "daddr")] {
            let chain = format!("add chain inet cut {hook} {{ type filter hook {hook} priority 0; policy accept; }}");
            let mut nft = Command::new("ip");
            run(nft.args(["netns", "exec", name, "nft", &chain])).expect("a chain of rules");
            words(&format!("ip netns exec {name} nft add rule inet cut {hook} ip {end} {cut} drop")).expect("a rule");
        }
    }

    /// They arrive again.
    pub fn let_through(&self) {
        words(&format!("ip netns exec {} nft flush table inet cut", self.name)).expect("no rules");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with it, once the last process in there has ended.
        for line in [format!("ip link delete {}", self.cable), format!("ip netns delete {}", self.name)] {
            if let Err(cause) = words(&line) {
                eprintln!("left behind: {cause}");
            }
        }
    }
}

/// Runs a command to its end; what it said, if that was no good one.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn words(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    run(Command::new(words.next().unwrap_or_default()).args(words))
}
