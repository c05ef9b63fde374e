//! Stories over the whole program, each told on every engine.

mod formats;
