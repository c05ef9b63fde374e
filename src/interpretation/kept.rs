//! A call as it is kept: what the store is asked by has columns of its own, and the evidence is one
//! text beside them. Nothing is kept twice, for of a day's rows calls are among the widest.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::calls::{Call, TargetCall};
use super::controls::Verdict;
use super::disposition::{Disposition, clean_negative};
use super::{EarlierTest, Outcome, Specimen};
use crate::storage::StoreError;

/// A row of `call`, with the kit of its run.
#[derive(Debug, FromRow)]
pub struct KeptCall {
    tube_code: String,
    pool_code: Option<String>,
    outcome: Outcome,
    rule: String,
    disposition: String,
    members: i64,
    attempt: i64,
    detail: String,
    kit_code: String,
    kit_version: String,
}

/// What no column says of a call. Its fields are written without their names, as a list; calls of
/// before have the names, and what columns say besides.
#[derive(Deserialize)]
struct Evidence {
    reason: String,
    #[serde(default)]
    voided: bool,
    targets: Vec<TargetCall>,
}

/// A row for `CALLS_ADD`.
pub(super) fn row<'a>(call: &'a Call, verdict: &Verdict) -> impl Serialize + use<'a> {
    (
        &call.tube,
        call.outcome,
        &call.rule,
        step(call.disposition),
        call.pool_size,
        call.attempt,
        u8::from(clean_negative(call, verdict).is_ok()),
        evidence(call),
        &call.pool,
    )
}

const fn step(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Report(_) => "report",
        Disposition::Retest => "retest",
        Disposition::Recall => "recall",
    }
}

/// The text that [`Evidence`] is read from.
fn evidence(call: &Call) -> String {
    let targets: Vec<_> = call
        .targets
        .iter()
        .map(|one| (&one.target, one.role, one.well, one.ct, &one.raw_ct, one.state))
        .collect();
    serde_json::to_string(&(&call.reason, call.voided, targets)).expect("it has no map")
}

impl KeptCall {
    /// The call it was written from.
    pub fn call(self) -> Result<Call, StoreError> {
        let tube = &self.tube_code;
        let disposition = match self.disposition.as_str() {
            "report" => Disposition::Report(self.outcome),
            "retest" => Disposition::Retest,
            "recall" => Disposition::Recall,
            other => return Err(inconsistent(tube, format!("its disposition is `{other}`"))),
        };
        let out_of_range = |_error| inconsistent(tube, "a number is out of range".to_owned());
        let (pool_size, attempt) = (self.members.try_into(), self.attempt.try_into());
        let Evidence { reason, voided, targets } = read(tube, &self.detail)?;
        Ok(Call {
            pool_size: pool_size.map_err(out_of_range)?,
            attempt: attempt.map_err(out_of_range)?,
            tube: self.tube_code,
            pool: self.pool_code,
            outcome: self.outcome,
            rule: self.rule,
            kit: self.kit_code,
            version: self.kit_version,
            reason,
            voided,
            targets,
            disposition,
        })
    }
}

/// What a kept call of this tube says as an earlier test: its rule, and the text beside it.
pub(super) fn earlier(
    tube: &str,
    (rule, detail): (String, &str),
    specimen: Specimen,
) -> Result<EarlierTest, StoreError> {
    let Evidence { targets, .. } = read(tube, detail)?;
    Ok(EarlierTest::of(rule, &targets, specimen))
}

fn read(tube: &str, detail: &str) -> Result<Evidence, StoreError> {
    serde_json::from_str(detail).map_err(|error| inconsistent(tube, error.to_string()))
}

fn inconsistent(tube: &str, reason: String) -> StoreError {
    StoreError::Inconsistent { table: "call", id: tube.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::super::workbench::{orf, tube_readings};
    use super::super::{TubeFacts, call};
    use super::*;

    /// A pool that is detected, a single tube that is, one with a single target, one without a
    /// signal, and one that is negative though a run that was made void had found something.
    fn calls() -> Vec<Call> {
        let late = Some("36.2");
        let alone = TubeFacts::first_test(1);
        let voided = TubeFacts { attempt: 2, voided: true, ..alone.clone() };
        [
            (late, late, Some("27"), &TubeFacts::first_test(10)),
            (late, late, None, &alone),
            (None, late, Some("27"), &alone),
            (None, None, None, &alone),
            (None, None, Some("27"), &voided),
        ]
        .map(|(orf1ab, n, ic, facts)| {
            let readings = tube_readings(&[("ORF1ab", orf1ab), ("N", n), ("IC", ic)]);
            call(&orf(), "T1", &readings, facts)
        })
        .into()
    }

    fn kept(call: &Call, detail: String) -> KeptCall {
        KeptCall {
            tube_code: call.tube.clone(),
            pool_code: call.pool.clone(),
            outcome: call.outcome,
            rule: call.rule.clone(),
            disposition: step(call.disposition).to_owned(),
            members: call.pool_size.into(),
            attempt: call.attempt.into(),
            detail,
            kit_code: call.kit.clone(),
            kit_version: call.version.clone(),
        }
    }

    #[test]
    fn a_call_comes_out_of_its_row_as_it_was_and_so_does_one_of_before() {
        let dispositions: Vec<_> = calls().iter().map(|call| step(call.disposition)).collect();
        assert_eq!(dispositions, ["recall", "report", "retest", "retest", "report"]);
        for call in calls() {
            let (now, before) = (evidence(&call), serde_json::to_string(&call).unwrap());
            assert_eq!(kept(&call, now.clone()).call().unwrap(), call);
            assert_eq!(kept(&call, before.clone()).call().unwrap(), call);
            let test = EarlierTest::of(call.rule.clone(), &call.targets, Specimen::Same);
            for detail in [&now, &before] {
                let read = earlier("T1", (call.rule.clone(), detail), Specimen::Same);
                assert_eq!(read.unwrap(), test);
            }
        }
    }

    #[test]
    fn a_row_that_makes_no_sense_names_its_tube() {
        let call = &calls()[0];
        let said = |kept: KeptCall| kept.call().unwrap_err().to_string();
        let sentence = said(kept(call, "[\"only a reason\"]".to_owned()));
        assert!(sentence.contains("T1"), "{sentence}");
        let unknown = KeptCall { disposition: "kept".to_owned(), ..kept(call, evidence(call)) };
        assert!(said(unknown).contains("`kept`"));
        let many = KeptCall { members: 70_000, ..kept(call, evidence(call)) };
        assert!(said(many).contains("out of range"));
    }
}
