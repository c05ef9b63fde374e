//! Several people, one test: the mathematics of pools.

pub mod plan;
