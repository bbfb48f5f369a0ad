//! What of a configuration a running daemon cannot change: it was built on it, and takes it up at its next start.
//!
//! Every field is named, so that a new one cannot be forgotten: it either takes a restart or a reload brings it.

use super::{Config, Daemon, Issuer, Problem, Store};

/// The keys that differ and take a restart.
pub fn takes_restart(now: &Config, new: &Config) -> Vec<Problem> {
    let Config {
        file: _,
        sha256: _,
        environment,
        daemon,
        limits: _,
        retention: _,
        store: Store { path, cache_bytes },
        key_encryption_key,
        reference: _,
        daily: _,
        calendar: _,
        alarm_command: _,
        log,
        issuers,
        feeds: _,
        sources: _,
        warnings: _,
    } = now;
    let Daemon {
        work,
        archive,
        quarantine,
        socket,
        settle: _,
        stalled: _,
        scan: _,
        workers,
        chunk_records: _,
        chunks_in_flight,
        group_records_max,
        contact: _,
    } = daemon;
    let mut changed = Vec::new();
    let mut fixed = |key: &str, differs: bool| {
        if differs {
            let message = "changed, which takes a restart".to_owned();
            changed.push(Problem { line: None, key: key.to_owned(), message });
        }
    };
    fixed("feed.environment", *environment != new.environment);
    fixed("daemon.work", *work != new.daemon.work);
    fixed("daemon.archive", *archive != new.daemon.archive);
    fixed("daemon.quarantine", *quarantine != new.daemon.quarantine);
    fixed("daemon.socket", *socket != new.daemon.socket);
    fixed("daemon.workers", *workers != new.daemon.workers);
    fixed("daemon.chunks_in_flight", *chunks_in_flight != new.daemon.chunks_in_flight);
    fixed("daemon.group_records_max", *group_records_max != new.daemon.group_records_max);
    fixed("store.url", *path != new.store.path);
    fixed("store.cache", *cache_bytes != new.store.cache_bytes);
    fixed("vault.key_encryption_key", *key_encryption_key != new.key_encryption_key);
    fixed("telemetry.log", *log != new.log);
    for Issuer {
        id,
        inbound,
        outbound,
        reply_key: _,
        reply_envelope: _,
        enroll_client_encryption_key: _,
        currencies: _,
        seal_sensitive_data: _,
    } in issuers
    {
        if let Some(issuer) = new.issuers.iter().find(|issuer| issuer.id == *id) {
            fixed(&format!("issuer {id}: inbound"), *inbound != issuer.inbound);
            fixed(&format!("issuer {id}: outbound"), *outbound != issuer.outbound);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::EXAMPLE;

    fn config(change: impl Fn(&str) -> String) -> Config {
        Config::parse(&change(EXAMPLE), Path::new("/etc/nightdrop/nightdrop.toml")).unwrap()
    }

    fn restarts(change: impl Fn(&str) -> String) -> Vec<String> {
        takes_restart(&config(str::to_owned), &config(change)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_daemon_was_built_on_takes_a_restart_and_names_its_key() {
        assert_eq!(
            restarts(|text| text.replace("sqlite:nightdrop.db", "sqlite:other.db").replace("64MiB", "65MiB")),
            ["store.url: changed, which takes a restart", "store.cache: changed, which takes a restart"]
        );
        assert_eq!(
            restarts(|text| text.replace("inbound = \"inbound\"", "inbound = \"elsewhere\"")),
            ["issuer ACME: inbound: changed, which takes a restart"]
        );
    }

    #[test]
    fn what_files_are_taken_by_does_not() {
        assert_eq!(restarts(str::to_owned), [""; 0]);
        let pace = |text: &str| text.replace("settle = \"5s\"", "settle = \"1s\"").replace("\"USD\"", "\"GBP\"");
        assert_eq!(restarts(pace), [""; 0]);
        let more = "\n[[issuer]]\nid = \"ZETA\"\ninbound = \"in-z\"\noutbound = \"out-z\"\n";
        let named = |text: &str| {
            let own = "id = \"ACME\"\ninbound = \"inbound\"\noutbound = \"outbound\"";
            text.replacen("id = \"ACME\"", own, 1) + more
        };
        assert_eq!(restarts(named), [""; 0]);
    }
}
