//! nightdrop: takes issuers' sealed card files whole or not at all, registers their records, and accounts for every one.
//!
//! Read the modules in this order; it is the way of a file.

// The order is the way of a file, not the alphabet.
#![cfg_attr(rustfmt, rustfmt_skip)]

pub mod model;
pub mod calendar;
pub mod sftp;
pub mod intake;
pub mod open;
pub mod parse;
pub mod services;
pub mod register;
pub mod report;
pub mod ledger;
pub mod vault;
pub mod pipeline;
pub mod actions;
pub mod daemon;
pub mod telemetry;
pub mod faults;
pub mod config;
pub mod cli;
