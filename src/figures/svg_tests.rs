use super::super::{Late, RecallFigures, Stages};
use super::*;
use crate::clock::{Span, Time};

fn figures() -> Figures {
    let start: Time = "2020-06-20T16:00:00Z".parse().unwrap();
    let hour = |n: i64| HourLine {
        at: start + Span::hours(n),
        collected: Amount { tubes: n, people: n * 1_000 },
        received: Amount::default(),
        plated: Amount::default(),
        released: Amount::default(),
    };
    let took = |stretch, half, limit| Turnaround {
        stretch,
        count: i64::from(half > 0),
        p50_minutes: (half > 0).then_some(half),
        p90_minutes: (half > 0).then_some(half * 2),
        limit_minutes: limit,
    };
    Figures {
        hour: start + Span::hours(23),
        rounds: Vec::new(),
        stages: Stages::default(),
        late: Late::default(),
        recalls: RecallFigures::default(),
        turnaround: vec![took(Stretch::Transport, 125, Some(240)), took(Stretch::Review, 0, None)],
        hours: (0..24).map(hour).collect(),
        areas: Vec::new(),
        laboratories: Vec::new(),
        oldest: Vec::new(),
    }
}

#[test]
fn the_time_line_names_hours_and_sums_for_those_who_see_it_and_those_who_do_not() {
    for theme in [Theme::LIGHT, Theme::DARK] {
        let drawn = flow(&figures(), theme).unwrap();
        for word in ["276\u{202F}000 collected", "0 released", "10:00", "2020-06-21 23:00"] {
            assert!(drawn.contains(word), "{word}: {drawn}");
        }
        assert_eq!(drawn.matches("<circle").count(), 72);
    }
}

#[test]
fn the_words_are_those_of_the_page() {
    let chinese = Theme::DARK.in_language(Language::Chinese);
    assert!(flow(&figures(), chinese).unwrap().contains("已采样"));
    let drawn = turnaround(&figures(), chinese).unwrap();
    assert!(drawn.contains("送达实验室") && !drawn.contains("none yet"), "{drawn}");
}

#[test]
fn what_exceeds_its_limit_has_another_colour_and_what_has_no_time_says_so() {
    let drawn = turnaround(&figures(), Theme::LIGHT).unwrap();
    for word in ["to laboratory: 2 h 05 and 4 h 10, limit 4 h", "none yet", "4 h 10"] {
        assert!(drawn.contains(word), "{word}: {drawn}");
    }
    let alarms = |drawn: &str| drawn.to_uppercase().matches("#C44A00").count();
    let mut quiet = figures();
    quiet.turnaround[0].p90_minutes = Some(200);
    assert_eq!(alarms(&drawn), alarms(&turnaround(&quiet, Theme::LIGHT).unwrap()) + 1);
}

#[test]
fn an_empty_board_is_drawn() {
    let empty = Figures { hours: Vec::new(), turnaround: Vec::new(), ..figures() };
    assert!(flow(&empty, Theme::DARK).unwrap().contains("0 collected"));
    assert!(turnaround(&empty, Theme::DARK).unwrap().contains("0 people told late"));
}

#[test]
fn spans_and_numbers_are_read_at_a_glance() {
    assert_eq!([5, 60, 65, 1_440].map(span), ["5 min", "1 h", "1 h 05", "24 h"]);
    let all = [0, 999, 1_000, 1_084_000, -1_000, -100];
    let seen = all.map(|n| grouped(n).replace('\u{202F}', " "));
    assert_eq!(seen, ["0", "999", "1 000", "1 084 000", "-1 000", "-100"]);
}
