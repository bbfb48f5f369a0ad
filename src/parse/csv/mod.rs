//! The `csv` format: RFC 4180 with a header and a trailer record.

pub(super) mod chunk;
pub(super) mod columns;
pub(super) mod cutter;
pub(super) mod fields;
pub(super) mod grouped;
pub(super) mod lines;
mod runs;
pub(super) mod spans;
pub(super) mod structure;
