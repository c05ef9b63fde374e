//! Stories over the whole program, each told on every engine.

mod app;
mod audit;
mod barcode;
mod collection;
mod http;
mod labels;
mod world;
