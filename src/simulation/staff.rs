//! Everybody who works that day, the places they work at, and the codes they are given.

use std::vec::IntoIter;

use serde_json::{Value, json};

use super::Failure;
use super::client::{CallError, Client};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::auth::{self, Actor, NewAccount, Role, Token};
use crate::barcode::Kind;
use crate::barcode::allot::Allotment;
use crate::barcode::api::AllotmentAnswer;
use crate::clock::{Clock, Span, Time};
use crate::storage::Db;

/// The one site.
pub const SITE: &str = "S01";
/// The one laboratory.
pub const LABORATORY: &str = "L01";
/// The kit of the day, two targets and an internal control in one well.
pub const KIT: (&str, &str) = ("orf1ab-n-ic", "1");
/// The lot its plates are filled from.
pub const LOT: &str = "20200601";
/// Reactions of that lot: enough for ten million people in tubes of ten.
const REACTIONS: u32 = 1_100_000;
/// The round of the day.
pub const ROUND: &str = "R01";
/// The session in which everybody is swabbed.
pub const MORNING_SESSION: &str = "W01";
/// The session in which recalled people are swabbed.
pub const EVENING_SESSION: &str = "W02";

/// Everybody who works that day, each with a token.
pub struct Staff {
    /// Keeps places and codes.
    pub administrator: Client,
    /// Holds the round and calls recalled people.
    pub officer: Client,
    /// Swabs.
    pub sampler: Client,
    /// Drives.
    pub courier: Client,
    /// Takes boxes in.
    pub receiver: Client,
    /// Loads plates and instruments.
    pub technician: Client,
    /// The first person who looks at a run.
    pub reviewer: Client,
    /// The second, who releases it.
    pub releaser: Client,
    /// The health-code service.
    pub service: Client,
    /// Anybody in the street, without an account.
    pub resident: Client,
}

/// Somebody at the console of the machine, as `swabline user add` is run by.
pub(super) fn console() -> Actor {
    Actor {
        account: "console".to_owned(),
        name: "console".to_owned(),
        role: Role::Administrator,
        site: None,
        laboratory: None,
    }
}

/// Makes an account at the console, with a token for some days.
pub(super) async fn employ(
    (db, clock): (&Db, &Clock),
    new: NewAccount,
) -> Result<(Actor, Token), Failure> {
    let mut tx = db.write("user.add").await?;
    let hired = auth::account_add(&mut tx, clock, new).await?;
    let (at, actor) = (clock.now(), console());
    let token = auth::token_issue(&mut tx, &hired.account, "demo", at, Span::days(2)).await?;
    let (about, detail) = (hired.account.as_str(), json!({ "role": hired.role, "days": 2 }));
    audit::record(&mut tx, Entry { at, actor: &actor, action: "user.add", about, detail }).await?;
    tx.commit().await?;
    Ok((hired, token))
}

/// Makes an account and signs it in.
async fn hire(app: &App, street: &Client, name: &str, role: Role) -> Result<Client, Failure> {
    let new = NewAccount {
        name: name.to_owned(),
        role,
        site: role.needs_site().then(|| SITE.to_owned()),
        laboratory: role.needs_laboratory().then(|| LABORATORY.to_owned()),
    };
    let (hired, token) = employ((&app.db, &app.clock), new).await?;
    Ok(street.signed_in(&hired.account, &token))
}

/// Refuses a store in which somebody works already.
pub(super) async fn refuse_strangers(db: &Db) -> Result<(), Failure> {
    let mut tx = db.read("user.list").await?;
    if auth::accounts(&mut tx).await?.is_empty() { Ok(()) } else { Err(Failure::NotEmpty) }
}

impl Staff {
    /// Makes everybody's account, at the console as `swabline user add` does.
    pub async fn hire(app: &App, street: Client) -> Result<Self, Failure> {
        refuse_strangers(&app.db).await?;
        let street = &street;
        Ok(Self {
            administrator: hire(app, street, "Administrator An", Role::Administrator).await?,
            officer: hire(app, street, "Officer Bei", Role::Officer).await?,
            sampler: hire(app, street, "Sampler Cen", Role::Sampler).await?,
            courier: hire(app, street, "Courier Dun", Role::Courier).await?,
            receiver: hire(app, street, "Receiver Fei", Role::Receiver).await?,
            technician: hire(app, street, "Technician Gan", Role::Technician).await?,
            reviewer: hire(app, street, "Reviewer Hou", Role::Reviewer).await?,
            releaser: hire(app, street, "Reviewer Jun", Role::Reviewer).await?,
            service: hire(app, street, "Health code", Role::Service).await?,
            resident: street.clone(),
        })
    }

