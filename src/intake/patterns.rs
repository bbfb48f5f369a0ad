//! Which of an issuer's feeds a name belongs to: the one place that matches names.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{FeedMatch, FeedRule, IntakeError};

/// The patterns of one issuer's feeds.
pub struct Patterns(GlobSet);

impl Patterns {
    /// The feeds in configuration order.
    pub fn new(feeds: &[FeedRule]) -> Result<Self, IntakeError> {
        let mut globs = GlobSetBuilder::new();
        let mut add = |feed: &FeedRule| {
            globs.add(GlobBuilder::new(&feed.files).build()?);
            Ok(())
        };
        for feed in feeds {
            add(feed).map_err(|source| IntakeError::Pattern { feed: feed.name.clone(), source })?;
        }
        let globs = globs.build().map_err(|source| {
            let feed = feeds.iter().map(|feed| feed.name.as_str()).collect::<Vec<_>>().join(", ");
            IntakeError::Pattern { feed, source }
        })?;
        Ok(Self(globs))
    }

    /// Every feed that the whole name matches.
    pub fn matching(&self, name: &str) -> Vec<usize> {
        self.0.matches(name)
    }
}

impl FeedMatch {
    /// From the feeds that a name matches.
    pub const fn of(matching: &[usize]) -> Self {
        match *matching {
            [] => Self::None,
            [feed] => Self::One(feed),
            _ => Self::Several,
        }
    }
}
