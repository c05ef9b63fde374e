//! What is asked of the planner, over HTTP and on the command line, and what it answers.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::best::best;
use super::{
    Accuracy, Assumptions, Capacity, Dilution, Joint, Need, Performance, PoolAnswer, Scheme,
    two_infections,
};
use crate::error::Reason;

/// Largest pool that may be asked for; nobody mixes more, and sums stay exact.
const SIZE_MAX: u32 = 10_000;
/// Largest crowd that may be asked for: everybody there is.
const PEOPLE_MAX: u64 = 10_000_000_000;

/// A way to test people, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum SchemeName {
    /// Everybody alone.
    Single,
    /// A pool, then its members (Dorfman).
    #[value(alias = "two-stage", alias = "dorfman")]
    TwoStage,
    /// A pool, then its parts, then their members.
    #[value(alias = "three-stage")]
    ThreeStage,
    /// Rows and columns of a square, then whoever lies where two cross.
    #[value(alias = "square_array", alias = "square-array")]
    Array,
    /// The same after one pool of the whole square.
    #[value(alias = "array-with-master")]
    ArrayWithMaster,
}

impl SchemeName {
    /// What is compared when none is named. Nobody can mix a whole square of the best size in one
    /// well, so an array under a master pool is answered only by name.
    const COMPARED: [Self; 4] = [Self::Single, Self::TwoStage, Self::ThreeStage, Self::Array];
}

/// What is asked of the planner. Shares are between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoParams, clap::Args)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Question {
    /// Share of people infected: `0.001`.
    #[arg(long)]
    pub prevalence: f64,
    /// Sensitivity of a test on one person's material.
    #[arg(long, default_value_t = 1.0)]
    #[serde(default = "one")]
    pub sensitivity: f64,
    /// Specificity of a test on one person's material.
    #[arg(long, default_value_t = 1.0)]
    #[serde(default = "one")]
    pub specificity: f64,
    /// Sensitivity of a test on a pool, before dilution; as for one person when absent.
    #[arg(long)]
    pub pool_sensitivity: Option<f64>,
    /// Specificity of a test on a pool; as for one person when absent.
    #[arg(long)]
    pub pool_specificity: Option<f64>,
    /// Only this scheme; when absent all but the array under a master pool.
    #[arg(long)]
    #[param(inline)]
    pub scheme: Option<SchemeName>,
    /// People in a pool, or in a row of an array; the best size when absent.
    #[arg(long)]
    pub size: Option<u32>,
    /// People in a part of a three-stage pool; the best part when absent.
    #[arg(long)]
    pub part: Option<u32>,
    /// Most people whose material may come together in one well, as the kit is validated.
    #[arg(long)]
    pub max_size: Option<u32>,
    /// Material is mixed in the laboratory at this efficiency of a cycle, above 0 and up to 1:
    /// pools lose the infections nearest the cut-off. Leave it out for swabs in one tube.
    #[arg(long)]
    pub dilution: Option<f64>,
    /// Mean Ct of infected people tested singly; with `dilution`.
    #[arg(long, default_value_t = 28.0)]
    #[serde(default = "ct_mean")]
    pub ct_mean: f64,
    /// Standard deviation of that Ct; with `dilution`.
    #[arg(long, default_value_t = 5.0)]
    #[serde(default = "ct_sd")]
    pub ct_sd: f64,
    /// Ct beyond which a test is negative; with `dilution`.
    #[arg(long, default_value_t = 40.0)]
    #[serde(default = "cut_off")]
    pub cut_off: f64,
    /// Share of people with a second infection that the same assay looks for; two stages only.
    #[arg(long)]
    pub second_prevalence: Option<f64>,
    /// Share of people with both infections; with `second_prevalence`.
    #[arg(long, default_value_t = 0.0)]
    #[serde(default)]
    pub both: f64,
    /// People to be tested: adds wells, plates and hours.
    #[arg(long)]
    pub people: Option<u64>,
    /// Wells of a plate that hold tubes or pools.
    #[arg(long, default_value_t = 94)]
    #[serde(default = "wells_per_plate")]
    pub wells_per_plate: u32,
    /// Plates that run at the same time.
    #[arg(long, default_value_t = 1)]
    #[serde(default = "plates_at_once")]
    pub plates_at_once: u32,
    /// Minutes from one plate's start to the next one's on the same instrument.
    #[arg(long, default_value_t = 90)]
    #[serde(default = "minutes_per_run")]
    pub minutes_per_run: u32,
}

