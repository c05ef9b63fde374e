//! The play: one site and one laboratory, from the first swab to the last result.
//!
//! The server runs inside on a clock that is moved by hand, so that a day passes in seconds and
//! every time in the store is one of that day. Accounts are made at the console; everything else
//! goes over HTTP.

use std::collections::HashMap;
use std::time::Instant;

use indicatif::ProgressBar;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Failure;
use super::bench::PLACES;
use super::city::{City, Fate, Group};
use super::client::Client;
use super::report::{Report, StepTime};
use super::residents::Hour;
use super::road::Packed;
use super::screening::Screened;
use super::site::Shift;
use super::staff::{Codes, EVENING_SESSION, MORNING_SESSION, Staff};
use crate::app::App;
use crate::audit;
use crate::barcode::Kind;
use crate::clock::{Clock, Span, Time};
use crate::collection::tube::api::MemberAnswer;
use crate::config::Config;
use crate::figures::check::check;

/// When the site opens: 2020-06-21 08:00 in Beijing.
const OPENS: Time = Time::from_us(1_592_697_600_000_000);
/// How long the site swabs, in seconds.
const SWABBING_S: i64 = 3 * 60 * 60;
/// Boxes the morning's tubes are packed into, unless that would overfill them.
const BOXES: usize = 4;
/// Tubes in a box at most.
const BOX_MAX: usize = 200;
/// People recalled: the members of the refused and of the positive pool.
const RECALLED: usize = 20;
/// Times that somebody asks: the service four times, residents twice.
const ASKED: usize = 6;
/// Seconds between two recalled people.
const RECALLED_PACE_S: i64 = 180;

/// Which morning is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Morning {
    /// Decides who lives there and what happens to whom; the same seed is the same morning.
    pub seed: u64,
    /// People who are swabbed.
    pub people: u32,
}

impl Default for Morning {
    fn default() -> Self {
        Self { seed: 20_200_621, people: 960 }
    }
}

/// A tube of the day.
#[derive(Debug, Clone)]
pub(super) struct Tube {
    /// Who was swabbed into it.
    pub(super) members: Vec<usize>,
    /// What happens to it.
    pub(super) fate: Fate,
}

/// Everything of the day while it is played.
pub(super) struct Day<'a> {
    pub(super) clock: Clock,
    pub(super) staff: Staff,
    pub(super) city: City,
    pub(super) tube_codes: Codes,
    pub(super) box_codes: Codes,
    pub(super) plate_codes: Codes,
    /// Every tube by its code.
    pub(super) tubes: HashMap<String, Tube>,
    /// What each person was handed at their last swab.
    pub(super) slips: HashMap<usize, MemberAnswer>,
    /// The person keys in the order of the people, as the service knows them.
    pub(super) keys: Vec<String>,
    pub(super) report: Report,
    pub(super) bar: &'a ProgressBar,
    /// When the site opens.
    opens: Time,
    step: (&'static str, Instant),
}

/// What is played once everything is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Pools of the street, recalls and single tubes.
    Morning,
    /// Single tubes, mixed in the laboratory so many at a time.
    Screening(usize),
}

/// What came of it.
pub(super) struct Played {
    pub(super) report: Report,
    pub(super) screened: Screened,
}

