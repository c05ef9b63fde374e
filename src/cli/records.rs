//! `swabline audit verify` and `swabline ledger`: is the trail whole, is nothing lost.

use super::Refused;
use crate::app::App;
use crate::audit;
use crate::clock::Time;
use crate::collection::place::store::refuse_unknown_site;
use crate::figures::check::{Checked, Difference, check};
use crate::integrity::root;
use crate::ledger::{self, store::Scope};
use crate::receiving::store::refuse_unknown_laboratory;
use crate::review::verify::{Signatures, signatures_verify};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    /// Walk every chain, recompute every signature, and name the first that is broken.
    Verify {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// One figure for everything done until the end of a day; exit code 2 when it is not the one
    /// that was lodged.
    Root {
        /// The day, China's time: `2020-06-21`.
        #[arg(long)]
        day: String,
        /// The figure that was lodged.
        #[arg(long)]
        lodged: Option<String>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// What `audit verify` prints for programs.
#[derive(serde::Serialize)]
struct Proof {
    #[serde(flatten)]
    trail: audit::Verified,
    signatures: Signatures,
}

impl Audit {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        match self {
            Self::Verify { json } => verify(app, json).await,
            Self::Root { day, lodged, json } => day_root(app, &day, lodged.as_deref(), json).await,
        }
    }
}

async fn day_root(app: &App, day: &str, lodged: Option<&str>, json: bool) -> anyhow::Result<()> {
    let mut tx = app.db.read("integrity.root").await?;
    let root = root::root(&mut tx, day, app.clock.now()).await?;
    drop(tx);
    app.db.close().await;
    if json {
        super::print_json(&root)?;
    } else {
        say!("{} rows in {} chains until the end of {day}", root.rows, root.chains);
        say!("{}", root.sha256);
    }
    match lodged {
        Some(lodged) if !lodged.eq_ignore_ascii_case(&root.sha256) => {
            Err(Refused(format!("the root of {day} is not the one that was lodged")).into())
        }
        _ => Ok(()),
    }
}

async fn verify(app: &App, json: bool) -> anyhow::Result<()> {
    let mut tx = app.db.read("audit.verify").await?;
    let trail = audit::verify(&mut tx).await?;
    let signatures = signatures_verify(&mut tx).await?;
    drop(tx);
    app.db.close().await;
    let proof = Proof { trail, signatures };
    if json {
        super::print_json(&proof)?;
    }
    let Proof { trail, signatures } = proof;
    if let Some(broken) = trail.broken {
        let audit::Break { chain, seq, reason } = broken;
        return Err(Refused(format!("chain {chain} is broken at row {seq}: {reason}")).into());
    }
    if let Some(broken) = signatures.broken {
        return Err(Refused(broken.to_string()).into());
    }
    if !json {
        say!("{} rows in {} chains are whole", trail.rows, trail.chains);
        say!("{} signatures stand for their runs", signatures.compared);
    }
    Ok(())
}

#[derive(Debug, clap::Args)]
pub(super) struct Ledger {
    /// Only tubes sealed on this day, China's time: `2020-06-21`.
    #[arg(long)]
    day: Option<String>,
    /// Only tubes of this site.
    #[arg(long)]
    site: Option<String>,
    /// Only tubes of this laboratory.
    #[arg(long)]
    laboratory: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let sealed = match &self.day {
            Some(day) => {
                let bounds = Time::day_bounds(day);
                Some(bounds.ok_or_else(|| anyhow::anyhow!("a day is written like 2020-06-21"))?)
            }
            None => None,
        };
        let (site, laboratory) = (self.site, self.laboratory);
        let scope = Scope { site, laboratory, sealed, is_blind: false };
        let mut tx = app.db.read("ledger").await?;
        refuse_unknown_laboratory(&mut tx, scope.laboratory.as_deref()).await?;
        refuse_unknown_site(&mut tx, scope.site.as_deref()).await?;
        let ledger = ledger::store::ledger(&mut tx, app.clock.now(), &scope).await?;
        // The board's counters are of everything, and so is their check.
        let figures = if scope == Scope::default() { Some(check(&mut tx).await?) } else { None };
        drop(tx);
        app.db.close().await;
        let books = Books { ledger, figures };
        if self.json {
            super::print_json(&books)?;
        }
        let Books { ledger, figures } = books;
        let figures = figures.unwrap_or_default();
        if !self.json {
            show(&ledger);
            show_figures(&figures);
        }
        if ledger.unexplained > 0 {
            return Err(Refused(format!("{} tubes are unexplained", ledger.unexplained)).into());
        }
        if figures.differing > 0 {
            let message = format!("{} figures of the board are wrong", figures.differing);
            return Err(Refused(message).into());
        }
        Ok(())
    }
}

/// What `ledger` prints for programs.
#[derive(serde::Serialize)]
struct Books {
    #[serde(flatten)]
    ledger: ledger::Report,
    /// Whether the board's counters are right, where everything is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Checked>,
}

fn show_figures(figures: &Checked) {
    for one in &figures.differences {
        let Difference { what, round, area, laboratory, counted, stored, .. } = one;
        say!(
            "the board counts {} tubes and {} people as `{what}`, the store has {} and {} \
             (round {round:?}, area {area:?}, laboratory {laboratory:?}, hour {})",
            counted.tubes,
            counted.people,
            stored.tubes,
            stored.people,
            one.hour
        );
    }
}

fn show(report: &ledger::Report) {
    say!("{:<14}{:>12}{:>12}", "", "tubes", "people");
    let (tubes, people) = (report.whole.tubes.lines(), report.whole.people.lines());
    for ((name, tubes), (_, people)) in tubes.into_iter().zip(people) {
        say!("{name:<14}{tubes:>12}{people:>12}");
    }
    for tube in &report.reasons {
        say!("unexplained: {}: {}", tube.tube, tube.reasons.join("; "));
    }
    if report.overdue_tubes > 0 {
        say!("{} tubes are overdue:", report.overdue_tubes);
    }
    for late in &report.overdue {
        say!("  {} was due {}", late.tube, late.due_at);
    }
}
