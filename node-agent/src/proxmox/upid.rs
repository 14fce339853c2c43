//! The name of a Proxmox task.

use std::fmt;
use std::str::FromStr;

/// The id of a Proxmox task: `UPID:node:pid:pstart:starttime:type:id:user:`, numbers in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upid(String);

impl Upid {
    /// As Proxmox writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }

    /// The node whose task it is.
    pub fn node(&self) -> &str {
        self.part(1)
    }

    /// When it was started, in seconds since the epoch.
    pub fn start_s(&self) -> i64 {
        i64::from_str_radix(self.part(4), 16).unwrap_or_default()
    }

    /// Such as `qmclone`.
    pub fn kind(&self) -> &str {
        self.part(5)
    }

    /// Usually the VMID; of a clone the *source's*. May be empty.
    pub fn id(&self) -> &str {
        self.part(6)
    }

    /// Who started it; may end in `!token`.
    pub fn user(&self) -> &str {
        self.part(7)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no UPID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Proxmox task id: {0:?}")]
pub struct NotAUpid(String);

impl FromStr for Upid {
    type Err = NotAUpid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotAUpid(text.chars().take(200).collect());
        let parts: Vec<&str> = text.split(':').collect();
        let [upid, node, pid, pstart, start, kind, _id, _user, _comment] = parts.as_slice() else {
            return Err(refuse());
        };
        let is_hex = |part: &&str| i64::from_str_radix(part, 16).is_ok();
        if *upid != "UPID" || node.is_empty() || kind.is_empty() || ![pid, pstart, start].into_iter().all(is_hex) {
            return Err(refuse());
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upid_tells_its_parts() {
        let text = "UPID:pve1:000002A5:0002DC55:6B003461:qmclone:9000:root@pam!test:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!((upid.node(), upid.kind(), upid.id()), ("pve1", "qmclone", "9000"));
        assert_eq!((upid.start_s(), upid.user(), upid.as_str()), (1_795_175_521, "root@pam!test", text));
        assert!("UPID:pve1:000002A5:123456789:6B003461:aptupdate::root@pam:".parse::<Upid>().is_ok());
    }

    #[test]
    fn what_is_no_upid_is_refused() {
        for text in ["", "OK", "UPID:pve1:zz:0:0:a:b:c:", "UPID:pve1:1:2:3:qmstart:100:root@pam", "UPID::1:2:3:t:i:u:"]
        {
            assert!(text.parse::<Upid>().is_err(), "{text:?}");
        }
    }
}
