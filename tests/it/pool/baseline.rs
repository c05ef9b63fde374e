//! What pools are compared with: the single tests before them, where those say anything.

use serde_json::{Value, json};
use swabline::clock::Span;

use super::{mixed, pooling, singles, tested};
use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory::POSITIVE;
use crate::world::{World, tube, world};

/// So many tubes tested alone, some of them positive, and an hour later a first pool of five.
async fn city(app: &TestApp, (alone, positive): (u64, u64)) -> World {
    let world = world(app).await;
    let before = singles(app, &world, 0, 0..alone).await;
    let signals: Vec<_> = (0..positive).map(|n| (tube(n), POSITIVE)).collect();
    tested(app, &world, 0, (&before, &[]), &signals).await;
    app.pass(Span::hours(1));
    let tubes = singles(app, &world, 1, alone..alone + 5).await;
    let pools = mixed(app, &world, 0, &tubes).await;
    tested(app, &world, 1, (&[], &pools), &[]).await;
    world
}

/// These pools are compared with their own first week, once it is over.
async fn has_no_history(app: &TestApp, before: (u64, u64)) {
    let world = city(app, before).await;
    assert_eq!(pooling(app, &world).await["baseline"], Value::Null);
    app.pass(Span::days(8));
    let initial = json!({ "kind": "initial", "people": 5, "positive": 0 });
    assert_eq!(pooling(app, &world).await["baseline"], initial);
}

each_engine! {
    async fn one_negative_test_is_no_history(app) {
        has_no_history(app, (1, 0)).await;
    }

    async fn a_positive_among_a_few_is_no_history(app) {
        has_no_history(app, (19, 1)).await;
    }

    async fn twenty_negatives_are_no_history(app) {
        has_no_history(app, (20, 0)).await;
    }

    async fn a_positive_among_twenty_is_a_history(app) {
        let world = city(app, (20, 1)).await;
        let history = json!({ "kind": "history", "people": 20, "positive": 1 });
        assert_eq!(pooling(app, &world).await["baseline"], history);
        app.pass(Span::days(8));
        assert_eq!(pooling(app, &world).await["baseline"], history);
    }
}
