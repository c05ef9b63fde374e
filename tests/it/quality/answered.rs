//! What the answer to an alarm changes: with whom a laboratory is compared, and what is usual.

use serde_json::{Value, json};
use swabline::auth::Role;
use swabline::clock::Span;
use swabline::quality::alarm::Alarm;
use swabline::quality::{Direction, Measure, Scope};

use super::{INSTRUMENT, Past, USUAL, plate_of};
use crate::app::TestApp;
use crate::each_engine;
use crate::world::{World, world};

/// Fewer positives than [`USUAL`].
const FEWER: Past = Past { detected: 2, ..USUAL };
/// No positives at all.
const NONE: Past = Past { detected: 0, ..USUAL };
/// A control that comes 0.45 cycles later, which is less than the sums look for.
const LATER: Past = Past { control: 27.05, ..USUAL };
/// A control that comes so late that the sums see it.
const MUCH_LATER: Past = Past { control: 29.6, ..USUAL };

/// Some officer answers.
async fn answer(app: &TestApp, alarm: &Alarm, reason: &str) {
    let officer = app.client(Role::Officer).await;
    let path = format!("/v1/quality/alarms/{}/acknowledge", alarm.id);
    app.post(&officer, &path, &json!({ "reason": reason })).await.expect(200);
}

/// Plates of L01 as usual, each followed by one of L02.
async fn both(
    app: &TestApp,
    world: &World,
    plates: std::ops::Range<usize>,
    second: Past,
) -> Vec<Alarm> {
    let mut raised = Vec::new();
    for n in plates {
        raised.extend(plate_of(app, world, (n, "L01"), USUAL).await.1);
        raised.extend(plate_of(app, world, (n, "L02"), second).await.1);
    }
    raised
}

fn told(raised: &[Alarm]) -> Vec<(&str, Measure, Scope, Direction)> {
    let told = raised.iter();
    told.map(|one| (one.laboratory_code.as_str(), one.measure, one.scope, one.direction)).collect()
}

/// The series of the positive control, of as much as is asked for.
async fn controls(app: &TestApp, world: &World, more: &str) -> Value {
    let path = format!("/v1/quality/charts?measure=positive_control{more}");
    app.get(&world.reviewer, &path).await.expect(200).json()["series"].clone()
}

