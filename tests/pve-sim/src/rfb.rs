//! "VNC Authentication" of RFC 6143, 7.2.2: QEMU asks for it where Proxmox opened the screen, with the password that `vncproxy` gave.

use des::Des;
use des::cipher::{BlockCipherEncrypt as _, KeyInit as _};

/// What answers a challenge under a password, of which the first eight characters count.
#[must_use]
pub fn vnc_response(password: &str, challenge: [u8; 16]) -> [u8; 16] {
    let mut key = [0; 8];
    for (byte, character) in key.iter_mut().zip(password.bytes()) {
        // The protocol's way with DES: the bits of each byte in reverse.
        *byte = character.reverse_bits();
    }
    let cipher = Des::new(&key.into());
    let mut response = challenge;
    for half in response.chunks_exact_mut(8) {
        let mut block = [0; 8].into();
        AsMut::<[u8]>::as_mut(&mut block).copy_from_slice(half);
        cipher.encrypt_block(&mut block);
        half.copy_from_slice(&block);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_another_implementation() {
        // openssl enc -des-ecb -nopad, with the bits of the key's bytes in reverse.
        let challenge = std::array::from_fn(|i| i as u8);
        let expected = "72937405a79dfffea2abb6d7830211b6";
        for password in ["5.8AVOXL", "5.8AVOXL:PVEVNC:6B00347A::Vj"] {
            let response = vnc_response(password, challenge);
            let hex = response.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            assert_eq!(hex, expected, "{password}");
        }
    }
}
