//! The ordered, replayable stream of changes.
