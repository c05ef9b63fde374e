//! Look-ups of everybody who asks: gathered, kept for a while, and never in the way of scans.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Bytes;
use serde_json::json;

use super::gather::{Gather, Gathering};
use super::guess::{GUESSES_MAX, Guesses, guess_count, guesses, guesses_forget};
use super::rules;
use super::store::{Place, known, places, proves};
use crate::audit::{self, Entry};
use crate::auth::{Actor, Role};
use crate::cache::{Cache, Kept};
use crate::clock::{Clock, Span, Time};
use crate::error::{Error, Result};
use crate::http::problem::Problem;
use crate::seal::{KeyRing, PersonKey};
use crate::storage::{Channel, Db, Mark, TRIES};

/// Two batches at once, so that a thousand people are not in the way of one.
const SHOWN: Gathering =
    Gathering { name: "status", at_once: 2, batch: 1_000, most: 20_000, insists: false };
const PROOFS: Gathering =
    Gathering { name: "proof", at_once: 1, batch: 500, most: 4_000, insists: false };
/// A guess counts also when the guesser does not wait for the answer.
const NOTES: Gathering =
    Gathering { name: "note", at_once: 1, batch: 200, most: 2_000, insists: true };
/// How often old guesses are forgotten while there are new ones; each time is a transaction that those
/// who wait for an answer wait for.
const FORGET_EVERY: Span = Span::minutes(1);
/// The account in whose name the audit trail records what residents without an account caused.
const RESIDENT: &str = "resident";

/// A person's status in JSON; none for somebody who was never swabbed.
pub type Shown = Option<Bytes>;

/// Everything that is asked about people; cheap to clone.
#[derive(Clone)]
pub struct Lookups {
    cache: Cache,
    keys: Arc<KeyRing>,
    clock: Clock,
    shown: Gather<Vec<PersonKey>, Vec<Shown>>,
    proofs: Gather<PersonKey, Facts>,
    notes: Gather<Note, ()>,
}

/// What is known of somebody who wants to prove who they are; nothing of nobody.
#[derive(Debug, Default)]
pub struct Facts {
    guesses: Option<Guesses>,
    places: Vec<Place>,
}

/// What asking leaves behind.
enum Note {
    /// A wrong code.
    Guess { person: PersonKey, at: Time },
    /// A batch that is about to be answered.
    Batch { actor: Actor, at: Time, people: usize, known: usize },
}

impl Note {
    /// Whose count it changes.
    fn person(&self) -> Option<&str> {
        match self {
            Self::Guess { person, .. } => Some(person.as_str()),
            Self::Batch { .. } => None,
        }
    }
}

impl Lookups {
    /// Starts gathering over this store.
    pub fn start(db: &Db, cache: &Cache, keys: &Arc<KeyRing>, clock: &Clock) -> Self {
        let (of_shown, of_cache) = (db.clone(), cache.clone());
        let (of_proofs, of_notes) = (db.clone(), db.clone());
        let forgotten = Arc::new(AtomicI64::new(i64::MIN));
        Self {
            cache: cache.clone(),
            keys: Arc::clone(keys),
            clock: clock.clone(),
            shown: Gather::start(SHOWN, move |asked| {
                let (db, cache) = (of_shown.clone(), of_cache.clone());
                async move { db.unless_silent(Box::pin(shown(&db, &cache, asked))).await }
            }),
            proofs: Gather::start(PROOFS, move |asked| {
                let db = of_proofs.clone();
                async move { db.unless_silent(Box::pin(facts(&db, asked))).await }
            }),
            notes: Gather::start(NOTES, move |notes| {
                let (db, forgotten) = (of_notes.clone(), Arc::clone(&forgotten));
                async move { db.unless_silent(Box::pin(note(&db, &forgotten, notes))).await }
            }),
        }
    }

    /// What this person is shown.
    pub async fn status(&self, person: &PersonKey) -> Result<Shown, Problem> {
        if let Some(kept) = self.cache.kept(person) {
            return Ok(kept.status);
        }
        Ok(self.shown.ask(vec![person.clone()], 1).await?.pop().flatten())
    }

