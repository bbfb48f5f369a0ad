//! What a process leaves behind that ends at the worst moment, and what the next one makes of it. Needs the feature
//! `faults`, which compiles the crash points in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]
#![allow(dead_code, reason = "the suite's helpers are here for what is needed of them")]

mod damage;
#[path = "../suite/file.rs"]
mod file;
mod hands;
mod nights;
#[path = "../suite/outbound.rs"]
mod outbound;
#[path = "../suite/pan.rs"]
mod pan;
mod points;
mod poison;
mod reports;
mod rotation;
#[path = "../suite/seal.rs"]
mod seal;
#[path = "../suite/sources/site.rs"]
mod site;
mod sources;
mod unreadable;
#[path = "../suite/world/mod.rs"]
#[allow(unused_imports, reason = "as above")]
mod world;
