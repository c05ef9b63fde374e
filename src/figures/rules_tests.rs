use super::*;

fn moved(kind: &str, step: &str, laboratory: &str, (hour, tubes): (i64, i64)) -> Moved {
    Moved {
        kind: kind.to_owned(),
        step: step.to_owned(),
        area: "Fengtai".to_owned(),
        laboratory: laboratory.to_owned(),
        hour,
        amount: Amount { tubes, people: tubes * 10 },
    }
}

fn round(result_hours: i64) -> ShownRound {
    ShownRound {
        code: "R01".to_owned(),
        name: "June".to_owned(),
        area: "Fengtai".to_owned(),
        starts_at: Time::from_us(0),
        ends_at: Time::from_us(1),
        result_hours,
    }
}

#[test]
fn buckets_follow_one_another_and_are_at_most_a_quarter_wide() {
    assert_eq!([0, 7, 8, 9, 12, 16, 48].map(bucket_begins), [0, 7, 8, 10, 16, 32, 8_192]);
    for bucket in 0..BUCKETS - 1 {
        let (from, until) = (bucket_begins(bucket), bucket_begins(bucket + 1));
        assert!(from < until && (from < 8 || (until - from) * 4 <= from), "{bucket}");
        assert_eq!((bucket_of(from), bucket_of(until - 1)), (bucket, bucket));
    }
    assert_eq!((bucket_of(-5), bucket_of(i64::MAX)), (0, BUCKETS - 1));
}

#[test]
fn a_percentile_is_off_by_less_than_its_bucket() {
    let all: Vec<i64> = (0..1_000).map(|n| 30 + n * n / 1_000).collect();
    let mut buckets = [0; BUCKETS];
    for minutes in &all {
        buckets[bucket_of(*minutes)] += 1;
    }
    for (share, exact) in [(0.5, all[499]), (0.9, all[899])] {
        let found = percentile(&buckets, share).unwrap();
        assert!((found - exact).abs() * 4 <= exact, "{share}: {found} for {exact}");
    }
    assert_eq!(percentile(&[0; BUCKETS], 0.5), None);
}

#[test]
fn everybody_is_where_the_last_move_left_them() {
    let moves = [
        moved("tube", ">sealed", "", (0, 10)),
        moved("tube", "packed>received", "L01", (0, 7)),
        moved("tube", "packed>missing", "", (0, 1)),
        moved("tube", "received>plated", "L01", (0, 6)),
        moved("tube", "plated>received", "L01", (0, 2)),
        moved("tube", "plated>released", "L01", (0, 3)),
        moved("recall", ">open", "", (0, 9)),
    ];
    let city = stages(&moves, false);
    let tubes = [city.collected, city.in_transit, city.missing, city.received, city.in_process];
    assert_eq!(tubes.map(|amount| amount.tubes), [10, 2, 1, 3, 1]);
    assert_eq!(city.released, Amount { tubes: 3, people: 30 });
    assert_eq!(areas(&moves, false)[0].stages, city);
    let here = laboratories(&moves, &[]);
    assert_eq!((here.len(), here[0].stages.collected.tubes), (1, 7));
    assert_eq!((here[0].stages.in_transit.tubes, here[0].stages.received.tubes), (0, 3));
}

#[test]
fn recalls_plates_and_runs_are_counted_where_they_are() {
    let found = recalls(&[
        moved("recall", ">open", "", (0, 9)),
        moved("recall", "open>collected", "", (0, 4)),
        moved("recall", "collected>open", "", (0, 1)),
        moved("recall", "collected>closed", "", (0, 2)),
    ]);
    assert_eq!(found, RecallFigures { opened: 9, open: 6, collected: 1, closed: 2 });
    let all = [
        moved("plate", "draft>frozen", "L01", (0, 5)),
        moved("plate", "frozen>closed", "L01", (0, 3)),
        moved("run", ">draft", "L01", (0, 4)),
        moved("run", "draft>reviewed", "L01", (0, 3)),
        moved("run", "reviewed>released", "L01", (0, 1)),
    ];
    let line = &laboratories(&all, &all)[0];
    assert_eq!((line.plates, line.to_review, line.to_release), (2, 1, 2));
    assert_eq!((line.hours.len(), line.hours[0].plates, line.hours[0].runs), (1, 5, 4));
}

#[test]
fn the_time_line_ends_with_the_running_hour_and_a_second_run_is_received_once() {
    let now = begins(100) + Span::minutes(59);
    let lines = hours(
        &[
            moved("tube", ">sealed", "", (100, 2)),
            moved("tube", "packed>received", "L01", (77, 3)),
            moved("tube", "plated>received", "L01", (77, 3)),
            moved("tube", "plated>released", "L01", (76, 3)),
        ],
        now,
    );
    assert_eq!(lines.len(), 24);
    assert_eq!((lines[23].at, lines[23].collected.tubes), (begins(100), 2));
    assert_eq!((lines[0].at, lines[0].received.tubes), (begins(77), 3));
    assert_eq!(lines.iter().map(|line| line.released.tubes).sum::<i64>(), 0);
}

#[test]
fn whoever_waits_is_late_once_their_whole_hour_is_beyond_the_limit() {
    let open =
        StillOpen { round: "R01".to_owned(), hour: 10, amount: Amount { tubes: 1, people: 10 } };
    let at = |now| late(Amount::default(), std::slice::from_ref(&open), &[round(24)], now);
    assert_eq!(at(begins(35) - Span::MICROSECOND).waiting.tubes, 0);
    assert_eq!(at(begins(35)).waiting, open.amount);
}

#[test]
fn each_stretch_has_its_limit_and_the_strictest_round_decides() {
    let took = [Took { stretch: Stretch::Whole, bucket: bucket_of(60), count: 3 }];
    let all = turnaround(&took, &[round(24), round(12)]);
    let whole = all.last().unwrap();
    assert_eq!((whole.count, whole.limit_minutes), (3, Some(720)));
    assert!(whole.p50_minutes.is_some_and(|minutes| (56..=64).contains(&minutes)));
    assert_eq!((all[0].count, all[0].p50_minutes, all[0].limit_minutes), (0, None, Some(240)));
    assert_eq!(stretch("tube", "plated>received"), None);
    assert_eq!(stretch("whole", "late"), Some(Stretch::Whole));
}
