//! Finds what lies in inbound directories, waits until it is whole, and claims it by copy.
//!
//! The way of an arrival: [`Inbox::scan`] says what is whole; the caller commits its intent; [`claim`] makes a copy that
//! is an inode of our own; everything after reads the copy alone; once the decision is committed, [`remove_original`]
//! takes the original away and, when all is done, [`set_aside`] keeps the copy, until [`remove_aged`] ends that.
//!
//! What this part must never do: follow a link, wait on a FIFO, trust a file's age or an event, change an original,
//! or remove one that is not the very file that was claimed. A crash between any two system calls leaves the original,
//! the copy, or both.
//!
//! Everything but [`Hint`] blocks: call it where blocking is allowed.

mod claim;
mod directory;
mod error;
mod hint;
mod inbox;
mod kept;
mod marks;
mod name;
mod odd;
mod original;
mod patterns;
mod remote;
#[cfg(test)]
mod testing;
mod way;
mod work;

pub use claim::{Claim, claim};
pub use directory::Identity;
pub use error::IntakeError;
pub use hint::{Hint, Unwatched};
pub use inbox::{Candidate, FeedMatch, FeedRule, Inbox, Look, Options};
pub use kept::{Aged, aged_copies, remove_aged};
pub use marks::{LAST_WORDS, last_words, mark, marked, no_last_words, place_for_last_words, say_last_words, unmark};
pub use name::{aside_of, compare_names, is_arrival_name, marker_of, why_never};
pub use odd::{Odd, OddKind};
pub use original::{Removal, remove_original};
pub use patterns::Patterns;
pub use remote::{Fetchable, Listed, ListedKind, Mark, RemoteInbox, Shown};
pub use work::{begin_copy, bring_back, discard_copy, finish_copy, forget_aside, free_room, set_aside, sweep_work};
