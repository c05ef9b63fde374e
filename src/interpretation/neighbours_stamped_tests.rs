//! Neighbours on a plate of 384 onto which plates of 96 were stamped.

use super::{fates, first_tests, interpret, orf, run, shown_at, well};
use crate::plate::{
    Content, Layout, PlacedTube, PlateSize, StampOrder, Template, WellPosition, lay_out, stamped,
};

/// Four plates of single tubes, whose controls move, stamped onto one of 384.
fn four_stamped() -> Layout {
    let kit = orf();
    let sources = [0_u64, 1, 2, 3].map(|number| {
        let template = Template::find("one-well-94-moving-columns").unwrap().for_plate(number);
        let code = |tube: usize| PlacedTube { code: format!("T{number}-{tube}"), depth: 1 };
        let tubes: Vec<_> = (0..template.tube_slots().len()).map(code).collect();
        lay_out(&template, &kit.plan(), &tubes).unwrap()
    });
    stamped(StampOrder::Z, &sources.each_ref().map(Some), &kit.plan()).unwrap()
}

/// The tubes of a plate of 384 that are held when these wells are positive.
fn held_of_384(layout: &Layout, positives: &[(&str, &'static str)]) -> Vec<String> {
    let kit = orf();
    let readings = run(&kit, layout, None, &shown_at(layout, positives));
    let read = interpret(&kit, layout, &readings, &first_tests(layout)).unwrap();
    fates(&read).1
}

/// The same content, pipetted into the plate of 384 itself.
fn direct(layout: &Layout) -> Layout {
    let wells = layout.wells().iter().map(|(well, content)| (*well, content.clone()));
    let all: Vec<(WellPosition, Content)> = wells.collect();
    Layout::explicit(PlateSize::P384, all).unwrap()
}

/// Where a well of the first source comes to lie.
fn first(source: &str) -> String {
    StampOrder::Z.well(0, well(source)).unwrap().to_string()
}

/// Two wells of the first source that hold tubes and lie side by side, in one row.
fn side_by_side(layout: &Layout) -> (String, String) {
    let is_tube = |at: &str| layout.content(well(at)).tube().is_some();
    let pairs = (b'A'..=b'H').map(char::from).map(|row| (format!("{row}1"), format!("{row}2")));
    let mut on_384 = pairs.map(|(one, other)| (first(&one), first(&other)));
    on_384.find(|(one, other)| is_tube(one) && is_tube(other)).unwrap()
}

#[test]
fn neighbours_on_the_source_are_held_though_they_lie_two_columns_apart() {
    let layout = four_stamped();
    let (strong, weak) = side_by_side(&layout);
    assert_eq!(well(&weak).column() - well(&strong).column(), 2);
    let positives: [(&str, &'static str); 2] = [(&strong, "20"), (&weak, "34")];
    assert_eq!(held_of_384(&layout, &positives), [weak.as_str()]);
    let even: [(&str, &'static str); 2] = [(&strong, "27"), (&weak, "28")];
    assert_eq!(held_of_384(&layout, &even), [strong.as_str(), weak.as_str()]);
    // The same plate filled well by well: two columns apart is no neighbour.
    assert_eq!(held_of_384(&direct(&layout), &positives), [""; 0]);
    assert_eq!(held_of_384(&direct(&layout), &even), [""; 0]);
}

#[test]
fn wells_of_two_sources_are_neighbours_only_where_they_touch() {
    let layout = four_stamped();
    let tubes = layout.wells().iter().filter(|(_, content)| content.tube().is_some());
    let wells: Vec<WellPosition> = tubes.map(|(at, _)| *at).collect();
    let pair = |rows: u8| {
        let below = |at: &WellPosition| WellPosition::new(at.row() + rows, at.column());
        let found = wells.iter().filter_map(|at| Some((*at, below(at)?)));
        found.into_iter().find(|(_, other)| wells.contains(other)).unwrap()
    };
    let held = |layout: &Layout, (one, other): (WellPosition, WellPosition)| {
        held_of_384(layout, &[(&one.to_string(), "20"), (&other.to_string(), "34")]).len()
    };
    // One row apart they are of two sources and touch; three rows apart they only stand in one
    // column of the plate of 384, which no tip ever filled. Two rows apart is one source.
    assert_eq!(held(&layout, pair(1)), 1);
    assert_eq!(held(&layout, pair(3)), 0);
    assert_eq!(held(&layout, pair(4)), 1);
    assert_eq!(held(&direct(&layout), pair(3)), 1);
}
