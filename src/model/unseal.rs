//! What opens a part of a file that is sealed by itself.

use std::sync::Arc;

use zeroize::Zeroizing;

/// Opens what is sealed inside a text; `None` for anything that does not open, without a word why.
pub type Unseal = Arc<dyn Fn(&[u8]) -> Option<Zeroizing<Vec<u8>>> + Send + Sync>;
