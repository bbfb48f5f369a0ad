//! The story: one arrival through all stages, and its resumption.
//!
//! ```text
//! post (one an issuer): scan -> intent -> copy -> CLAIMED ──┐ proof (pass 1) begins at once, a few side by side
//! lane (one an issuer): in order of arrival numbers         v
//!     decide -> ACCEPTED -> ack -> original away -> REGISTERING -> REGISTERED -> (reports, beside the next file) -> DONE
//!            -> REFUSED  -> ack -> original away -> quarantine  -> DONE
//! ```
//! What the outside sees always follows the commit that decided it, and every step can be repeated: after a crash a file goes on at the
//! step that its state names. A bad file is refused and out of the way; a broken world is waited for; a contradiction holds the file
//! and calls a person.

mod again;
mod alarms;
mod answer;
mod dry_run;
mod grounds;
mod lane;
mod nights;
mod origin;
mod patience;
mod post;
mod proof;
mod queue;
mod reply;
mod reports;
mod retention;
mod scribe;
mod site;
mod source;
mod story;
mod trail;
mod troubles;

pub use again::{Again, AgainError, Doors};
pub use alarms::{Alarms, Teller, schema as alarm_schema};
pub use dry_run::{CannotForesee, DryRun, Excerpt, Finding, Findings, Foreseen, Level};
pub use lane::Lane;
pub use nights::{Night, Nights, standing as night_standing};
pub use post::{Post, Round};
pub use reports::{Made, Reports, ReportsError, When};
pub use retention::Retention;
pub use site::{Batches, Current, Feed, Issuer, Looking, Progress, Setup, Site};
pub use source::{After, Exchange, Source, SourceDoors};
pub use troubles::Troubles;

/// What ends the process: its disk cannot be believed any more, or the ledger contradicts itself where no single file is at fault.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);
