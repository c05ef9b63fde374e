//! A network that can be cut, or lose an answer, between the browser and the application.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is lost or counted: the calls that send tubes.
const SENDS: &[u8] = b"/v1/tubes/batch";

/// The network; it ends with the story.
pub struct Net {
    pub url: String,
    up: watch::Sender<bool>,
    counts: Arc<Counts>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    /// Answers still to be lost.
    lose: AtomicUsize,
    /// Calls that sent tubes.
    sends: AtomicUsize,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Net {
    /// A network in front of this address.
    pub async fn before(url: &str) -> Self {
        let to = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (up, state) = watch::channel(true);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let serving = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if *state.borrow() {
                    let (to, state, counts) = (to.clone(), state.clone(), Arc::clone(&counted));
                    tokio::spawn(carry(near, to, state, counts));
                }
            }
        });
        Self { url, up, counts, serving }
    }

    /// Every connection breaks, and no new one is answered.
    pub fn cut(&self) {
        self.up.send(false).unwrap();
    }

    /// The network is back.
    pub fn mend(&self) {
        self.up.send(true).unwrap();
    }

    /// The next so many answers to sent tubes never arrive.
    pub fn lose(&self, answers: usize) {
        self.counts.lose.store(answers, Ordering::SeqCst);
    }

    /// How often tubes were sent.
    pub fn sends(&self) -> usize {
        self.counts.sends.load(Ordering::SeqCst)
    }
}

async fn carry(
    mut near: TcpStream,
    to: String,
    mut state: watch::Receiver<bool>,
    counts: Arc<Counts>,
) {
    // It came while the network was there; only what changes from now on breaks it.
    state.mark_unchanged();
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut is_lost = false;
    loop {
        tokio::select! {
            _changed = state.changed() => return,
            read = near.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                if asked[..read].windows(SENDS.len()).any(|window| window == SENDS) {
                    counts.sends.fetch_add(1, Ordering::SeqCst);
                    let fewer = |left: usize| left.checked_sub(1);
                    is_lost = counts.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok();
                }
                if far.write_all(&asked[..read]).await.is_err() {
                    return;
                }
            }
            read = far.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if is_lost || near.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
