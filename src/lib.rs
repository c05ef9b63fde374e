//! Swabline, the laboratory information system for city-scale nucleic-acid testing.
//!
//! Everything rests on [`storage`], [`seal`], [`auth`] and [`audit`], and [`http`] is the one page
//! of routes; [`web`] has the pages that people work at, and [`paper`] the faces of what is printed.
//! [`watch`] takes run files from a folder and [`simulation`] plays people, laboratories and cheats;
//! both call the public API from beside the way.
//!
//! The modules stand in the order of a tube's way: a code is printed ([`barcode`]), people are
//! swabbed into a tube ([`collection`]), tubes travel in boxes ([`transport`]) and arrive
//! ([`receiving`]), single ones may be mixed into pools ([`pooling`]), they stand on a plate
//! ([`plate`]), are amplified ([`instrument`]), called ([`interpretation`]), reviewed and released
//! ([`review`]), and asked for ([`query`], [`feeds`]). The [`ledger`] proves that nothing was lost
//! on the way, and the [`figures`] show the city where everybody is. A refused tube and a pool that
//! gives no individual result open a [`recall`]. What every run leaves on the charts of [`quality`]
//! is watched, and [`integrity`] looks for invented results. A slice calls only slices before it.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
#[macro_use]
pub mod storage;
pub mod audit;
pub mod auth;
pub mod http;
pub mod seal;
pub mod cache;
pub mod paper;
pub mod web;

pub mod barcode;
pub mod collection;
pub mod transport;
pub mod recall;
pub mod receiving;
pub mod pooling;
pub mod plate;
pub mod instrument;
pub mod quality;
pub mod interpretation;
pub mod review;
pub mod query;
pub mod feeds;
pub mod ledger;
pub mod figures;
pub mod integrity;
pub mod simulation;
pub mod watch;
