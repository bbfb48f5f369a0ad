//! HMAC-SHA-256 under keys that stay, of messages that are short.

use hmac::KeyInit;
use hmac::block_api::HmacCore;
use hmac::digest::Output;
use hmac::digest::block_api::{Buffer, FixedOutputCore, UpdateCore};
use sha2::Sha256;
use zeroize::Zeroizing;

type Core = HmacCore<Sha256>;

/// A key, already worked in.
#[derive(Clone)]
pub(super) struct Mac(Core);

/// The beginning of a message, already worked in.
#[derive(Clone)]
pub(super) struct Begun {
    core: Core,
    /// What does not fill a block yet.
    rest: Buffer<Core>,
}

impl Mac {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to its block.
        let mut block = Zeroizing::new([0_u8; 64]);
        block[..32].copy_from_slice(key);
        Self(Core::new((&*block).into()))
    }

    /// Of a whole message.
    pub(super) fn of(&self, message: &[u8]) -> [u8; 32] {
        let mut begun = self.begin();
        begun.add(message);
        begun.finish()
    }

    /// Of a message that comes in parts.
    pub(super) fn begin(&self) -> Begun {
        Begun { core: self.0.clone(), rest: Buffer::<Core>::default() }
    }
}

impl Begun {
    pub(super) fn add(&mut self, part: &[u8]) {
        let Self { core, rest } = self;
        rest.digest_blocks(part, |blocks| core.update_blocks(blocks));
    }

    pub(super) fn finish(mut self) -> [u8; 32] {
        let mut out = Output::<Core>::default();
        self.core.finalize_fixed_core(&mut self.rest, &mut out);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, Mac as _};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_hmac_whatever_the_parts(key: [u8; 32], parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..70), 0..5)) {
            let mut library = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
            let mac = Mac::new(&key);
            let mut begun = mac.begin();
            for part in &parts {
                library.update(part);
                begun.add(part);
            }
            let expected: [u8; 32] = library.finalize().into_bytes().into();
            prop_assert_eq!(begun.clone().finish(), expected);
            prop_assert_eq!(mac.of(&parts.concat()), expected);
        }
    }
}
