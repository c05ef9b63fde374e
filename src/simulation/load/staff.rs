//! Everybody who works on a day of a whole city, and the places they work at.

use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::Plan;
use super::connection::Connection;
use crate::auth::{NewAccount, Role, Token};
use crate::barcode::PlaceCode;
use crate::clock::{Clock, Span, Time};
use crate::simulation::Failure;
use crate::simulation::staff::{LOT, ROUND, employ, refuse_strangers};
use crate::storage::Db;

/// The kit of the day in its second version, which is validated for tubes of twenty.
pub(super) const KIT: (&str, &str) = ("orf1ab-n-ic", "2");
/// Couriers of the city.
const COURIERS: usize = 8;
/// Reactions of each laboratory's lot: more than a day can use.
const REACTIONS: u32 = 10_000_000;

/// Somebody with an account.
#[derive(Clone)]
pub(super) struct Employee {
    /// The account's id.
    pub(super) account: String,
    token: HeaderValue,
}

impl Employee {
    fn new(account: String, token: &Token) -> Result<Self, Failure> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_odd| Failure::Stuck("a token is no header".to_owned()))?;
        header.set_sensitive(true);
        Ok(Self { account, token: header })
    }

    /// What goes into the header of a request.
    pub(super) const fn token(&self) -> &HeaderValue {
        &self.token
    }
}

/// Those who work in one laboratory.
pub(super) struct Crew {
    /// Takes boxes in.
    pub(super) receiver: Employee,
    /// Loads plates and instruments.
    pub(super) technician: Employee,
    /// The first person who looks at a run.
    pub(super) reviewer: Employee,
    /// The second, who releases it.
    pub(super) releaser: Employee,
}

/// Everybody.
pub(super) struct Staff {
    /// Keeps places and codes.
    pub(super) administrator: Employee,
    /// Holds the round and calls recalled people.
    pub(super) officer: Employee,
    /// The health-code service.
    pub(super) service: Employee,
    /// Those who drive.
    pub(super) couriers: Vec<Employee>,
    /// Those who swab, one team at each site.
    pub(super) samplers: Vec<Employee>,
    /// The laboratories.
    pub(super) crews: Vec<Crew>,
}

/// The code of a place by its number, from 0.
fn place(letter: char, number: usize) -> Result<PlaceCode, Failure> {
    PlaceCode::parse(&format!("{letter}{:05}", number + 1))
        .map_err(|error| Failure::Stuck(error.to_string()))
}

/// The code of a site by its number, from 0.
pub(super) fn site(number: usize) -> Result<PlaceCode, Failure> {
    place('S', number)
}

/// The code of a site's session.
pub(super) fn session(number: usize) -> Result<PlaceCode, Failure> {
    place('W', number)
}

/// The code of a laboratory by its number, from 0.
pub(super) fn laboratory(number: usize) -> Result<PlaceCode, Failure> {
    place('L', number)
}

/// Makes accounts in a store that must have none.
struct Console<'a>(&'a Db, &'a Clock);

impl Console<'_> {
    async fn hire(
        &self,
        name: String,
        role: Role,
        at: Option<PlaceCode>,
    ) -> Result<Employee, Failure> {
        let at = at.map(|place| place.as_str().to_owned());
        let (site, laboratory) = match role {
            Role::Sampler => (at, None),
            _ => (None, at),
        };
        let new = NewAccount { name, role, site, laboratory };
        let (hired, token) = employ((self.0, self.1), new).await?;
        Employee::new(hired.account, &token)
    }
}

impl Staff {
    /// Makes everybody's account, at the console as `swabline user add` does.
    pub(super) async fn hire(db: &Db, clock: &Clock, plan: &Plan) -> Result<Self, Failure> {
        refuse_strangers(db).await?;
        let console = Console(db, clock);
        let city = |name: &str, role| console.hire(name.to_owned(), role, None);
        let mut couriers = Vec::new();
        for number in 1..=COURIERS {
            couriers.push(city(&format!("Courier {number}"), Role::Courier).await?);
        }
        let mut samplers = Vec::new();
        for number in 0..plan.site_count() {
            let name = format!("Team {}", number + 1);
            samplers.push(console.hire(name, Role::Sampler, Some(site(number)?)).await?);
        }
        let mut crews = Vec::new();
        for number in 0..plan.laboratory_count() {
            let at = laboratory(number)?;
            let here = |name: &str, role| {
                console.hire(format!("{name} {}", number + 1), role, Some(at.clone()))
            };
            crews.push(Crew {
                receiver: here("Receiver", Role::Receiver).await?,
                technician: here("Technician", Role::Technician).await?,
                reviewer: here("First reviewer", Role::Reviewer).await?,
                releaser: here("Second reviewer", Role::Reviewer).await?,
            });
        }
        Ok(Self {
            administrator: city("Administrator", Role::Administrator).await?,
            officer: city("Officer", Role::Officer).await?,
            service: city("Health code", Role::Service).await?,
            couriers,
            samplers,
            crews,
        })
    }

    /// Puts laboratories with their lots, sites with their sessions, and the round.
    pub(super) async fn open_places(
        &self,
        connection: &mut Connection,
        plan: &Plan,
        begins: Time,
    ) -> Result<(), Failure> {
        let (keeper, officer) = (&self.administrator, &self.officer);
        let round = json!({ "name": "The day", "area": "City", "specimen": "oropharyngeal swab",
            "tube_size": plan.tube_size, "starts_at": begins - Span::days(1),
            "ends_at": begins + Span::days(2), "result_hours": 24 });
        connection.put::<Value>(&format!("/v1/rounds/{ROUND}"), officer, &round).await?;
        for (number, crew) in self.crews.iter().enumerate() {
            let code = laboratory(number)?;
            let body = json!({ "name": format!("Laboratory {}", number + 1),
                "address": format!("{} Laboratory Road", number + 1) });
            connection.put::<Value>(&format!("/v1/laboratories/{code}"), keeper, &body).await?;
            let route = format!("/v1/lots/{}/{LOT}", KIT.0);
            let lot = json!({ "laboratory": code, "reactions": REACTIONS,
                "expires_at": begins + Span::days(180) });
            connection.put::<Value>(&route, &crew.technician, &lot).await?;
            let issue = json!({ "laboratory": code, "reactions": REACTIONS });
            let route = format!("{route}/issues");
            connection.post::<Value>(&route, &crew.technician, &issue).await?;
        }
        for number in 0..self.samplers.len() {
            let (code, session) = (site(number)?, session(number)?);
            let body = json!({ "name": format!("Site {}", number + 1), "area": "City" });
            connection.put::<Value>(&format!("/v1/sites/{code}"), keeper, &body).await?;
            let body = json!({ "round": ROUND, "site": code, "team": "Day team",
                "opens_at": begins - Span::hours(4), "closes_at": begins + Span::days(1) });
            connection.put::<Value>(&format!("/v1/sessions/{session}"), officer, &body).await?;
        }
        Ok(())
    }

    /// The laboratory to which a site's boxes go.
    pub(super) fn laboratory_of(&self, site: usize) -> usize {
        site % self.crews.len()
    }
}
