//! A made-up city that goes on: a morning lies behind it, work is left at every station, and with
//! every beat a little happens, so that whoever tries the pages sees them alive.
//!
//! People who try it work with the same boxes, tubes, plates and runs. What they took is refused
//! here, and left to them.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::ProgressBar;
use rand::RngExt as _;
use serde_json::{Value, json};

use super::Failure;
use super::bench::PLACES;
use super::city::{City, Fate, Group, POOL};
use super::cycler::Luck;
use super::morning::{Day, Inside, Length, Morning};
use super::road::Packed;
use super::site::Shift;
use super::staff::{Codes, EVENING_SESSION, ROUND, SITE, console, employ};
use crate::app::App;
use crate::auth::session::{password, sign_in};
use crate::auth::{NewAccount, Role};
use crate::barcode::Kind;
use crate::clock::{Span, Time};
use crate::config::Config;
use crate::plate::api::PlateAnswer;

/// The morning that lies behind.
const MORNING: Morning = Morning { seed: 20_200_622, people: 300 };
/// How long ago the site opened: the morning takes eleven hours.
const BEHIND: Span = Span::hours(16);
/// How long ago the work that is left began.
const WORK_BEHIND: Span = Span::minutes(75);
/// Days of the round.
const DAYS: i64 = 7;
/// The session that is swabbed now.
const SESSION: &str = "W03";
/// How long it goes on.
const SESSION_LASTS: Span = Span::hours(36);
/// Tubes of a box of the afternoon, and of one that is packed now.
const BOX: usize = 12;
const BOX_NOW: usize = 6;
/// Boxes of the afternoon: one more than is left each for the review, the instrument and the road, so
/// that all of it moves at once; one for the bench, and those at the site.
const BOXES: usize = 3 * (LEFT + 1) + 1 + LEFT;
/// Seconds from tube to tube in the afternoon.
const PACE_S: i64 = 8;
/// What is left to whoever tries it: boxes, plates or runs at each station.
const LEFT: usize = 2;
/// Tubes that are left before the bench.
const TUBES_LEFT: usize = 12;
/// Tubes a plate is laid out from.
const PLATE: usize = 18;
/// Recalled people who are left.
const RECALLS_LEFT: usize = 16;
/// Beats from one look at the recalls to the next.
const RECALLS_EVERY: u64 = 20;
/// Milliseconds between two beats.
const BEAT_MS: std::ops::Range<u64> = 2_000..4_000;
/// Kinds of things that happen in a beat.
const STEPS: usize = 7;
/// Codes that are allotted at once.
const CODES: usize = 240;

/// A city that goes on.
pub struct Alive<'a> {
    day: Day<'a>,
    /// Sealed and in no box.
    open: Vec<String>,
    /// At the site.
    sealed: VecDeque<Packed>,
    /// With the courier.
    road: VecDeque<Packed>,
    /// Before the bench.
    waiting: Vec<String>,
    /// Before the instrument.
    frozen: VecDeque<PlateAnswer>,
    beat: u64,
}

/// How somebody signs in at the pages.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The name they type, which is that of their role.
    pub login: &'static str,
    /// What they do.
    pub work: &'static str,
    /// Their password.
    pub password: String,
}

/// What can be scanned or typed at once.
#[derive(Debug, Clone)]
pub struct Tries {
    /// A box that is with the courier, to be taken in.
    pub box_code: String,
    /// A tube that waits for a plate.
    pub tube: String,
    /// A plate that waits for the instrument.
    pub plate: String,
    /// Number of the document of somebody who has a result; it belongs to nobody.
    pub document: String,
    /// Their pick-up code.
    pub pickup_code: String,
    /// Their link.
    pub link: String,
}

impl<'a> Alive<'a> {
    /// Plays what lies behind in the store of `config`, which must be empty; `now` is the present.
    pub async fn begin(config: Config, now: Time, bar: &'a ProgressBar) -> Result<Self, Failure> {
        let city = City::new(MORNING.seed, MORNING.people)?;
        let opens = now - BEHIND;
        let inside = Inside::start(config, opens).await?;
        let begun = Box::pin(Self::fill(&inside, city, opens, bar)).await;
        let end = inside.end().await;
        let begun = begun?;
        end?;
        bar.finish_and_clear();
        Ok(begun)
    }

