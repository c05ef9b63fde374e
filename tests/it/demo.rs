//! The demo's morning, played in-process on either engine, and its own guard.

use indicatif::ProgressBar;
use swabline::config::Config;
use swabline::simulation::Failure;
use swabline::simulation::morning::{Morning, play};
use swabline::simulation::report::{Report, Truth};

use crate::app::{fresh_database, postgres_url};

/// A small morning in a folder of its own; both are gone when it is over.
async fn morning(seed: u64, database: String) -> Result<Report, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), database, ..Config::default() };
    let morning = Morning { seed, people: 120 };
    Box::pin(play(config, morning, &ProgressBar::hidden())).await
}

fn is_sound(report: &Report) {
    assert_eq!(report.adds_up(), Vec::<String>::new(), "{report}");
    let truth = Truth { positives: 1, found: 1, missed: 0, false_positives: 0, unanswered: 10 };
    assert_eq!(report.truth, truth);
    assert_eq!((report.people, report.recalls, report.ledger.unexplained), (120, 20, 0));
    assert!(report.duplicates > 0);
    assert_eq!(
        report.runs.iter().map(|run| run.usable).collect::<Vec<_>>(),
        [true, false, true, true]
    );
}

/// What a report says, without how long it took and where it is stored.
fn content(report: &Report) -> serde_json::Value {
    let mut content = serde_json::to_value(report).unwrap();
    for volatile in ["seconds", "steps", "engine", "audit"] {
        content.as_object_mut().unwrap().remove(volatile);
    }
    content
}

#[tokio::test]
async fn a_morning_adds_up_whatever_the_seed_and_a_seed_is_the_same_morning_again() {
    let (first, other) = (morning(1, String::new()), morning(2, String::new()));
    let (first, other) = (first.await.unwrap(), other.await.unwrap());
    is_sound(&first);
    is_sound(&other);
    assert_ne!(content(&first), content(&other));
    let again = morning(1, String::new()).await.unwrap();
    assert_eq!(content(&first), content(&again));
}

#[tokio::test]
async fn a_morning_is_the_same_on_postgresql() {
    let Some(server) = postgres_url() else { return };
    let database = fresh_database(&server).await;
    let there = morning(1, database).await.unwrap();
    is_sound(&there);
    let here = morning(1, String::new()).await.unwrap();
    assert_eq!(content(&there), content(&here));
}

#[tokio::test]
async fn a_store_somebody_works_in_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), ..Config::default() };
    let bar = ProgressBar::hidden();
    let small = Morning { seed: 1, people: 60 };
    let first = Box::pin(play(config.clone(), small, &bar)).await.unwrap();
    assert_eq!(first.adds_up(), Vec::<String>::new(), "{first}");
    let again = Box::pin(play(config, small, &bar)).await;
    assert!(matches!(again, Err(Failure::NotEmpty)));
}

/// Makes one thing of a report untrue.
type Doctor = fn(&mut Report);

#[tokio::test]
async fn a_report_that_was_doctored_does_not_add_up() {
    let sound = morning(3, String::new()).await.unwrap();
    is_sound(&sound);
    let doctored: [(&str, Doctor); 12] = [
        ("unexplained", |report| report.ledger.unexplained = 1),
        ("swabs collected", |report| report.ledger.whole.people.collected -= 1),
        ("tubes released", |report| report.ledger.whole.tubes.released -= 1),
        ("infected people found", |report| report.truth.found = 0),
        ("told positive who are not", |report| report.truth.false_positives = 1),
        ("without a result", |report| report.truth.unanswered = 0),
        ("duplicates", |report| report.duplicates = 0),
        ("tubes missing", |report| report.arrivals.missing.clear()),
        ("audit", |report| report.audit = None),
        ("were not checked", |report| report.figures = None),
        ("1 figures of the board", |report| report.figures.as_mut().unwrap().differing = 1),
        ("a negative was shown", |report| report.surprises = vec!["a negative was shown".into()]),
    ];
    for (about, doctor) in doctored {
        let mut report = sound.clone();
        doctor(&mut report);
        let complaints = report.adds_up();
        assert!(complaints.iter().any(|text| text.contains(about)), "{about}: {complaints:?}");
    }
}