const fn one() -> f64 {
    1.0
}
const fn ct_mean() -> f64 {
    28.0
}
const fn ct_sd() -> f64 {
    5.0
}
const fn cut_off() -> f64 {
    40.0
}
const fn wells_per_plate() -> u32 {
    94
}
const fn plates_at_once() -> u32 {
    1
}
const fn minutes_per_run() -> u32 {
    90
}

/// What one scheme is expected to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SchemeFigures {
    /// The scheme.
    pub scheme: SchemeName,
    /// People in its largest pool, or in a row of an array.
    pub size: u32,
    /// People in a part of a three-stage pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Tests for each person over all rounds.
    pub tests_per_person: f64,
    /// Share of infected people found.
    pub sensitivity: f64,
    /// Share of people without infection who are told so.
    pub specificity: f64,
    /// Of people called infected, the share that is.
    pub ppv: f64,
    /// Of people called free of it, the share that is.
    pub npv: f64,
    /// What the answer of the first pool is worth by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolAnswer>,
    /// The same of the second infection, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondFigures>,
    /// Wells, plates and hours for the crowd, where one was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
}

/// What a scheme is expected to do for the second infection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecondFigures {
    /// Share of people with it who are found.
    pub sensitivity: f64,
    /// Share of people without it who are told so.
    pub specificity: f64,
    /// Of people called infected with it, the share that is.
    pub ppv: f64,
    /// Of people called free of it, the share that is.
    pub npv: f64,
}

/// The scheme with the fewest tests, and all that were compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// The one with the fewest tests.
    #[serde(flatten)]
    pub best: SchemeFigures,
    /// Every scheme compared, each in its best size, or in the size that was asked for.
    pub schemes: Vec<SchemeFigures>,
}

/// Answers a question, or says everything that is wrong with it.
pub fn answer(question: &Question) -> Result<Answer, Vec<Reason>> {
    let reasons = super::rules::refusals(question);
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let schemes: Vec<SchemeFigures> =
        question.schemes().into_iter().map(|scheme| question.figures(scheme)).collect();
    let fewest = schemes.iter().min_by(|a, b| a.tests_per_person.total_cmp(&b.tests_per_person));
    let best = fewest.cloned().ok_or_else(|| {
        let message = "no scheme fits; allow more people in a well or ask for another size";
        vec![Reason::new("plan.no_scheme", "max_size", message)]
    })?;
    Ok(Answer { best, schemes })
}

impl Question {
    fn given(&self) -> Assumptions {
        let single = Accuracy { sensitivity: self.sensitivity, specificity: self.specificity };
        let pool = Accuracy {
            sensitivity: self.pool_sensitivity.unwrap_or(self.sensitivity),
            specificity: self.pool_specificity.unwrap_or(self.specificity),
        };
        let dilution = self.dilution_given();
        Assumptions { prevalence: self.prevalence, single, pool, dilution }
    }

    /// What mixing takes, where it is asked for.
    pub(super) fn dilution_given(&self) -> Option<Dilution> {
        let (ct_mean, ct_sd, cut_off) = (self.ct_mean, self.ct_sd, self.cut_off);
        self.dilution.map(|efficiency| Dilution { efficiency, ct_mean, ct_sd, cut_off })
    }

    /// Shares by infection, where the assay looks for two.
    pub(super) fn joint(&self) -> Option<Joint> {
        let second = self.second_prevalence?;
        Some(Joint {
            neither: 1.0 - self.prevalence - second + self.both,
            first: self.prevalence - self.both,
            second: second - self.both,
            both: self.both,
        })
    }

