//! The words every part shares: files, records, codes, outcomes, limits, clocks. Imports nothing of nightdrop.

pub mod answer;
pub mod clock;
pub mod code;
pub mod column;
pub mod control;
pub mod currency;
pub mod explain;
pub mod file;
pub mod hex;
pub mod limits;
pub mod mask;
pub mod outcome;
pub mod record;
pub mod refusal;
pub mod retention;
pub mod retry;
pub mod service;
pub mod unseal;

pub use answer::{AnswerFile, Answers};
pub use clock::{Clock, SystemClock, Timestamp};
pub use code::Code;
pub use column::{Body, Cells, Columns, Field, RECORD_REF_EXPECTED, Request, Runs, View};
pub use control::{BatchKey, D1_OPERATION, Environment, Header};
pub use file::{Decision, Ends, EnvelopeKind, FileNo, FileRecord, Outbound, State};
pub use hex::{hex, unhex};
pub use limits::Limits;
pub use mask::Masked;
pub use outcome::{Outcome, Tally};
pub use record::{Failure, InRequest, Place, RecordRow};
pub use refusal::Refusal;
pub use retention::Retention;
pub use retry::Retry;
pub use service::ServiceName;
pub(crate) use service::registry;
pub use unseal::Unseal;
