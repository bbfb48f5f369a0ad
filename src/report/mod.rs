//! Writes what goes out: ack, recon, errors, summary; pure functions of the ledger, written durably.
