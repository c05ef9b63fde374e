//! A whole day of a city of any size, played through the public HTTP API against servers that are
//! processes of their own.
//!
//! People, households, sites, tubes and boxes are functions of the seed and a number; what is held
//! is who is infected, which codes were allotted, and what was counted. A wave of people goes
//! through the stages at once, as on a real day: the road carries boxes and the laboratories test
//! while sites still collect. Whoever is recalled comes again in a second wave. Then services and
//! residents ask, and every answer is compared with what is true.

mod answers;
mod ask;
mod bench;
mod chance;
mod city;
mod codes;
mod collect;
mod connection;
mod day;
mod feed;
mod line;
mod person;
mod phase;
mod recall;
mod refresh;
mod report;
mod road;
mod scan;
mod server;
mod staff;
mod store;
mod traffic;
mod truth;
mod waves;

use std::path::PathBuf;
use std::sync::Arc;

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clock::Clock;
use crate::collection::place::TUBE_SIZES;
use crate::config::Config;
use crate::simulation::Failure;
use crate::simulation::staff::refuse_strangers;
use crate::storage::Db;
use city::City;
use connection::Node;
use day::Day;
use server::Server;
use staff::Staff;

pub use city::PREVALENCE_MAX;
pub use day::Counts;
pub use person::PEOPLE_MAX;
pub use phase::{Latency, PhaseLine};
pub use report::Report;
pub use store::Held;
pub use traffic::Seen;
pub use truth::{Missed, Truth};

/// Most sites of a city.
pub const SITES_MAX: u32 = 9_999;
/// Most residents who refresh at once.
pub const REFRESHING_MAX: u32 = 10_000;
/// People a site swabs when nobody says how many sites there are.
const AT_SITE: u32 = 10_000;
/// People whose tubes one laboratory tests.
const AT_LABORATORY: u32 = 200_000;
/// Tubes in a box at most, which are also the tubes of one request.
const IN_BOX: u32 = 200;
/// Boxes of a small city at least, so that devices of every habit are there.
const BOXES: u32 = 16;

/// How devices send their tubes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Scan {
    /// A box of tubes in one request.
    Bulk,
    /// One tube a request.
    Single,
}

/// Which day is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Decides who lives there and what happens to whom; the same seed is the same day.
    pub seed: u64,
    /// People who are swabbed.
    pub people: u32,
    /// People swabbed into one tube: 1, 5, 10 or 20.
    pub tube_size: u8,
    /// Share of them that is infected, about.
    pub prevalence: f64,
    /// Sampling points; one for every 10,000 people when nobody says.
    pub sites: Option<u32>,
    /// How tubes are sent.
    pub scan: Scan,
    /// Tubes a second that are sent whatever becomes of them; none as fast as it goes.
    pub rate: Option<f64>,
    /// Residents who ask again and again while the day is written, each as fast as it is answered.
    pub refreshing: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 20_200_621,
            people: 10_000,
            tube_size: 10,
            prevalence: 0.0005,
            sites: None,
            scan: Scan::Bulk,
            rate: None,
            refreshing: 0,
        }
    }
}

impl Plan {
    /// Refuses a day that cannot be played.
    fn check(&self) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::Arguments(message));
        if !(1..=PEOPLE_MAX).contains(&self.people) {
            return refuse(format!(
                "a day is played with 1 to {PEOPLE_MAX} people; ask for as many"
            ));
        }
        if !TUBE_SIZES.contains(&self.tube_size) {
            return refuse("tubes hold 1, 5, 10 or 20 people; choose one of them".to_owned());
        }
        if !(0.0..=PREVALENCE_MAX).contains(&self.prevalence) {
            return refuse(format!(
                "the prevalence is a share from 0 to {PREVALENCE_MAX}; give one"
            ));
        }
        let sites_max = SITES_MAX.min(self.people);
        if self.sites.is_some_and(|sites| !(1..=sites_max).contains(&sites)) {
            return refuse(format!(
                "these people are swabbed at 1 to {sites_max} sites; ask for as many"
            ));
        }
        if self.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return refuse("the rate is a number of tubes a second; give one above 0".to_owned());
        }
        if self.refreshing > REFRESHING_MAX {
            return refuse(format!(
                "at most {REFRESHING_MAX} residents refresh at once, each over a connection of \
                 their own; ask for as many"
            ));
        }
        Ok(())
    }

    /// How many sites there are.
    fn site_count(&self) -> usize {
        let usual = self.people.div_ceil(AT_SITE).min(SITES_MAX);
        usize::try_from(self.sites.unwrap_or(usual)).unwrap_or(usize::MAX)
    }

    /// How many laboratories there are.
    fn laboratory_count(&self) -> usize {
        let usual = usize::try_from(self.people.div_ceil(AT_LABORATORY)).unwrap_or(usize::MAX);
        usual.min(self.site_count())
    }

    /// Tubes in a box.
    fn in_box(&self) -> u32 {
        let tubes = self.people.div_ceil(u32::from(self.tube_size));
        tubes.div_ceil(BOXES).clamp(1, IN_BOX)
    }
}

