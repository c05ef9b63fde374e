use sqlx::query;

use super::super::{Queue, Queues};
use super::*;
use crate::clock::{Clock, Time};
use crate::on;

/// Writes each name, panics at `panic`, and says how many were written together.
fn names<'a>(tx: &'a mut Tx, jobs: &'a [&'a String]) -> Batch<'a, usize> {
    Box::pin(async move {
        for name in jobs {
            assert_ne!(*name, "panic");
            if *name == "slow" {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let sql = "insert into installation (name, value) values ($1, $1)";
            on!(tx, c => query(sql).bind(*name).execute(c).await.map(drop))?;
        }
        Ok(vec![jobs.len(); jobs.len()])
    })
}

/// A store, and a writer of names with this much room and patience.
async fn writer(
    length: usize,
    patience: Duration,
) -> (Writer<String, usize>, Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("swabline.db").display());
    let clock = Clock::stepped(Time::from_us(0));
    let scan = Queue { length, patience };
    let queues = Queues { scan, ..Queues::default() };
    let db = Db::open(&url, &clock).await.unwrap().with_queues(queues);
    (Writer::start(&db, (Channel::Scan, "test.names"), names), db, folder)
}

async fn stored(db: &Db) -> Vec<String> {
    let mut tx = db.read("test.stored").await.unwrap();
    let sql = "select name from installation order by name";
    on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

fn send(writer: &Writer<String, usize>, name: &str) -> tokio::task::JoinHandle<Result<usize>> {
    let (writer, name) = (writer.clone(), name.to_owned());
    tokio::spawn(async move { writer.write(name, 1).await })
}

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn what_waits_is_written_together_and_a_poisoned_job_spares_its_neighbours() {
    let (writer, db, _folder) = writer(100, LONG).await;
    // Somebody else writes, so that everything gathers.
    let tx = db.write("test.other").await.unwrap();
    let names = ["a", "b", "c", "a", "d", "e"].map(|name| send(&writer, name));
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    drop(tx);
    let mut answers = Vec::new();
    for name in names {
        answers.push(name.await.unwrap());
    }
    // The second `a` breaks a constraint; the halves before and behind it are written.
    let together: Vec<_> = answers.iter().map(|answer| answer.as_ref().ok().copied()).collect();
    assert_eq!(together, [Some(3), Some(3), Some(3), None, Some(2), Some(2)]);
    let refused = answers.swap_remove(3).unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::Refused(_))), "{refused}");
    assert_eq!(stored(&db).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_a_late_job_is_never_written() {
    let (writer, db, _folder) = writer(2, Duration::from_millis(20)).await;
    let tx = db.write("test.other").await.unwrap();
    let waiting = ["a", "b"].map(|name| send(&writer, name));
    tokio::task::yield_now().await;
    let refused = writer.write("c".to_owned(), 1).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::Full(Channel::Scan))), "{refused}");
    for late in waiting {
        let late = late.await.unwrap().unwrap_err();
        assert!(matches!(late, Error::Store(StoreError::Full(Channel::Scan))), "{late}");
    }
    drop(tx);
    writer.write("d".to_owned(), 1).await.unwrap();
    assert_eq!(stored(&db).await, ["d"], "who was refused can be sure");
}

#[tokio::test]
async fn a_job_that_is_being_written_when_its_time_is_over_is_answered_all_the_same() {
    let (writer, db, _folder) = writer(9, Duration::from_millis(10)).await;
    assert_eq!(writer.write("slow".to_owned(), 1).await.unwrap(), 1);
    assert_eq!(stored(&db).await, ["slow"]);
}

#[tokio::test]
async fn whoever_hangs_up_changes_nothing_for_the_others() {
    let (writer, db, _folder) = writer(9, LONG).await;
    let tx = db.write("test.other").await.unwrap();
    let sent = ["a", "gone", "b"].map(|name| send(&writer, name));
    tokio::task::yield_now().await;
    sent[1].abort();
    tokio::task::yield_now().await;
    drop(tx);
    let [first, gone, last] = sent;
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!((first.await.unwrap().unwrap(), last.await.unwrap().unwrap()), (2, 2));
    assert_eq!(stored(&db).await, ["a", "b"]);
}

#[tokio::test]
async fn a_panic_ends_its_batch_and_not_the_writing() {
    let (writer, db, _folder) = writer(9, LONG).await;
    let panicked = writer.write("panic".to_owned(), 1).await.unwrap_err();
    assert!(matches!(panicked, Error::Internal(_)), "{panicked}");
    writer.write("a".to_owned(), 1).await.unwrap();
    assert_eq!(stored(&db).await, ["a"]);
}