each_engine! {
    async fn a_laboratory_whose_people_differ_is_compared_with_itself_from_then_on(app) {
        let world = world(app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        assert_eq!(both(app, &world, 0..40, USUAL).await, []);
        let fall = ("L02", Measure::Positivity, Scope::Laboratory, Direction::Fall);
        let raised = both(app, &world, 40..50, FEWER).await;
        assert_eq!(told(&raised), [fall]);
        answer(app, &raised[0], "population_differs").await;
        // Nine days of the same: nobody is told again.
        for day in 6..15 {
            app.pass(Span::hours(24));
            assert_eq!(both(app, &world, day * 10..day * 10 + 10, FEWER).await, [], "{day}");
        }
        // A further change is one, though it is as much as the others find.
        let mut raised = Vec::new();
        for n in 150..160 {
            let more = Past { detected: 20, ..USUAL };
            raised.extend(plate_of(app, &world, (n, "L02"), more).await.1);
        }
        let rise = ("L02", Measure::Positivity, Scope::Laboratory, Direction::Rise);
        assert_eq!(told(&raised), [rise]);
        assert!(raised[0].sentence().contains("population_differs"));
        // Whoever finds a fault after all has it compared with the others again.
        answer(app, &raised[0], "reagent_replaced").await;
        assert_eq!(told(&both(app, &world, 160..170, FEWER).await), [fall]);
    }

    async fn whoever_finds_no_positives_after_that_answer_is_compared_with_the_others_again(app) {
        let world = world(app).await;
        let second = json!({ "name": "Laboratory 2", "address": "2 Laboratory Road" });
        app.put(&world.administrator, "/v1/laboratories/L02", &second).await.expect(201);
        assert_eq!(both(app, &world, 0..40, USUAL).await, []);
        let fall = ("L02", Measure::Positivity, Scope::Laboratory, Direction::Fall);
        let raised = both(app, &world, 40..50, FEWER).await;
        assert_eq!(told(&raised), [fall]);
        answer(app, &raised[0], "population_differs").await;
        for day in 6..8 {
            app.pass(Span::hours(24));
            assert_eq!(both(app, &world, day * 10..day * 10 + 10, NONE).await, [], "{day}");
        }
        // It had its week, and there are not enough positives of its own.
        app.pass(Span::days(6));
        assert_eq!(told(&both(app, &world, 80..92, NONE).await), [fall]);
    }

    async fn a_small_shift_that_somebody_was_told_of_hides_no_large_one(app) {
        let world = world(app).await;
        for n in 0..30 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        let mut raised = Vec::new();
        for n in 30..80 {
            raised.extend(plate_of(app, &world, (n, "L01"), LATER).await.1);
        }
        let of = |scope| ("L01", Measure::PositiveControl, scope, Direction::Rise);
        assert_eq!(told(&raised), [of(Scope::Instrument); 2], "{raised:?}");
        let sentence = raised[0].sentence();
        assert!(sentence.contains("held 25 of its last runs"), "{sentence}");
        assert!(sentence.contains("no other alarm of the instrument"), "{sentence}");
        // Nobody answered. A bad lot of controls comes three cycles later.
        let mut raised = Vec::new();
        for n in 80..90 {
            raised.extend(plate_of(app, &world, (n, "L01"), MUCH_LATER).await.1);
        }
        assert_eq!(told(&raised), [of(Scope::Laboratory); 2], "{raised:?}");
        assert!(raised[0].sentence().contains("plates since"));
    }

    async fn a_chart_of_some_points_names_who_is_learnt_by_all_of_them(app) {
        let world = world(app).await;
        for n in 0..20 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        let (early, late) = (app.now() + Span::MICROSECOND, app.now() - Span::minutes(45));
        let learner = json!([{ "instrument": INSTRUMENT, "points": 20, "of": 30 }]);
        for more in [String::new(), "&lot=LOT1".to_owned(), format!("&from={late}")] {
            let series = controls(app, &world, &more).await;
            assert_eq!(series[0]["learners"], learner, "{more}: {series}");
        }
        for n in 20..40 {
            plate_of(app, &world, (n, "L01"), USUAL).await;
        }
        for more in [String::new(), format!("&to={early}"), format!("&lot=LOT1&to={early}")] {
            let series = controls(app, &world, &more).await;
            assert_eq!(series.as_array().unwrap().len(), 2);
            assert!(series[0]["learners"].is_null(), "{more}: {series}");
        }
    }

    async fn a_small_lasting_shift_of_a_control_alarms_and_can_be_learnt_anew(app) {
        let world = world(app).await;
        for n in 0..30 {
            assert_eq!(plate_of(app, &world, (n, "L01"), USUAL).await.1, []);
        }
        let (mut raised, mut held) = (Vec::new(), 0);
        for n in 30..80 {
            let (judged, alarms) = plate_of(app, &world, (n, "L01"), LATER).await;
            held += usize::from(!judged.rejections.is_empty());
            raised.extend(alarms);
        }
        assert!(held > 25, "{held} of 50 runs need two people");
        let later = ("L01", Measure::PositiveControl, Scope::Instrument, Direction::Rise);
        assert_eq!(told(&raised), [later, later], "{raised:?}");
        let targets: Vec<_> = raised
            .iter()
            .map(|one| (one.subject.as_str(), one.target.as_str(), one.plates))
            .collect();
        assert_eq!(targets, [(INSTRUMENT, "N", 25), (INSTRUMENT, "ORF1ab", 25)]);
        assert!(raised[0].sentence().contains("reagent_replaced"));
        answer(app, &raised[0], "reagent_replaced").await;
        answer(app, &raised[1], "no_cause_found").await;
        let mut again = Vec::new();
        for n in 80..120 {
            let (judged, alarms) = plate_of(app, &world, (n, "L01"), LATER).await;
            let is_other = judged.rejections.iter().all(|one| one.figures.starts_with("ORF1ab"));
            assert!(is_other, "{:?}", judged.rejections);
            again.extend(alarms);
            if n == 91 {
                let series = controls(app, &world, "").await;
                // The twelve since then, and the run that raised the alarm.
                let learner = json!({ "instrument": INSTRUMENT, "points": 13, "of": 30 });
                assert_eq!(series[0]["learners"], json!([learner]), "{series}");
                assert!(series[1]["learners"].is_null(), "{series}");
            }
        }
        // What was only looked at goes on, and somebody is told again.
        assert_eq!(told(&again), [later], "{again:?}");
        assert_eq!(again[0].target, "ORF1ab");
        assert!(controls(app, &world, "").await[0]["learners"].is_null());
    }
}
