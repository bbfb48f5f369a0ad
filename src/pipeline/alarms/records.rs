//! The file of which not one record opens: its sender seals records for a key that is not ours, or ours is not configured.
//!
//! One call for the file, however many records it has: each has its row in the answers, and none a line in the log.

use crate::ledger::LedgerError;
use crate::model::{AlarmKind, Code, FileNo, FileRecord, Subject, Tally};

use super::super::site::Site;

/// Chunks read at a time.
const CHUNKS_A_READ: u64 = 50;

impl Site {
    /// All records of a file are committed. Calls an operator if each of them failed to open; a card that is registered shows
    /// that its feed's sender has the right key, or has it again.
    pub(in crate::pipeline) async fn records_committed(
        &self,
        record: &FileRecord,
        tally: &Tally,
    ) -> Result<(), LedgerError> {
        let (no, name) = (record.no, &record.name);
        let Some(feed) = record.feed.as_deref() else { return Ok(()) };
        let subject = Subject::sealing(feed, name);
        if tally.registered + tally.already_registered > 0 {
            let how = format!("{name} of the same feed has records that opened");
            return self.alarms.clear(AlarmKind::RecordsUnreadable, &subject, &how).await.map(drop);
        }
        if tally.records() == 0 || tally.rejected != tally.records() || !self.none_opens(no).await? {
            return Ok(());
        }
        let what = format!("{name}: none of its {} records opens, RECORD_CRYPTO_ERROR", tally.records());
        let next = format!(
            "check the sender's key: what is sealed inside the records of {feed} must be sealed for one of the feed's keys, \
             by an algorithm that envelopes allow; then have the file sent again, sealed afresh. The alarm is cleared when \
             a card of a later file of the feed is registered"
        );
        self.alarms.raise(AlarmKind::RecordsUnreadable, Some(&record.issuer), subject, what, next).await.map(drop)
    }

    /// Whether each record of a file failed to open. The first one that did not is the last one that is read.
    async fn none_opens(&self, no: FileNo) -> Result<bool, LedgerError> {
        let mut chunk = 0;
        loop {
            let rows = self.ledger.rows(no, chunk, CHUNKS_A_READ).await?;
            if rows.is_empty() {
                return Ok(true);
            }
            if rows.iter().any(|row| row.code() != Some(Code::RecordCryptoError)) {
                return Ok(false);
            }
            chunk += CHUNKS_A_READ;
        }
    }
}
