//! A 384-well file, from its bytes to what is stored of it: through the route an upload takes,
//! with an answer only after the commit. Beside it the steps that need no store, and the other
//! steps of a plate: made, frozen, reviewed, released to 3,820 people.

mod laboratory;
mod run;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use laboratory::{Laboratory, servers};
use swabline::instrument::read;
use swabline::interpretation::interpret;
use swabline::plate::PlateSize;
use swabline::simulation::curves::curves;
use swabline::simulation::files::quantstudio_text_with;

fn import(c: &mut Criterion) {
    let kit = run::kit();
    let layout = run::plate(&kit, PlateSize::P384);
    let facts = run::facts(&layout);
    let run = run::run(&kit, &layout);
    let drawn = curves(&run, 7);
    let mut group = c.benchmark_group("a_384_well_file");
    for (name, drawn) in [("readings", &[][..]), ("readings_and_curves", &drawn)] {
        let bytes = quantstudio_text_with(&run, drawn).into_bytes();
        group.bench_function(format!("{name}/parsed"), |b| {
            b.iter(|| read(black_box(&bytes)).expect("the file is readable"));
        });
        let file = read(&bytes).expect("the file is readable");
        group.bench_function(format!("{name}/called"), |b| {
            b.iter(|| interpret(&kit, &layout, &file.readings, &facts).expect("it fits"));
        });
        for server in servers() {
            let mut laboratory = Laboratory::open(server, kit.clone());
            laboratory.settle();
            let engine = laboratory.app.db.engine();
            group.bench_function(format!("{name}/parsed_called_stored/{engine}"), |b| {
                b.iter_custom(|times| day(&mut laboratory, times, !drawn.is_empty(), 2));
            });
        }
    }
    group.finish();
}

/// The steps of a plate, in their order.
const STEPS: [&str; 5] = ["put", "frozen", "imported", "reviewed", "released"];

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("a_384_plate");
    for server in servers() {
        let mut laboratory = Laboratory::open(server, run::kit());
        laboratory.settle();
        let engine = laboratory.app.db.engine();
        for (step, name) in STEPS.into_iter().enumerate() {
            group.bench_function(format!("{name}/{engine}"), |b| {
                b.iter_custom(|times| day(&mut laboratory, times, false, step));
            });
        }
    }
    group.finish();
}

/// Takes so many plates as far as this step, and says how long that step took.
fn day(laboratory: &mut Laboratory, times: u64, with_curves: bool, last: usize) -> Duration {
    let mut spent = Duration::ZERO;
    for _time in 0..times {
        let plate = laboratory.receive(with_curves);
        let mut run = String::new();
        for step in 0..=last {
            let request = match step {
                0 => laboratory.put(&plate),
                1 => laboratory.freeze(&plate),
                2 => laboratory.import(&plate),
                3 => laboratory.review(&run),
                _ => laboratory.release(&run),
            };
            let (answer, took) = laboratory.send_timed(request);
            if step == last {
                spent += took;
            }
            if let (2, Some(id)) = (step, answer["id"].as_str()) {
                id.clone_into(&mut run);
            }
        }
    }
    spent
}

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    import(&mut criterion);
    steps(&mut criterion);
    criterion.final_summary();
}
