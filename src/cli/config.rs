//! temp
use super::*;
pub(super) fn check(_: &Path, _: bool, _: &Surroundings) -> ExitCode { ExitCode::Ok }
pub(super) fn example() -> ExitCode { ExitCode::Ok }
