//! x
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// x
    Text,
    /// x
    Json,
}
