//! What alarms ask of every store.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::Ledger;
use crate::model::{Alarm, AlarmKind, Subject};

use super::AT;

fn missing(day: &str) -> Alarm {
    Alarm {
        kind: AlarmKind::FileMissing,
        issuer: Some("ACME".into()),
        subject: Subject::night("feed", day),
        what: format!("did not come by {day}"),
        next: "ask".into(),
        raised_at: AT,
        cleared_at: None,
    }
}

pub(in crate::ledger) async fn an_alarm_is_open_once_and_told_once_each_way(ledger: Arc<dyn Ledger>) {
    let (monday, tuesday) = (missing("2026-11-23"), missing("2026-11-24"));
    assert!(ledger.open_alarm(&monday).await.unwrap());
    assert!(!ledger.open_alarm(&monday).await.unwrap(), "open already");
    assert!(ledger.open_alarm(&tuesday).await.unwrap());
    assert!(ledger.open_alarm(&Alarm { kind: AlarmKind::FileHeld, ..monday.clone() }).await.unwrap());
    assert_eq!(ledger.open_alarms().await.unwrap()[..2], [monday.clone(), tuesday.clone()]);

    let untold = ledger.untold_alarms(1).await.unwrap();
    assert_eq!(untold[0].alarm, monday);
    ledger.alarm_told(&untold[0]).await.unwrap();
    assert_eq!(ledger.untold_alarms(9).await.unwrap()[0].alarm, tuesday);

    let later = AT.after(Duration::from_secs(60));
    let key = monday.subject.key.as_str();
    assert!(ledger.close_alarm(AlarmKind::FileMissing, key, "it came", later).await.unwrap());
    assert!(!ledger.close_alarm(AlarmKind::FileMissing, key, "it came", later).await.unwrap(), "over already");
    // One that is over before it was told is not told at all.
    assert!(ledger.close_alarm(AlarmKind::FileMissing, &tuesday.subject.key, "it came", later).await.unwrap());
    let untold = ledger.untold_alarms(9).await.unwrap();
    let told: Vec<_> = untold.iter().map(|it| (it.alarm.kind, it.alarm.what.as_str())).collect();
    assert_eq!(told, [(AlarmKind::FileMissing, "it came"), (AlarmKind::FileHeld, "did not come by 2026-11-23")]);
    assert_eq!((untold[0].alarm.raised_at, untold[0].alarm.cleared_at), (AT, Some(later)));
    for one in &untold {
        ledger.alarm_told(one).await.unwrap();
    }
    assert!(ledger.untold_alarms(9).await.unwrap().is_empty());
    assert_eq!(ledger.open_alarms().await.unwrap().len(), 1);

    assert!(ledger.open_alarm(&monday).await.unwrap(), "what is over may be raised again");
    assert_eq!(ledger.untold_alarms(9).await.unwrap().len(), 1);
}