    /// What each of these people is shown, in their order; one round trip to each tier.
    pub async fn statuses(&self, people: &[PersonKey]) -> Result<Vec<Shown>, Problem> {
        let mut answers: Vec<_> = people.iter().map(|person| self.cache.kept(person)).collect();
        let missed =
            |(person, kept): (&PersonKey, &Option<Kept>)| kept.is_none().then(|| person.clone());
        let missed: Vec<_> = people.iter().zip(&answers).filter_map(missed).collect();
        let count = missed.len();
        let mut read = match count {
            0 => Vec::new(),
            _ => self.shown.ask(missed, count).await?,
        }
        .into_iter();
        let whole = |kept: Option<Kept>| match kept {
            Some(kept) => kept.status,
            None => read.next().flatten(),
        };
        Ok(answers.drain(..).map(whole).collect())
    }

    /// What is known of somebody who wants to prove who they are; always from the store, for
    /// everybody alike (R33).
    pub async fn facts(&self, person: &PersonKey) -> Result<Facts, Problem> {
        self.proofs.ask(person.clone(), 1).await
    }

    /// Whether `typed` is the pick-up code of one of the person's newest tubes.
    pub fn proves(&self, facts: &Facts, typed: &str) -> Result<bool> {
        Ok(proves(&self.keys, &facts.places, typed)?)
    }

    /// Counts a wrong guess.
    pub async fn guessed(&self, person: PersonKey) -> Result<(), Problem> {
        self.notes.ask(Note::Guess { person, at: self.clock.now() }, 1).await
    }

    /// Records that a service is answered for many; on disk when this returns.
    pub async fn answered(
        &self,
        actor: Actor,
        (people, known): (usize, usize),
    ) -> Result<(), Problem> {
        let at = self.clock.now();
        self.notes.ask(Note::Batch { actor, at, people, known }, 1).await
    }

    /// Shows how much waits.
    #[expect(clippy::cast_precision_loss, reason = "the queues are bounded far below")]
    pub fn gauge(&self) {
        let depths = [
            (self.shown.name(), self.shown.depth()),
            (self.proofs.name(), self.proofs.depth()),
            (self.notes.name(), self.notes.depth()),
        ];
        for (name, depth) in depths {
            metrics::gauge!("query_waiting", "queue" => name).set(depth as f64);
        }
    }
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookups(...)")
    }
}

impl Facts {
    /// Seconds for which this person is not answered; none while they are not blocked.
    pub fn blocked_s(&self, now: Time) -> Option<u32> {
        self.guesses.and_then(|guesses| guesses.blocked_s(now))
    }
}

/// Redis, then the store for whoever is not kept there; everybody is asked for once. Whoever waited
/// for a batch that asked for the same people finds them in memory.
async fn shown(db: &Db, cache: &Cache, asked: Vec<Vec<PersonKey>>) -> Result<Vec<Vec<Shown>>> {
    let people: BTreeSet<_> = asked.iter().flatten().collect();
    let mut answers = HashMap::with_capacity(people.len());
    let mut wanted = Vec::with_capacity(people.len());
    for person in people {
        match cache.kept(person) {
            Some(kept) => drop(answers.insert(person.clone(), kept.status)),
            None => wanted.push(person.clone()),
        }
    }
    let fetched = cache.fetch(&wanted).await;
    let mut missed = Vec::new();
    for (person, kept) in wanted.into_iter().zip(fetched) {
        match kept {
            Some(kept) => drop(answers.insert(person, kept.status)),
            None => missed.push(person),
        }
    }
    if !missed.is_empty() {
        let read = read(db, cache, missed).await?;
        for (person, kept) in &read {
            answers.insert(person.clone(), kept.status.clone());
        }
        if cache.is_followed() {
            cache.keep(read);
        }
    }
    let answer = |person: &PersonKey| answers.get(person).cloned().flatten();
    Ok(asked.iter().map(|people| people.iter().map(answer).collect()).collect())
}