    /// The same people at another address of the same service, by its clock.
    pub(super) fn moved(&self, base: &str, clock: &Clock) -> Self {
        let moved = |client: &Client| client.moved(base, clock.clone());
        Self {
            administrator: moved(&self.administrator),
            officer: moved(&self.officer),
            sampler: moved(&self.sampler),
            courier: moved(&self.courier),
            receiver: moved(&self.receiver),
            technician: moved(&self.technician),
            reviewer: moved(&self.reviewer),
            releaser: moved(&self.releaser),
            service: moved(&self.service),
            resident: moved(&self.resident),
        }
    }

    /// Puts the laboratory, the site, the round of so many days and its two sessions.
    pub async fn open_places(&self, opens: Time, days: i64) -> Result<(), CallError> {
        let laboratory = json!({ "name": "Laboratory 1", "address": "1 Laboratory Road" });
        let site = json!({ "name": "North gate", "area": "Fengtai" });
        let round = json!({
            "name": "June", "area": "Fengtai", "specimen": "oropharyngeal swab", "tube_size": 10,
            "starts_at": opens, "ends_at": opens + Span::days(days), "result_hours": 24,
        });
        let session = |team: &str, from: i64, to: i64| {
            json!({ "round": ROUND, "site": SITE, "team": team,
                "opens_at": opens + Span::hours(from), "closes_at": opens + Span::hours(to) })
        };
        let (administrator, officer) = (&self.administrator, &self.officer);
        for (who, route, place) in [
            (administrator, format!("/v1/laboratories/{LABORATORY}"), laboratory),
            (administrator, format!("/v1/sites/{SITE}"), site),
            (officer, format!("/v1/rounds/{ROUND}"), round),
            (officer, format!("/v1/sessions/{MORNING_SESSION}"), session("Team 1", 0, 6)),
            (officer, format!("/v1/sessions/{EVENING_SESSION}"), session("Team 2", 6, 16)),
        ] {
            who.put::<Value>(&route, &place).await?;
        }
        Ok(())
    }

    /// Registers the lot of the day and issues it to the bench.
    pub async fn stock(&self, opens: Time) -> Result<(), CallError> {
        let route = format!("/v1/lots/{}/{LOT}", KIT.0);
        let lot = json!({ "laboratory": LABORATORY, "expires_at": opens + Span::days(180),
            "reactions": REACTIONS });
        self.technician.put::<Value>(&route, &lot).await?;
        let issue = json!({ "laboratory": LABORATORY, "reactions": REACTIONS });
        self.technician.post::<Value>(&format!("{route}/issues"), &issue).await?;
        Ok(())
    }

    /// Has that many codes allotted to a place.
    pub async fn codes(&self, kind: Kind, count: usize) -> Result<Codes, Failure> {
        let in_laboratory = matches!(kind, Kind::Plate | Kind::Pool);
        let place = if in_laboratory { LABORATORY } else { SITE };
        let wanted = json!({ "kind": kind, "count": count, "place": place });
        let range: AllotmentAnswer = self.administrator.post("/v1/allotments", &wanted).await?;
        let range = Allotment::new(range.kind, range.first, range.count)
            .map_err(|_reasons| Failure::Stuck(format!("no range of {kind} codes was allotted")))?;
        Ok(Codes { kind, left: range.codes().collect::<Vec<_>>().into_iter() })
    }
}

/// Codes that were allotted and not used yet.
#[derive(Debug, Clone)]
pub struct Codes {
    kind: Kind,
    left: IntoIter<String>,
}

impl Codes {
    /// How many are left.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// The next code.
    pub fn take(&mut self) -> Result<String, Failure> {
        let next = self.left.next();
        next.ok_or_else(|| Failure::Stuck(format!("no {} code is left", self.kind)))
    }
}
