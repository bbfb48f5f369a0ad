//! Partners' servers, with a real OpenSSH server: files are fetched, processed and answered there.

mod basic;
mod faults;
mod files;
mod kills;
mod once;
mod seen;
mod servers;
pub(crate) mod site;

use site::{Site, table};