/// Where the day is played.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Folder for the keys and the store of the server that is started.
    pub data: PathBuf,
    /// The store; SQLite in the folder when absent. Of nodes it is the one they serve from.
    pub database: Option<String>,
    /// Servers to play against; one is started when there is none.
    pub nodes: Vec<String>,
    /// The Redis of the server that is started.
    pub redis: Option<String>,
}

impl Place {
    fn database_url(&self) -> String {
        let config = self.config();
        config.database_url()
    }

    fn config(&self) -> Config {
        let (data, database) = (self.data.clone(), self.database.clone().unwrap_or_default());
        Config { data, database, demonstration_kits: true, ..Config::default() }
    }

    /// Makes everybody's account and says where the servers are; starts one where there is none.
    async fn open(
        &self,
        plan: &Plan,
        clock: &Clock,
    ) -> Result<(Staff, Arc<[Node]>, Option<Server>), Failure> {
        let unusable = |error| Failure::Arguments(format!("the store cannot be used: {error}"));
        if self.nodes.is_empty() {
            if let Some(url) = &self.database {
                // Somebody's store is refused before its keys are missed.
                let db = Db::open(url, clock).await.map_err(unusable)?;
                let strangers = refuse_strangers(&db).await;
                db.close().await;
                strangers?;
            }
            let app = App::open(self.config(), clock.clone()).await?;
            let staff = Staff::hire(&app.db, clock, plan).await;
            app.db.close().await;
            let staff = staff?;
            let (database, redis) = (self.database.as_deref(), self.redis.as_deref());
            let server = Server::start(&self.data, database, redis)?;
            let nodes = [server.node.clone()].into();
            return Ok((staff, nodes, Some(server)));
        }
        let nodes = self.nodes.iter().map(|url| Node::at(url)).collect::<Result<_, _>>()?;
        let Some(url) = &self.database else {
            return Err(Failure::Arguments(
                "the accounts of those who play are made in the nodes' store, as `swabline user \
                 add` makes them; name it with --database"
                    .to_owned(),
            ));
        };
        let db = Db::open(url, clock).await.map_err(unusable)?;
        let staff = Staff::hire(&db, clock, plan).await;
        db.close().await;
        Ok((staff?, nodes, None))
    }
}

/// Plays a day and says what came of it.
///
/// Whether it adds up is for [`Report::adds_up`]; an error means that it could not be played to
/// its end.
pub async fn play(plan: Plan, place: Place, bar: &ProgressBar) -> Result<Report, Failure> {
    plan.check()?;
    let clock = Clock::system();
    let (staff, nodes, server) = place.open(&plan, &clock).await?;
    let url = place.database_url();
    let engine = if url.starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" };
    let report = Report::new(&plan, nodes.len(), engine);
    let city = City::new(plan.seed, plan.people, plan.prevalence);
    let day = Day::new((plan, clock.clone()), city, (staff, nodes), bar);
    let mut report = waves::play(Arc::new(day), report).await?;
    report.generator_cpu_s = server::taken_by(std::process::id()).map(|took| took.cpu_s);
    if let Some(server) = server {
        let took = server.took();
        report.server_cpu_s = took.map(|took| took.cpu_s);
        report.server_rss_peak_bytes = took.map(|took| took.rss_peak_bytes);
        let stopping = tokio::task::spawn_blocking(|| server.stop());
        stopping.await.map_err(|error| Failure::Server(error.to_string()))??;
    }
    let held = store::held(&url, &clock).await?;
    (report.store_rows, report.store_bytes) = (held.rows, held.bytes);
    bar.finish_and_clear();
    Ok(report)
}

/// Waits for all; the first that fails ends the others.
async fn joined(mut tasks: JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Failure::Server(error.to_string()))??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_cannot_be_played_is_refused() {
        let plan = Plan::default();
        assert!(plan.check().is_ok());
        for refused in [
            Plan { people: 0, ..plan },
            Plan { people: PEOPLE_MAX + 1, ..plan },
            Plan { tube_size: 3, ..plan },
            Plan { prevalence: 0.51, ..plan },
            Plan { prevalence: f64::NAN, ..plan },
            Plan { sites: Some(0), ..plan },
            Plan { people: 5, sites: Some(6), ..plan },
            Plan { rate: Some(0.0), ..plan },
            Plan { rate: Some(f64::INFINITY), ..plan },
            Plan { refreshing: REFRESHING_MAX + 1, ..plan },
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_city_has_sites_laboratories_and_boxes_by_its_size() {
        let of = |people, tube_size| {
            let plan = Plan { people, tube_size, ..Plan::default() };
            (plan.site_count(), plan.laboratory_count(), plan.in_box())
        };
        assert_eq!(of(1_084_000, 10), (109, 6, 200));
        assert_eq!(of(3_000, 10), (1, 1, 19));
        assert_eq!(of(1, 1), (1, 1, 1));
        assert_eq!(of(PEOPLE_MAX, 20), (9_999, 1_000, 200));
    }
}