/// Plays a morning in the store of `config`, which must be empty, and says what came of it.
///
/// Whether it adds up is for [`Report::adds_up`]; an error means that it could not be played to
/// its end.
pub async fn play(config: Config, morning: Morning, bar: &ProgressBar) -> Result<Report, Failure> {
    let started = Instant::now();
    let city = City::new(morning.seed, morning.people)?;
    let mut report = Box::pin(served(config, city, (morning, Course::Morning), bar)).await?.report;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Opens the store, starts a server inside, plays the course and ends the server.
pub(super) async fn served(
    config: Config,
    city: City,
    what: (Morning, Course),
    bar: &ProgressBar,
) -> Result<Played, Failure> {
    let inside = Inside::start(config, OPENS).await?;
    let played = Box::pin(in_service(&inside, city, what, bar)).await;
    let end = inside.end().await;
    let played = played?;
    end?;
    Ok(played)
}

/// A server inside, on a clock that is moved by hand.
pub(super) struct Inside {
    pub(super) app: App,
    base: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Inside {
    /// Opens the store an hour before the site opens and serves from it.
    pub(super) async fn start(config: Config, opens: Time) -> Result<Self, Failure> {
        let clock = Clock::stepped(opens - Span::hours(1));
        // The morning's kit is invented, and so is everybody who is told a result by it.
        let listen = ([127, 0, 0, 1], 0).into();
        let app = App::open(Config { listen, demonstration_kits: true, ..config }, clock).await?;
        let listener = app.listen()?;
        let address = listener.local_addr().map_err(|error| Failure::Server(error.to_string()))?;
        let (stop, told) = oneshot::channel::<()>();
        let told_to_stop = async move { told.await.unwrap_or(()) };
        let server = tokio::spawn(app.clone().serve(listener, told_to_stop));
        Ok(Self { app, base: format!("http://{address}"), stop, server })
    }

    /// Ends the server and closes the store.
    pub(super) async fn end(self) -> Result<(), Failure> {
        // The server ends by itself when the sender is gone, too.
        self.stop.send(()).unwrap_or(());
        let end = self.server.await.map_err(|error| Failure::Server(error.to_string()))?;
        end.map_err(|error| Failure::Server(error.to_string()))
    }
}

/// The day while the server runs, and the audit trail after it.
async fn in_service(
    inside: &Inside,
    city: City,
    (morning, course): (Morning, Course),
    bar: &ProgressBar,
) -> Result<Played, Failure> {
    let app = &inside.app;
    let length = Length { days: 1, more: 0 };
    let mut day = Day::open(inside, city, (morning, OPENS, length), bar).await?;
    let mut screened = Screened::default();
    match course {
        Course::Morning => day.pass_by().await?,
        Course::Screening(size) => screened = day.screen(size).await?,
    }
    let mut tx = app.db.read("audit.verify").await?;
    day.report.audit = Some(audit::verify(&mut tx).await?);
    day.report.figures = Some(check(&mut tx).await?);
    day.begin("end");
    bar.finish_and_clear();
    Ok(Played { report: day.report, screened })
}

/// How long a round lasts, and how many more groups come than the morning's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) days: i64,
    pub(super) more: usize,
}

fn box_size(groups: usize) -> usize {
    groups.div_ceil(BOXES).min(BOX_MAX)
}

impl<'a> Day<'a> {
    /// Everybody is hired, the places are open, and there are codes for everything.
    pub(super) async fn open(
        inside: &Inside,
        city: City,
        (morning, opens, length): (Morning, Time, Length),
        bar: &'a ProgressBar,
    ) -> Result<Self, Failure> {
        let app = &inside.app;
        let street = Client::nobody(&inside.base, app.clock.clone())
            .map_err(|error| Failure::Server(error.to_string()))?;
        let staff = Staff::hire(app, street).await?;
        staff.open_places(opens, length.days).await?;
        staff.stock(opens).await?;
        let groups = city.groups.len();
        let boxes = groups.div_ceil(box_size(groups)) + 1;
        // The morning's plates, one again for the one that fails, and one for the recalled.
        let plates = groups.div_ceil(PLACES).max(2) + 2;
        bar.set_length((groups + length.more + RECALLED + boxes + plates + ASKED) as u64);
        Ok(Self {
            clock: app.clock.clone(),
            tube_codes: staff.codes(Kind::Tube, groups + length.more + RECALLED).await?,
            box_codes: staff.codes(Kind::Box, boxes + length.more).await?,
            plate_codes: staff.codes(Kind::Plate, plates + length.more).await?,
            report: Report::new(morning, app.db.engine(), city.people.len()),
            staff,
            city,
            tubes: HashMap::new(),
            slips: HashMap::new(),
            keys: Vec::new(),
            bar,
            opens,
            step: ("open", Instant::now()),
        })
    }
}

impl Day<'_> {
    /// The day from the first swab to the books.
    async fn pass_by(&mut self) -> Result<(), Failure> {
        self.begin("collect");
        let boxes = self.swab_everybody().await?;
        self.begin("carry and receive");
        let accepted = self.bring(&boxes).await?;
        self.ask_for_everybody(Hour::Noon).await?;
        self.begin("test, review, release");
        self.test(&accepted, true).await?;
        self.begin("ask in the afternoon");
        self.ask_for_everybody(Hour::Afternoon).await?;
        self.residents_ask(Hour::Afternoon).await?;
        self.begin("recall and collect singly");
        let again = self.swab_recalled().await?;
        let accepted = self.bring(&[again]).await?;
        self.begin("test the recalled");
        self.test(&accepted, false).await?;
        self.begin("ask in the evening");
        self.ask_for_everybody(Hour::Evening).await?;
        self.residents_ask(Hour::Evening).await?;
        self.read_feed().await?;
        self.begin("close the books");
        self.count_recalls().await?;
        self.report.ledger = self.staff.officer.get("/v1/ledger").await?;
        Ok(())
    }

    /// Everybody of the city is swabbed; the tubes of the last box by a device without a network.
    pub(super) async fn swab_everybody(&mut self) -> Result<Vec<Packed>, Failure> {
        let groups = self.city.groups.iter().cloned().enumerate();
        let groups: Vec<(Group, Fate)> =
            groups.map(|(number, group)| (group, self.city.fate(number))).collect();
        let pace_s = SWABBING_S / i64::try_from(groups.len()).unwrap_or(i64::MAX);
        let shares: Vec<_> = groups.chunks(box_size(groups.len())).collect();
        let mut boxes = Vec::with_capacity(shares.len());
        let mut begins = self.opens;
        for (n, share) in shares.iter().enumerate() {
            let is_last = n + 1 == shares.len();
            let device = if is_last { "D02" } else { "D01" };
            let shift = Shift { session: MORNING_SESSION, device, begins, pace_s };
            let tubes = if is_last {
                self.swab_offline(shift, share).await?
            } else {
                self.swab_online(shift, share).await?
            };
            begins = shift.seals(share.len() - 1);
            boxes.push(Packed { code: self.pack(&tubes).await?, tubes });
        }
        for (group, _) in &groups {
            *self.report.sizes.entry(group.size).or_default() += 1;
        }
        Ok(boxes)
    }

    /// Whoever is recalled comes an hour later and is swabbed into a tube of their own.
    async fn swab_recalled(&mut self) -> Result<Packed, Failure> {
        let singles = self.call_recalled(0).await?;
        *self.report.sizes.entry(1).or_default() += singles.len();
        let begins = self.clock.now() + Span::hours(1);
        let (session, device) = (EVENING_SESSION, "D01");
        let shift = Shift { session, device, begins, pace_s: RECALLED_PACE_S };
        let tubes = self.swab_online(shift, &singles).await?;
        Ok(Packed { code: self.pack(&tubes).await?, tubes })
    }

    /// Lets time go by.
    pub(super) fn pass(&self, span: Span) {
        self.clock.advance_to(self.clock.now() + span);
    }

    /// Writes down an answer that is not what the simulation knows.
    pub(super) fn surprise(&mut self, what: impl Into<String>) {
        self.report.surprises.push(what.into());
    }

    /// Ends a step and begins the next.
    pub(super) fn begin(&mut self, step: &'static str) {
        let (ended, since) = std::mem::replace(&mut self.step, (step, Instant::now()));
        self.report.steps.push(StepTime { step: ended, seconds: since.elapsed().as_secs_f64() });
        self.bar.set_message(step);
    }
}
