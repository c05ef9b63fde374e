//! Stories over the whole program, each told on every engine.

mod app;
mod audit;
mod barcode;
mod collection;
mod feeds;
mod formats;
mod http;
mod journey;
mod labels;
mod laboratory;
mod ledger;
mod migrations;
mod plans;
mod query;
mod recall;
mod receiving;
mod review;
mod shape;
mod shipment;
mod statements;
mod transport;
mod way;
mod world;
