//! Answers on their way to partners: ordered in the ledger when they lie in the outbound directory, carried out file by file.

use std::collections::HashSet;
use std::fs::File;

use crate::faults;
use crate::ledger::{Delivery, Order};
use crate::model::{FileNo, Outbound};
use crate::sftp::Error;
use crate::telemetry;

use super::super::patience::{Trouble, blocking, patiently};
use super::super::site::Site;
use super::exchange::{Exchange, Failed};
use super::health::{Fault, Kind, kind};

/// Orders the delivery of files that lie in an issuer's outbound directory: to the source that the file came from or, where it came
/// from none, to all of the issuer's. In the order in which they must appear; `again` also what was delivered before.
pub(in crate::pipeline) async fn order(
    site: &Site,
    issuer: &str,
    (file, from): (Option<FileNo>, Option<&str>),
    outbound: &[&Outbound],
    again: bool,
) -> Result<(), Trouble> {
    let setup = site.setup.now();
    let sources = setup.sources.iter().filter(|source| {
        source.issuer == issuer && source.outbound.is_some() && from.is_none_or(|from| from == source.name)
    });
    for source in sources {
        let orders: Vec<Order> = outbound
            .iter()
            .map(|outbound| Order {
                source: source.name.clone(),
                issuer: issuer.to_owned(),
                file,
                name: outbound.name.clone(),
                sha256: outbound.sha256.clone(),
                again,
            })
            .collect();
        site.ledger.deliver(&orders, site.clock.now()).await?;
        site.sources.wake(&source.name);
    }
    Ok(())
}

impl Exchange {
    /// Delivers what is due. What one file's answers meet holds up no other's; what the line meets ends the round.
    pub(super) async fn deliver(&self) -> Result<Option<Fault>, Failed> {
        let Some(outbound) = &self.source.outbound else { return Ok(None) };
        let site = &self.site;
        let due = patiently!(site, Ok(site.ledger.deliveries_due(&self.source.name).await?))?;
        let mut held_up: HashSet<Option<FileNo>> = HashSet::new();
        let mut fault = None;
        for delivery in due {
            if site.stop.said() {
                return Err(Trouble::Stopped.into());
            }
            if held_up.contains(&delivery.file) {
                continue;
            }
            match self.deliver_one(outbound, &delivery).await? {
                Ok(()) => {
                    faults::reach("delivered", &delivery.name);
                    let now = site.clock.now();
                    patiently!(site, Ok(site.ledger.delivery_tried(delivery.id, Ok(now)).await?))?;
                    telemetry::delivered(&self.source.name, &delivery.name);
                }
                Err(_) if site.stop.said() => return Err(Trouble::Stopped.into()),
                Err(error) => {
                    let found = Fault::of_delivery(&error);
                    patiently!(site, Ok(site.ledger.delivery_tried(delivery.id, Err(&found.why)).await?))?;
                    if kind(&error) != Kind::Place {
                        return Err(error.into());
                    }
                    let all = matches!(error, Error::Full { .. } | Error::Missing { .. } | Error::Denied { .. });
                    held_up.insert(delivery.file);
                    fault.get_or_insert(found);
                    if all {
                        break;
                    }
                }
            }
        }
        Ok(fault)
    }

    async fn deliver_one(&self, dir: &str, delivery: &Delivery) -> Result<Result<(), Error>, Failed> {
        let path = self.issuer.outbox.directory().join(&delivery.name);
        let opened = blocking(move || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        let (file, size) = match opened.await {
            Ok(opened) => opened,
            Err(Trouble::Later { .. }) => return Ok(Err(Error::Source { name: delivery.name.clone() })),
            Err(trouble) => return Err(trouble.into()),
        };
        let Some(sha256) = crate::model::unhex(&delivery.sha256) else {
            return Ok(Err(Error::Source { name: delivery.name.clone() }));
        };
        Ok(self.asked(self.client.upload(file, dir, &delivery.name, size, sha256)).await.map(drop))
    }
}