    /// The schemes to compare.
    fn schemes(&self) -> Vec<Scheme> {
        let names = self.scheme.map_or(SchemeName::COMPARED.to_vec(), |name| vec![name]);
        let offered = names.into_iter().filter(|name| {
            self.joint().is_none() || matches!(name, SchemeName::Single | SchemeName::TwoStage)
        });
        offered.filter_map(|name| self.sized(name)).collect()
    }

    /// The scheme of that name in the size that was asked for, or in its best.
    fn sized(&self, name: SchemeName) -> Option<Scheme> {
        let most = self.max_size.unwrap_or(SIZE_MAX * SIZE_MAX);
        let scheme = match (name, self.size) {
            (SchemeName::Single, _) => Scheme::Single,
            (SchemeName::TwoStage, None) if self.joint().is_some() => self.best_for_two(most)?,
            (_, None) => best(name, &self.given(), most)?,
            (SchemeName::TwoStage, Some(size)) => Scheme::TwoStage { size },
            (SchemeName::ThreeStage, Some(size)) => {
                Scheme::ThreeStage { size, part: self.part.or_else(|| self.best_part(size))? }
            }
            (SchemeName::Array, Some(size)) => Scheme::Array { size },
            (SchemeName::ArrayWithMaster, Some(size)) => Scheme::ArrayWithMaster { size },
        };
        (scheme.depth() <= most).then_some(scheme)
    }

    /// The part of a three-stage pool that needs the fewest tests; none if nothing divides it.
    fn best_part(&self, size: u32) -> Option<u32> {
        let given = self.given();
        let tests =
            |part: u32| Scheme::ThreeStage { size, part }.performance(&given).tests_per_person();
        (2..=size / 2)
            .filter(|part| size.is_multiple_of(*part))
            .min_by(|a, b| tests(*a).total_cmp(&tests(*b)))
    }

    /// The two-stage size with the fewest tests for two infections.
    fn best_for_two(&self, most: u32) -> Option<Scheme> {
        const REACH: u32 = 1_000;
        let sizes = (2..=most.min(REACH)).map(|size| Scheme::TwoStage { size });
        let tests = |scheme: &Scheme| self.performances(*scheme).0.tests_per_person();
        sizes.min_by(|a, b| tests(a).total_cmp(&tests(b)))
    }

    fn performances(&self, scheme: Scheme) -> (Performance, Option<Performance>) {
        let given = self.given();
        match self.joint() {
            None => (scheme.performance(&given), None),
            Some(joint) => {
                let both = two_infections(scheme.size(), joint, given.single);
                (both.first, Some(both.second))
            }
        }
    }

    fn figures(&self, scheme: Scheme) -> SchemeFigures {
        let (performance, second) = self.performances(scheme);
        let capacity = Capacity {
            wells_per_plate: self.wells_per_plate,
            plates_at_once: self.plates_at_once,
            minutes_per_run: self.minutes_per_run,
        };
        let alone = second.is_none();
        SchemeFigures {
            scheme: scheme.name(),
            size: scheme.size(),
            part: match scheme {
                Scheme::ThreeStage { part, .. } => Some(part),
                _ => None,
            },
            tests_per_person: performance.tests_per_person(),
            sensitivity: performance.sensitivity,
            specificity: performance.specificity,
            ppv: performance.ppv,
            npv: performance.npv,
            pool: scheme.pool_answer(&self.given()).filter(|_| alone),
            second: second.map(|second| SecondFigures {
                sensitivity: second.sensitivity,
                specificity: second.specificity,
                ppv: second.ppv,
                npv: second.npv,
            }),
            need: self.people.map(|people| capacity.need(people, &performance)),
        }
    }
}

/// The bounds of what may be asked.
pub(super) const BOUNDS: (u32, u64) = (SIZE_MAX, PEOPLE_MAX);
