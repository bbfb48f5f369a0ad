//! A server's key, known by its fingerprint.

use std::fmt;
use std::str::FromStr;

use base64_simd::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a server's public key, written `SHA256:base64` as `ssh-keygen -l` prints it (OpenSSH's `ssh-keygen(1)`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostKey([u8; 32]);

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAHostKey {
    /// Another kind of fingerprint, or none.
    #[error(
        "a host key is written SHA256:…, as `ssh-keygen -l` prints it; MD5 fingerprints and whole keys are not taken"
    )]
    Prefix,
    /// Not 32 bytes of base64.
    #[error("what follows SHA256: must be 43 characters of base64, as `ssh-keygen -l` prints them")]
    Digest,
}

impl HostKey {
    /// The fingerprint of a key as it goes over the line.
    pub(super) fn of(blob: &[u8]) -> Self {
        Self(Sha256::digest(blob).into())
    }
}

impl FromStr for HostKey {
    type Err = NotAHostKey;

    fn from_str(text: &str) -> Result<Self, NotAHostKey> {
        let digest = text.trim().strip_prefix("SHA256:").ok_or(NotAHostKey::Prefix)?;
        let bytes = STANDARD_NO_PAD.decode_to_vec(digest.trim_end_matches('=')).map_err(|_| NotAHostKey::Digest)?;
        bytes.try_into().map(Self).map_err(|_| NotAHostKey::Digest)
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SHA256:{}", STANDARD_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_ssh_keygen_prints_it() {
        let text = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDzl5TRwIbXzqtJBBo";
        assert_eq!(text.parse::<HostKey>().unwrap().to_string(), text);
        assert_eq!(format!("{text}=").parse::<HostKey>().unwrap().to_string(), text);
    }

    #[test]
    fn nothing_else_is_a_fingerprint() {
        for text in ["", "MD5:16:27:ac", "ssh-ed25519 AAAAC3Nza", "uNiVztksCsDhcc0u9e8BgrJXVGDzl5TRwIbXzqtJBBo"] {
            assert_eq!(text.parse::<HostKey>(), Err(NotAHostKey::Prefix), "{text}");
        }
        for text in ["SHA256:", "SHA256:uNiV", "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDzl5TRwIbXzqtJBB!", "SHA256:é"] {
            assert_eq!(text.parse::<HostKey>(), Err(NotAHostKey::Digest), "{text}");
        }
    }
}
