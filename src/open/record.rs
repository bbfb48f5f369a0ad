//! A token inside a record: small, in memory, and behind the same gate as a whole file.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::keyring::Keyring;
use super::source::Source;
use super::token;

/// Opens a compact JWE with one of the keys of a feed. `None` for whatever does not open: what of it was wrong is not said.
///
/// The plaintext stands in memory that is wiped; it is as long as the token at most.
pub fn open_record(token: &[u8], keyring: &Keyring) -> Option<Zeroizing<Vec<u8>>> {
    let head = token.get(..token.len().min(token::HEAD_BYTES))?;
    let tail = token.get(token.len().saturating_sub(token::TAIL_BYTES)..)?;
    // A line end within a value would be one of the sender's own making.
    if token.last().is_none_or(|last| matches!(last, b'\r' | b'\n')) {
        return None;
    }
    let size = token.len() as u64;
    let source = Arc::new(Source::Memory(token.to_vec()));
    // Before anything can fail behind the gate: making and wiping it costs as much whatever comes of the token.
    let mut bytes = Zeroizing::new(vec![0; token.len()]);
    let mut plaintext = super::open_token(source, size, head, tail, keyring).ok()?.plaintext().ok()?;
    let mut length = 0;
    loop {
        match plaintext.read(bytes.get_mut(length..)?).ok()? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Some(bytes)
}