    async fn fill(
        inside: &Inside,
        city: City,
        opens: Time,
        bar: &'a ProgressBar,
    ) -> Result<Self, Failure> {
        let length = Length { days: DAYS, more: CODES };
        let mut day = Day::open(inside, city, (MORNING, opens, length), bar).await?;
        day.begin("a morning that lies behind");
        let boxes = day.swab_everybody().await?;
        let accepted = day.bring(&boxes).await?;
        day.test(&accepted, true).await?;
        let mut alive = Self {
            day,
            open: Vec::new(),
            sealed: VecDeque::new(),
            road: VecDeque::new(),
            waiting: Vec::new(),
            frozen: VecDeque::new(),
            beat: 0,
        };
        alive.day.clock.advance_to(opens + BEHIND - WORK_BEHIND);
        alive.leave_work().await?;
        Ok(alive)
    }

    /// The afternoon: boxes get further the earlier they were packed.
    async fn leave_work(&mut self) -> Result<(), Failure> {
        self.day.begin("work for today");
        let mut boxes = VecDeque::with_capacity(BOXES);
        for _ in 0..BOXES {
            let groups: Vec<_> = (0..BOX).map(|_| self.day.city.newcomers(POOL)).collect();
            let begins = self.day.clock.now();
            let shift = Shift { session: EVENING_SESSION, device: "D01", begins, pace_s: PACE_S };
            let tubes = self.day.swab_online(shift, &groups).await?;
            boxes.push_back(Packed { code: self.day.pack(&tubes).await?, tubes });
        }
        self.sealed = boxes.split_off(BOXES - LEFT);
        self.road = boxes.split_off(boxes.len() - LEFT - 1);
        for packed in &self.road {
            self.day.carry(packed).await?;
        }
        for packed in &boxes {
            self.day.carry(packed).await?;
        }
        self.day.pass(Span::minutes(20));
        let mut plates = Vec::with_capacity(BOXES);
        for packed in &boxes {
            let tubes = self.day.deliver(packed).await?;
            if plates.len() < 2 * (LEFT + 1) {
                plates.push(self.day.lay_out(tubes, Vec::new()).await?);
            } else {
                self.waiting.extend(tubes);
            }
        }
        self.day.pass(Span::minutes(20));
        self.frozen = plates.split_off(LEFT + 1).into();
        for plate in &plates {
            self.day.run(plate, Luck::Good).await?;
        }
        Ok(())
    }

    /// Goes on at this address, by the clock of this application, and opens today's session.
    pub async fn go_on(&mut self, app: &App, base: &str) -> Result<(), Failure> {
        self.day.clock = app.clock.clone();
        self.day.staff = self.day.staff.moved(base, &app.clock);
        let now = app.clock.now();
        let session = json!({ "round": ROUND, "site": SITE, "team": "Team 3",
            "opens_at": now - Span::hours(1), "closes_at": now + SESSION_LASTS });
        self.day.staff.officer.put::<Value>(&format!("/v1/sessions/{SESSION}"), &session).await?;
        Ok(())
    }

    /// Gives everybody a name to sign in with and a password; each is told once.
    pub async fn sign_ins(&self, app: &App) -> Result<Vec<SignIn>, Failure> {
        let auditor = NewAccount {
            name: "Auditor Kuo".to_owned(),
            role: Role::Auditor,
            site: None,
            laboratory: None,
        };
        let (auditor, _token) = employ((&app.db, &app.clock), auditor).await?;
        let staff = &self.day.staff;
        let mut sign_ins = Vec::new();
        for (login, work, account) in [
            ("sampler", "swabs people into tubes", staff.sampler.account()),
            ("courier", "carries boxes", staff.courier.account()),
            ("receiver", "takes boxes in", staff.receiver.account()),
            ("technician", "lays plates out, brings run files in", staff.technician.account()),
            ("reviewer", "looks at a run first", staff.reviewer.account()),
            ("reviewer2", "releases what another reviewed", staff.releaser.account()),
            ("officer", "watches the city, calls recalled people", staff.officer.account()),
            ("auditor", "reads what was done", &*auditor.account),
            ("administrator", "keeps places and codes", staff.administrator.account()),
        ] {
            let password = password::generate();
            let given = (login, password.clone());
            sign_in::login_give(app, &console(), account, given).await?;
            sign_ins.push(SignIn { login, work, password });
        }
        Ok(sign_ins)
    }

    /// What a newcomer may scan first.
    pub fn tries(&self) -> Option<Tries> {
        let told = |person: &usize| self.day.city.fate_of(*person) == Fate::Negative;
        let morning = usize::try_from(MORNING.people).unwrap_or_default();
        let person = (0..morning).find(told)?;
        let slip = self.day.slips.get(&person)?;
        Some(Tries {
            box_code: self.road.back()?.code.clone(),
            tube: self.waiting.last()?.clone(),
            plate: self.frozen.back()?.code.clone(),
            document: self.day.city.people[person].id_number.clone(),
            pickup_code: slip.pickup_code.clone(),
            link: slip.link.clone(),
        })
    }

