//! Stories over the whole program, each told on every engine.

mod app;
mod audit;
mod barcode;
mod collection;
mod crash;
mod feeds;
mod formats;
mod http;
mod labels;
mod ledger;
mod migrations;
mod program;
mod query;
mod serve;
mod shape;
mod way;
mod world;
