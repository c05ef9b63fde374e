//! Word that this process committed something to the feed, for whoever waits for it.

use std::sync::Arc;

use tokio::sync::watch;

/// Rings when something was committed; how often is no matter.
#[derive(Clone, Debug)]
pub struct News(Arc<watch::Sender<()>>);

impl Default for News {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl News {
    /// Wakes everybody who listens.
    pub(super) fn tell(&self) {
        self.0.send_replace(());
    }

    /// Hears what is told from now on.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_what_is_told_after_it_began_to_listen_and_once() {
        let news = News::default();
        news.tell();
        let mut heard = news.listen();
        assert!(!heard.has_changed().unwrap());
        news.clone().tell();
        news.tell();
        heard.changed().await.unwrap();
        assert!(!heard.has_changed().unwrap());
    }
}
