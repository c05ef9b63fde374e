//! Time and ids, handed in: nothing else in the crate looks at the wall clock.
