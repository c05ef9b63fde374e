//! Alive, ready, and measured.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::query_scalar;

use crate::app::App;
use crate::error::{Error, Result};
use crate::quality::alarm;

/// The store answers.
pub const READY: &str = "select cast(1 as bigint)";

/// Every statement of this file.
pub const STATEMENTS: &[(&str, &str)] = &[("READY", READY)];

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok"
}

/// The process can serve: its store answers.
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, body = String), (status = 503, body = super::problem::Problem)))]
pub async fn readyz(State(app): State<App>) -> Result<&'static str> {
    ready(&app).await?;
    Ok("ok")
}

/// Has the store answer.
///
/// # Errors
/// What a store that cannot be asked says.
pub async fn ready(app: &App) -> Result<()> {
    let mut tx = app.db.read("ready").await?;
    let one: i64 = on!(tx, c => query_scalar(READY).fetch_one(c).await)?;
    if one == 1 { Ok(()) } else { Err(Error::Internal("the store cannot count".to_owned())) }
}

/// Counters and histograms in Prometheus' text form; no label ever names a person.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String)))]
pub async fn metrics(State(app): State<App>) -> String {
    let recorder = recorder();
    app.lookups.gauge();
    app.db.gauge();
    app.tubes.gauge();
    if let Err(error) = gauge(&app).await {
        tracing::warn!(%error, "the gauges show what they showed before");
    }
    recorder.render()
}

/// Reads from the store how many alarms are open, so that nothing undone is ever counted.
#[expect(clippy::cast_precision_loss, reason = "nobody has so many alarms")]
async fn gauge(app: &App) -> Result<()> {
    let mut tx = app.db.read("metrics").await?;
    let open = alarm::open(&mut tx).await?;
    metrics::gauge!("swabline_quality_alarms").set(open as f64);
    Ok(())
}

/// How often what was measured is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sums up what was measured, again and again: between two sums every single value is kept, and
/// nobody may be asking for the figures.
pub async fn upkeep() {
    again_and_again(UPKEEP, || recorder().run_upkeep()).await;
}

async fn again_and_again(every: Duration, mut work: impl FnMut()) {
    let mut turns = tokio::time::interval(every);
    loop {
        turns.tick().await;
        work();
    }
}

/// The process-wide recorder, made on first use.
pub fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        PrometheusBuilder::new()
            .install_recorder()
            .unwrap_or_else(|_installed| PrometheusBuilder::new().build_recorder().handle())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_upkeep_is_done_again_and_again() {
        let mut turns = 0;
        let work = again_and_again(Duration::from_millis(1), || turns += 1);
        tokio::time::timeout(Duration::from_millis(200), work).await.unwrap_err();
        assert!(turns > 2, "only {turns} turns");
    }
}
