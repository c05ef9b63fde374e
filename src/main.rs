//! The `swabline` program.
fn main() {}
