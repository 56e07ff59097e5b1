//! What the server does by itself, at intervals, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use mango_domain::error::chain;
use mango_domain::usecases::UseCases;
use mango_persistence::Database;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often what nobody needs is removed: sessions that are over, old entries of the audit log, photos that no
/// user has.
const CLEAN_EVERY: Duration = Duration::from_secs(3600);
/// How often metrics that have to be looked at are looked at.
const OBSERVE_EVERY: Duration = Duration::from_secs(5);

/// Begins. Everything ends when `stopping` is cancelled.
pub fn spawn(use_cases: Arc<UseCases>, database: Database, metrics: PrometheusHandle, stopping: &CancellationToken) {
    let cleaning = every(CLEAN_EVERY, move || {
        let use_cases = use_cases.clone();
        async move {
            purge(&use_cases).await;
            prune(&use_cases).await;
            sweep(&use_cases).await;
        }
    });
    let observing = every(OBSERVE_EVERY, move || {
        observe(&database);
        metrics.run_upkeep();
        std::future::ready(())
    });
    tokio::spawn(stopping.clone().run_until_cancelled_owned(cleaning));
    tokio::spawn(stopping.clone().run_until_cancelled_owned(observing));
}

/// Does something now and at intervals.
async fn every<F: Future<Output = ()>>(period: Duration, mut work: impl FnMut() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}

async fn purge(use_cases: &UseCases) {
    match use_cases.purge_sessions.run().await {
        Ok(0) => {}
        Ok(sessions) => tracing::info!(sessions, "forgot sessions that are over"),
        Err(error) => tracing::warn!(error = chain(&error), "sessions that are over could not be forgotten"),
    }
}

async fn prune(use_cases: &UseCases) {
    match use_cases.prune_audit.run().await {
        Ok(0) => {}
        Ok(entries) => tracing::info!(entries, "forgot old entries of the audit log"),
        Err(error) => tracing::warn!(error = chain(&error), "old entries of the audit log could not be forgotten"),
    }
}

async fn sweep(use_cases: &UseCases) {
    match use_cases.sweep_photos.run().await {
        Ok(0) => {}
        Ok(photos) => {
            metrics::counter!("mango_photos_swept_total").increment(photos);
            tracing::info!(photos, "removed photos that no user has");
        }
        Err(error) => tracing::warn!(error = chain(&error), "photos that no user has could not be removed"),
    }
}

fn observe(database: &Database) {
    for status in database.pool_status() {
        let states = [("max", status.max), ("open", status.open), ("idle", status.idle), ("waiting", status.waiting)];
        for (state, count) in states {
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            metrics::gauge!("mango_database_connections", "pool" => status.pool, "state" => state).set(count);
        }
    }
}
