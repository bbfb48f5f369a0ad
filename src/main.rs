//! The `nightdrop` command.

fn main() {}
