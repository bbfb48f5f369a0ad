//! JSON: requests as a public API takes them, a line each (`jsonl`) or as one text (`json`).
//!
//! ```text
//! jsonl:  {"header":{...}}   request   request ...   {"trailer":{...}}      a line each
//! json:   request   |   [ request, request ... ]                            no control records
//! request: record   |   [ record, record ... ]      record: {"key":"value", ...}
//!          or an object around records, see `body`
//! ```
//! A text is never held whole, a request is, since it is bounded. Positions are those of requests: all records of one
//! share its line. No message of the JSON library goes further than this folder: it would show what it read.

mod body;
pub(super) mod chunk;
pub(super) mod control;
pub(super) mod cutter;
pub(super) mod d1;
mod escapes;
pub(super) mod keys;
pub(super) mod layout;
pub(super) mod lines;
pub(super) mod object;
pub(super) mod scan;
pub(super) mod structure;
#[cfg(test)]
mod tests;
