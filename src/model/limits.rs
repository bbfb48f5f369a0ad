//! Bounds on what is taken in.

use serde::{Deserialize, Serialize};

/// The `[limits]` of the configuration, as decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A sealed file, in bytes.
    pub file_bytes_max: u64,
    /// Records in one file.
    pub file_records_max: u64,
    /// One CSV record, in bytes, line end included.
    pub line_bytes_max: usize,
    /// One JSON request, in bytes.
    pub request_bytes_max: usize,
    /// How many times its size a compressed file may grow.
    pub growth_max: u32,
    /// Room that must stay free in the work directory, in bytes; intake pauses below it.
    pub free_bytes_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: 8 << 30,
            file_records_max: 50_000_000,
            line_bytes_max: 64 << 10,
            request_bytes_max: 8 << 20,
            growth_max: 20,
            free_bytes_min: 1 << 30,
        }
    }
}
