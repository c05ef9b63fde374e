//! The follow-up: each member collected again, singly, by a deadline.