/// What these people are shown, as the store has it, and what of the feed was seen.
pub async fn read(
    db: &Db,
    cache: &Cache,
    people: Vec<PersonKey>,
) -> Result<Vec<(PersonKey, Kept)>> {
    // Nothing is kept while the feed is not followed.
    let is_kept = cache.is_followed();
    let mut tx = db.ask_once("status").await?;
    let (snapshot, found) = known(&mut tx, &people).await?;
    drop(tx);
    let seen = snapshot.filter(|_| is_kept).map_or(0, |snapshot| snapshot.seen());
    metrics::counter!("status_read_total").increment(people.len() as u64);
    let mut found: HashMap<_, _> = found.into_iter().collect();
    let kept = |person: PersonKey| {
        let Some(known) = found.remove(&person) else {
            let tubes = [Mark::of(person.as_str()); 2];
            return (person, Kept { seen, tubes, status: None });
        };
        let newest = known.sampling.tube.as_str();
        let told = known.told.as_ref().map_or(newest, |told| &told.tube);
        let tubes = [newest, told].map(Mark::of);
        let status = serde_json::to_vec(&rules::status(&known));
        let status = status.expect("a status has string keys and finite numbers");
        (person, Kept { seen, tubes, status: Some(Bytes::from(status)) })
    };
    Ok(people.into_iter().map(kept).collect())
}

async fn facts(db: &Db, asked: Vec<PersonKey>) -> Result<Vec<Facts>> {
    let people: BTreeSet<_> = asked.iter().collect();
    let mut tx = db.ask("status.proof").await?;
    let guesses = guesses(&mut tx, people.iter().copied()).await?;
    let places = places(&mut tx, people.iter().copied()).await?;
    let of = |person: &PersonKey| Facts {
        guesses: guesses.get(person).copied(),
        places: places.get(person).cloned().unwrap_or_default(),
    };
    Ok(asked.iter().map(of).collect())
}

/// Whoever asks for themselves, as audit rows name them.
pub(super) fn resident() -> Actor {
    Actor {
        account: RESIDENT.to_owned(),
        name: RESIDENT.to_owned(),
        role: Role::Service,
        site: None,
        laboratory: None,
    }
}

/// Everything that asking leaves behind. Guesses go by person: of two nodes that are asked for the
/// same people neither holds who the other waits for.
async fn note(db: &Db, forgotten: &AtomicI64, mut notes: Vec<Note>) -> Result<Vec<()>> {
    notes.sort_by(|one, other| one.person().cmp(&other.person()));
    let guessed = notes.iter().filter_map(|note| match note {
        Note::Guess { at, .. } => Some(*at),
        Note::Batch { .. } => None,
    });
    if let Some(now) = guessed.max()
        && forgotten.load(Ordering::Relaxed) < (now - FORGET_EVERY).us()
    {
        forgotten.store(now.us(), Ordering::Relaxed);
        if let Err(error) = forget(db, now).await {
            tracing::warn!(%error, "old guesses are forgotten another time");
        }
    }
    let mut tries = 1;
    loop {
        match noted(db, &notes).await {
            Err(Error::Store(error)) if tries < TRIES && error.crossed() => tries += 1,
            settled => return settled.map(|()| vec![(); notes.len()]),
        }
    }
}

async fn forget(db: &Db, now: Time) -> Result<()> {
    let mut tx = db.write_on(Channel::Query, "status.forget").await?;
    guesses_forget(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

/// The same in one transaction. The guess that begins a block leaves an audit row, so that a flood of
/// guesses does not become a flood of rows.
async fn noted(db: &Db, notes: &[Note]) -> Result<()> {
    let mut tx = db.write_on(Channel::Query, "status.note").await?;
    let resident = resident();
    for note in notes {
        match note {
            Note::Guess { person, at } => {
                if guess_count(&mut tx, person, *at).await? == GUESSES_MAX {
                    let (action, about) = ("status.block", person.as_str());
                    let entry =
                        Entry { at: *at, actor: &resident, action, about, detail: json!({}) };
                    audit::record(&mut tx, entry).await?;
                }
            }
            Note::Batch { actor, at, people, known } => {
                let detail = json!({ "people": people, "known": known });
                let (action, about) = ("status.batch", "status");
                audit::record(&mut tx, Entry { at: *at, actor, action, about, detail }).await?;
            }
        }
    }
    Ok(tx.commit().await?)
}
