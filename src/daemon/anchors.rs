//! Says from time to time in the log where the audit trail stands: an anchor, which a trail that is made anew does not fit.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::Anchor;
use crate::model::hex;
use crate::pipeline::Site;
use crate::telemetry;

/// Rows from one anchor to the next at most, give or take those of a few seconds.
const ROWS: i64 = 1_000;

/// Time from one anchor to the next where there are new rows.
const PAUSE: Duration = Duration::from_secs(3_600);

/// How often the head is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Whether it is time for another anchor.
fn is_due(said: Option<Anchor>, head: Anchor, since: Duration) -> bool {
    let Some(said) = said else { return true };
    head.seq - said.seq >= ROWS || (head != said && since >= PAUSE)
}

/// Says one at once, and then whenever it is due, until it is aborted.
pub(super) async fn say(site: Arc<Site>) {
    let (mut said, mut at) = (None, site.clock.monotonic());
    loop {
        // A store that cannot be read now is somebody else's to say; the anchor comes later.
        if let Ok(Some(head)) = site.ledger.audit_head().await {
            let now = site.clock.monotonic();
            if is_due(said, head, now.saturating_duration_since(at)) {
                telemetry::audit_anchor(head.seq, &hex(&head.hash));
                (said, at) = (Some(head), now);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_said_at_first_after_many_rows_and_after_an_hour_with_new_ones() {
        let anchor = |seq| Anchor { seq, hash: [0; 32] };
        let hour = PAUSE;
        let now = Duration::ZERO;
        assert!(is_due(None, anchor(2), now));
        assert!(!is_due(Some(anchor(2)), anchor(2), hour * 5), "nothing new");
        assert!(!is_due(Some(anchor(2)), anchor(1_001), hour / 2));
        assert!(is_due(Some(anchor(2)), anchor(1_002), now));
        assert!(is_due(Some(anchor(2)), anchor(3), hour));
    }
}
