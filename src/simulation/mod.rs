//! A city that does not exist: people, laboratories and instrument files made up from a seed.

pub mod files;
pub mod laboratory;
pub mod people;
