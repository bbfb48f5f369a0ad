//! The contract, tested from outside: every test makes a daemon's directories, drops files, runs the binary and reads
//! what it wrote. A failure keeps its directories and prints the commands that repeat it.
//!
//! `make test` runs these at a size of seconds; `make test-long` runs [`crash`], [`large`], [`mutations`], [`swaps`], [`odd_things`], [`bombs`] and the broken
//! lines of [`sources`] at full size, and all of them once more under strace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

mod actions;
mod after;
mod alarms;
mod audit;
mod bombs;
mod broken;
mod card_contracts;
mod cards;
mod cells;
mod check;
mod click_to_pay;
mod codes;
mod commands;
mod confined;
mod corpus;
mod crash;
mod d1_attacks;
mod d1_batch;
mod envelopes;
mod file;
mod gate;
mod intake;
mod interop;
mod json;
mod large;
mod leaks;
mod main_job;
mod mastercard;
mod mutations;
mod night;
mod odd_things;
mod outbound;
mod pan;
mod pan_lists;
mod readme;
mod reads;
mod refusals;
mod reload;
mod retention;
mod same;
mod seal;
mod sftp_client;
mod shell;
mod sources;
mod swaps;
mod systemd;
mod tenants;
mod twice;
mod uploads;
mod world;
