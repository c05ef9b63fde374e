//! Stories over the whole program, each told on every engine.

mod app;
mod audit;
mod barcode;
mod collection;
mod formats;
mod http;
mod labels;
mod migrations;
mod recall;
mod receiving;
mod shape;
mod shipment;
mod transport;
mod world;