    /// Goes on, beat by beat, until it is dropped.
    pub async fn keep_moving(&mut self) {
        loop {
            let pause = self.day.city.rng.random_range(BEAT_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.beat += 1;
            for step in 0..STEPS {
                // Somebody at the pages was faster, or the service stops: the next beat goes on.
                if let Err(error) = self.step(step).await {
                    tracing::debug!(%error, "the city left something to others");
                }
            }
            for surprise in self.day.report.surprises.drain(..) {
                tracing::debug!(surprise, "the city is surprised");
            }
        }
    }

    /// One of the things that happen in a beat.
    async fn step(&mut self, step: usize) -> Result<(), Failure> {
        match step {
            0 => self.swab().await,
            1 => self.pack().await,
            2 => self.carry().await,
            3 => self.lay_out().await,
            4 => self.run().await,
            5 => self.review().await,
            _ => self.recall().await,
        }
    }

    async fn swab(&mut self) -> Result<(), Failure> {
        if self.day.tube_codes.left() < BOX * 2 {
            self.day.tube_codes = self.codes(Kind::Tube).await?;
        }
        let group = self.day.city.newcomers(POOL);
        self.seal(&[group]).await
    }

    /// Groups were swabbed just now, each within a second of the last.
    async fn seal(&mut self, groups: &[(Group, Fate)]) -> Result<(), Failure> {
        let long = i64::try_from(groups.len()).unwrap_or(i64::MAX);
        let begins = self.day.clock.now() - Span::seconds(long + 1);
        let shift = Shift { session: SESSION, device: "D01", begins, pace_s: 1 };
        let tubes = self.day.swab_online(shift, groups).await?;
        self.open.extend(tubes);
        Ok(())
    }

    async fn pack(&mut self) -> Result<(), Failure> {
        if self.open.len() < BOX_NOW {
            return Ok(());
        }
        if self.day.box_codes.left() == 0 {
            self.day.box_codes = self.codes(Kind::Box).await?;
        }
        let tubes = std::mem::take(&mut self.open);
        self.sealed.push_back(Packed { code: self.day.pack(&tubes).await?, tubes });
        Ok(())
    }

    /// The courier takes a box along, and brings another.
    async fn carry(&mut self) -> Result<(), Failure> {
        if self.road.len() > LEFT
            && let Some(packed) = self.road.pop_front()
        {
            let accepted = self.day.deliver(&packed).await?;
            self.waiting.extend(accepted);
        }
        if self.sealed.len() > LEFT
            && let Some(packed) = self.sealed.pop_front()
        {
            self.day.carry(&packed).await?;
            self.road.push_back(packed);
        }
        Ok(())
    }

    async fn lay_out(&mut self) -> Result<(), Failure> {
        if self.waiting.len() < PLATE + TUBES_LEFT {
            return Ok(());
        }
        if self.day.plate_codes.left() == 0 {
            self.day.plate_codes = self.codes(Kind::Plate).await?;
        }
        let some = (self.waiting.len() - TUBES_LEFT).min(PLACES);
        let tubes: Vec<String> = self.waiting.drain(..some).collect();
        self.frozen.push_back(self.day.lay_out(tubes, Vec::new()).await?);
        Ok(())
    }

    async fn run(&mut self) -> Result<(), Failure> {
        if self.frozen.len() > LEFT
            && let Some(plate) = self.frozen.pop_front()
        {
            self.day.run(&plate, Luck::Good).await?;
        }
        Ok(())
    }

    async fn review(&mut self) -> Result<(), Failure> {
        let runs = self.day.to_review().await?;
        if let Some(oldest) = runs.first().filter(|_| runs.len() > LEFT) {
            let back = self.day.sign(oldest).await?;
            self.waiting.extend(back);
        }
        Ok(())
    }

    /// Of the people who are recalled those come who wait longest.
    async fn recall(&mut self) -> Result<(), Failure> {
        if !self.beat.is_multiple_of(RECALLS_EVERY) {
            return Ok(());
        }
        let mut coming = self.day.call_recalled(RECALLS_LEFT).await?;
        coming.truncate(BOX);
        if coming.is_empty() { Ok(()) } else { self.seal(&coming).await }
    }

    async fn codes(&self, kind: Kind) -> Result<Codes, Failure> {
        self.day.staff.codes(kind, CODES).await
    }
}
