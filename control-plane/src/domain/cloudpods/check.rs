//! What a pod may be called and which keys may open it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most keys that one pod takes.
pub const SSH_KEYS_MAX: usize = 32;
/// The longest key, comment included, in bytes. An RSA key of 16,384 bits has some 2,800.
pub const SSH_KEY_BYTES_MAX: usize = 4096;

const KEY_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Whether `name` is a DNS label (RFC 1123) in lower case: what Proxmox and cloud-init take for a host's name.
pub fn name(name: &str) -> Result<(), &'static str> {
    let right = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if right {
        Ok(())
    } else {
        Err(
            "must be a DNS label: 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end, such as web-1",
        )
    }
}

/// Whether `user` is a name that Linux distributions accept for an account.
pub fn user(user: &str) -> Result<(), &'static str> {
    let right = (1..=32).contains(&user.len())
        && user.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if right {
        Ok(())
    } else {
        Err(
            "must be an account's name: 1 to 32 lower-case letters, digits, `-` and `_`, beginning with a letter or `_`",
        )
    }
}

/// Whether this is Proxmox's name of an ISO image: `local:iso/debian-13.iso`.
pub fn iso(volid: &str) -> Result<(), &'static str> {
    let word = |text: &str, length_max: usize| {
        (1..=length_max).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let right = volid.split_once(":iso/").is_some_and(|(storage, name)| {
        word(storage, 100) && word(name, 200) && name.to_ascii_lowercase().ends_with(".iso")
    });
    if right { Ok(()) } else { Err("must be the name of an ISO image on the host, such as local:iso/debian-13.iso") }
}

/// Reads an OpenSSH public key (RFC 4253 §6.6, as in `~/.ssh/id_ed25519.pub`) and gives it in its one-line form.
pub fn ssh_key(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err(
            "is a private key: keep it to yourself and send the public one, the file that ends in .pub".to_owned()
        );
    }
    if text.is_empty() || text.len() > SSH_KEY_BYTES_MAX {
        return Err(format!(
            "must be a public key of at most {SSH_KEY_BYTES_MAX} bytes, such as ssh-ed25519 AAAA… me@home"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("must be a single line without control characters; send each key as an item of its own".to_owned());
    }
    let mut words = text.split_ascii_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !KEY_TYPES.contains(&kind) {
        return Err(format!("must begin with the type of the key: one of {}", KEY_TYPES.join(", ")));
    }
    let bytes = STANDARD.decode(blob).map_err(|_| "its second word is not Base64: copy the whole key".to_owned())?;
    if !holds_key(kind, &bytes) {
        return Err(format!("is cut short or is not a key of type {kind}: copy the whole key"));
    }
    let comment: Vec<_> = words.collect();
    let key =
        if comment.is_empty() { format!("{kind} {blob}") } else { format!("{kind} {blob} {}", comment.join(" ")) };
    Ok(key)
}

/// Whether the bytes are length-prefixed strings to the end, the first of them the type, as many as the type has.
fn holds_key(kind: &str, mut bytes: &[u8]) -> bool {
    let mut fields: Vec<&[u8]> = Vec::new();
    while !bytes.is_empty() {
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
        let length = u32::from_be_bytes(*length) as usize;
        if rest.len() < length || fields.len() == 4 {
            return false;
        }
        let (field, rest) = rest.split_at(length);
        fields.push(field);
        bytes = rest;
    }
    let typed = fields.first().is_some_and(|first| *first == kind.as_bytes());
    typed
        && match kind {
            "ssh-ed25519" => fields.len() == 2 && fields[1].len() == 32,
            "sk-ssh-ed25519@openssh.com" => fields.len() == 3 && fields[1].len() == 32,
            "ssh-rsa" => fields.len() == 3 && fields[2].len() >= 128,
            "sk-ecdsa-sha2-nistp256@openssh.com" => fields.len() == 4,
            _ => fields.len() == 3 && fields[2].len() >= 65,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "web-1", "9", &"x".repeat(63)] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ü", &"x".repeat(64), "a b", "a\0"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn isos_are_files_of_a_storage() {
        for good in ["local:iso/debian-13.iso", "nfs-1:iso/A_b+c.ISO"] {
            assert_eq!(iso(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "debian.iso",
            "local:iso/",
            "local:iso/a.img",
            "local:backup/a.iso",
            "local:iso/../a.iso",
            "local:iso/a b.iso",
            "local:iso/a/b.iso",
            ":iso/a.iso",
            "local:iso/a.iso,media=disk",
        ] {
            assert!(iso(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn users_are_account_names() {
        for good in ["root", "_apt", "a-b_c9"] {
            assert_eq!(user(good), Ok(()), "{good}");
        }
        for bad in ["", "9a", "-a", "Root", "a b", &"x".repeat(33)] {
            assert!(user(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_are_whole_public_keys_on_one_line() {
        assert_eq!(ssh_key(ED25519).unwrap(), ED25519);
        assert_eq!(ssh_key(&format!(" {ED25519}   me@home  \n")).unwrap(), format!("{ED25519} me@home"));
        let cut = &ED25519[..ED25519.len() - 4];
        for (bad, says) in [
            ("", "at most 4096 bytes"),
            ("hello", "must begin with the type"),
            ("ssh-dss AAAAB3NzaC1kc3M=", "must begin with the type"),
            ("ssh-ed25519", "cut short"),
            ("ssh-ed25519 %%%", "not Base64"),
            (cut, "cut short"),
            (&ED25519.replacen("ssh-ed25519", "ssh-rsa", 1), "not a key of type ssh-rsa"),
            (&format!("{ED25519}\n{ED25519}"), "single line"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            (&format!("{ED25519} {}", "x".repeat(5000)), "at most 4096 bytes"),
            ("command=\"ls\" ssh-ed25519 AAAA", "must begin with the type"),
        ] {
            let error = ssh_key(bad).unwrap_err();
            assert!(error.contains(says), "{bad:?}: {error}");
        }
    }
}
