//! Rounds, sites, sessions, and people swabbed into tubes.
