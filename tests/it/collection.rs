//! Places, and people swabbed into tubes.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::each_engine;
use crate::world::{people, person, round, seal_tube, session, tube, tube_body, world};

each_engine! {
    async fn a_sealed_tube_is_stored_once_and_the_same_again_changes_nothing(app) {
        let world = world(app).await;
        let body = tube_body(app, 1, &people(0, 10));
        let path = format!("/v1/tubes/{}", tube(1));
        let first = app.put(&world.sampler, &path, &body).await.expect(201);
        app.pass(swabline::clock::Span::hours(2));
        let mut retry = body.clone();
        retry["device"]["time"] = json!(app.now());
        let again = app.put(&world.sampler, &path, &retry).await.expect(200);
        assert_eq!(first.json(), again.json());
        let members = first.json()["members"].as_array().unwrap().clone();
        assert_eq!(members.len(), 10);
        assert_eq!(members[9]["position"], 10);
        assert_eq!(first.json()["flags"], json!([]));
    }
}
