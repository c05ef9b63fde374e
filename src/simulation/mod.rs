//! A city that does not exist: people, laboratories and instrument files made up from a seed, and
//! a morning of testing played with them through the public HTTP API.
//!
//! [`morning::play`] starts a server inside and walks the way of every tube: staff comes in, the
//! site collects, the road carries, the bench runs, reviews and releases, and residents ask. What
//! came out is a [`report::Report`], beside what the [`city`] knows.
//!
//! [`load::play`] plays a whole day of a city of any size against servers that are processes of
//! their own, as fast as they take it or at a given rate.

pub mod alive;
mod bench;
pub mod city;
pub mod client;
pub mod curves;
mod cycler;
pub mod files;
pub mod files_text;
pub mod laboratory;
pub mod load;
pub mod month;
pub mod morning;
pub mod people;
pub mod quality;
mod recalled;
pub mod report;
pub mod screening;
mod residents;
mod road;
mod site;
mod staff;
mod table;
pub mod workbook;
pub mod workbook_xls;
mod workbook_xlsx;
pub mod zipped;

use crate::app::StartError;
use crate::error::Error;
use crate::storage::StoreError;
use client::CallError;

/// Why a morning could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Too few people for a refused, a missing and a positive pool, or more than there are.
    #[error("a morning needs {least} to {most} people, not {people}; ask for as many")]
    People {
        /// How many were asked for.
        people: u32,
        /// How many are needed.
        least: u32,
        /// How many the simulated numbers reach for.
        most: u32,
    },
    /// Somebody else's store, or that of an earlier morning.
    #[error("the store has accounts already; play in an empty one")]
    NotEmpty,
    /// The application could not start.
    #[error(transparent)]
    Start(Box<StartError>),
    /// What is done at the console, without HTTP, was refused.
    #[error(transparent)]
    Console(#[from] Error),
    /// The store failed at the console.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A request was not answered as it had to be.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server inside, or a task of ours, ended badly.
    #[error("the server inside failed: {0}")]
    Server(String),
    /// A day that cannot be played as it was asked for.
    #[error("{0}")]
    Arguments(String),
    /// An answer the story cannot go on from.
    #[error("{0}; the story ends here")]
    Stuck(String),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(Box::new(error))
    }
}
