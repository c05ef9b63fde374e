//! `swabline plan`: which pooling scheme, of which size, for how many tests.

use crate::pooling::plan::{self, Question, SchemeFigures};

#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    #[command(flatten)]
    question: Question,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let answer = plan::answer(&self.question).map_err(|reasons| {
            let said: Vec<String> = reasons
                .iter()
                .map(|reason| format!("{}: {}", reason.about, reason.message))
                .collect();
            anyhow::anyhow!("{}", said.join("; "))
        })?;
        if self.json {
            return super::print_json(&answer);
        }
        say!(
            "{:<18}{:>6}{:>6}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "scheme",
            "size",
            "part",
            "tests",
            "sens.",
            "spec.",
            "ppv",
            "npv"
        );
        for scheme in &answer.schemes {
            say!("{}", line(scheme));
        }
        for scheme in &answer.schemes {
            if let Some(need) = &scheme.need {
                say!(
                    "{}: {} people need {} wells on {} plates, {:.1} hours in {} rounds",
                    name(scheme),
                    need.people,
                    need.wells,
                    need.plates,
                    need.hours,
                    need.rounds.len()
                );
            }
        }
        say!(
            "the fewest tests: {} of {}, {:.4} a person",
            name(&answer.best),
            answer.best.size,
            answer.best.tests_per_person
        );
        Ok(())
    }
}

fn line(scheme: &SchemeFigures) -> String {
    let part = scheme.part.map_or_else(|| "-".to_owned(), |part| part.to_string());
    format!(
        "{:<18}{:>6}{:>6}{:>10.6}{:>10.6}{:>10.6}{:>10.6}{:>10.6}",
        name(scheme),
        scheme.size,
        part,
        scheme.tests_per_person,
        scheme.sensitivity,
        scheme.specificity,
        scheme.ppv,
        scheme.npv
    )
}

fn name(scheme: &SchemeFigures) -> String {
    use clap::ValueEnum as _;
    let value = scheme.scheme.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().replace('_', " "))
}
