//! Signs of over-pooling and of invented results: every check has a cheat that shows and honest
//! work that does not.

mod cheats;
mod evidence;
mod interpolated;
mod months;
