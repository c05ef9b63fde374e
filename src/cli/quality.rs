//! `swabline quality`: which alarms are open, and where the charts stand.

use super::Refused;
use crate::app::App;
use crate::clock::Time;
use crate::quality::alarm::{self, Asked};
use crate::quality::api::AlarmAnswer;
use crate::quality::store::{self, Newest};
use crate::receiving::store::refuse_unknown_laboratory;

/// Alarms printed at most.
const ALARMS_MAX: i64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Quality {
    /// Only this laboratory.
    #[arg(long)]
    laboratory: Option<String>,
    /// Alarms over tubes of known content too, of which the laboratory must not know.
    #[arg(long)]
    seeded: bool,
    /// Acknowledged alarms too.
    #[arg(long)]
    acknowledged: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// What `quality` prints for programs.
#[derive(serde::Serialize)]
struct Printed {
    alarms: Vec<AlarmAnswer>,
    newest: Vec<Newest>,
}

impl Quality {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<()> {
        let laboratory = self.laboratory.as_deref();
        let (with_seeded, with_acknowledged) = (self.seeded, self.acknowledged);
        let asked = Asked { laboratory, with_seeded, with_acknowledged };
        let mut tx = app.db.read("quality.print").await?;
        refuse_unknown_laboratory(&mut tx, laboratory).await?;
        let begin = (Time::from_us(i64::MIN), "");
        let alarms = alarm::list(&mut tx, &asked, begin, ALARMS_MAX).await?;
        let open = if self.acknowledged {
            // Those printed may be older ones alone.
            let waiting = Asked { with_acknowledged: false, ..asked };
            alarm::list(&mut tx, &waiting, begin, ALARMS_MAX).await?.len()
        } else {
            alarms.len()
        };
        let newest = store::newest(&mut tx, laboratory).await?;
        drop(tx);
        app.db.close().await;
        let printed =
            Printed { alarms: alarms.into_iter().map(AlarmAnswer::from).collect(), newest };
        if self.json {
            super::print_json(&printed)?;
        } else {
            show(&printed);
        }
        if open == 0 {
            return Ok(());
        }
        Err(Refused(format!("{open} alarms are open; find their cause and acknowledge them"))
            .into())
    }
}

fn show(printed: &Printed) {
    for answer in &printed.alarms {
        let alarm = &answer.alarm;
        say!("{} {} {}: {}", alarm.opened, alarm.laboratory_code, alarm.id, answer.message);
    }
    for point in &printed.newest {
        let usual = match (point.mean, point.sd) {
            (Some(mean), Some(sd)) => format!("usual {mean:.2}, SD {sd:.2}"),
            _ => "still being learnt".to_owned(),
        };
        say!(
            "{:<8}{:<22}{:<10}{:<18}Ct {:.2}  {usual}",
            point.laboratory,
            point.measure.to_string(),
            point.target,
            point.instrument,
            point.ct
        );
    }
}
