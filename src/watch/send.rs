//! Sends runs to the server and tells what its answer means.

use crate::instrument::MAX_FILE_BYTES;
use crate::interpretation::answer::RunAnswer;
use crate::simulation::client::{CallError, Client, NO_PROBLEM};

/// Who sends: a connection with a technician's token.
#[derive(Clone)]
pub struct Sender(Client);

/// What became of a run that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The server has it.
    Taken {
        /// The run's id.
        run: Option<String>,
        /// Whether the plate may be used.
        usable: bool,
        /// Why it may not.
        reasons: Option<String>,
    },
    /// The server refused it, and would again.
    Refused(String),
    /// The server does not know the token, or does not let its owner do this: somebody must act.
    Denied {
        /// What the server says.
        reason: String,
        /// Whether it would say the same of every other run.
        every: bool,
    },
    /// The server is not there or is busy, or the plate is not ready: later.
    Away(String),
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender(...)")
    }
}

impl Sender {
    /// Sends as this client.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// Sends the files of one run of that plate.
    pub(super) async fn send(&self, plate: &str, files: Vec<(String, Vec<u8>)>) -> Sent {
        let route = format!("/v1/plates/{plate}/runs");
        match self.0.upload_files::<RunAnswer>(&route, files).await {
            Ok(answer) => {
                let reasons: Vec<_> =
                    answer.verdict.reasons.iter().map(|reason| reason.message.clone()).collect();
                let reasons = (!reasons.is_empty()).then(|| reasons.join("; "));
                Sent::Taken { run: answer.id, usable: answer.verdict.usable, reasons }
            }
            Err(error) => refusal(&error),
        }
    }
}

/// What a run that was not taken comes to.
fn refusal(error: &CallError) -> Sent {
    let CallError::Refused { problem, .. } = error else { return Sent::Away(error.to_string()) };
    if problem.code == NO_PROBLEM {
        // A page of a proxy or a network says nothing of the run, and is mended there.
        return Sent::Away(format!(
            "something before the server answered {}; look there: a proxy has to let files of {} MB \
             through",
            problem.status,
            MAX_FILE_BYTES >> 20
        ));
    }
    if matches!(problem.status, 401 | 403) {
        let every = problem.status == 401;
        let reason = format!(
            "the server answered {}: {}; give the watch the token of a technician of the plate's \
             laboratory",
            problem.status, problem.detail
        );
        return Sent::Denied { reason, every };
    }
    if is_passing(problem.status) || is_early(&problem.code) {
        return Sent::Away(error.to_string());
    }
    Sent::Refused(problem.detail.clone())
}

/// Whether such an answer may be another one later: a token can be renewed, a server comes back.
fn is_passing(status: u16) -> bool {
    matches!(status, 401 | 403 | 408 | 429) || status >= 500
}

/// Whether the run came before its plate was ready for it: the same file is right later.
fn is_early(code: &str) -> bool {
    matches!(code, "plate.draft" | "transfer.differs")
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, StatusCode};

    use super::*;
    use crate::http::problem::Problem;

    fn answered(status: u16, code: &str) -> Sent {
        let status = StatusCode::from_u16(status).unwrap();
        let problem = Box::new(Problem::new(status, code, "No", "look at it"));
        let route = "/v1/plates/P/runs".to_owned();
        refusal(&CallError::Refused { method: Method::POST, route, problem })
    }

    #[test]
    fn what_a_proxy_says_is_no_word_on_the_run() {
        for status in [401, 403, 404, 413, 502] {
            let Sent::Away(reason) = answered(status, NO_PROBLEM) else { panic!("{status}") };
            assert!(reason.contains(&status.to_string()) && reason.contains("64 MB"), "{reason}");
        }
        assert_eq!(answered(413, "body.too_large"), Sent::Refused("look at it".to_owned()));
        assert!(matches!(answered(503, "store.busy"), Sent::Away(_)));
        assert!(matches!(answered(401, "auth.token"), Sent::Denied { every: true, .. }));
        assert!(matches!(answered(403, "auth.laboratory"), Sent::Denied { every: false, .. }));
    }

    #[test]
    fn a_run_that_came_before_its_plate_was_ready_is_sent_again() {
        for code in ["plate.draft", "transfer.differs"] {
            assert!(is_early(code), "{code}");
        }
        for code in ["plate.not_found", "run.plate_closed", "run.part_used", "run.missing_well"] {
            assert!(!is_early(code), "{code}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_run_stays_wrong_and_what_is_wrong_with_the_way_passes() {
        for status in [401, 403, 408, 429, 500, 503] {
            assert!(is_passing(status), "{status}");
        }
        for status in [400, 404, 409, 413, 422] {
            assert!(!is_passing(status), "{status}");
        }
    }
}
