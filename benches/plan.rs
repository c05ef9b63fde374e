//! Planning pools: one scheme's figures, and the best sizes of all schemes.

use std::hint::black_box;

use criterion::Criterion;
use swabline::pooling::plan::{Accuracy, Assumptions, Question, Scheme, answer};

fn plan(c: &mut Criterion) {
    let test = Accuracy { sensitivity: 0.95, specificity: 0.99 };
    let given = Assumptions { prevalence: 0.001, single: test, pool: test, dilution: None };
    let mut group = c.benchmark_group("plan");
    let schemes = [
        ("two_stage", Scheme::TwoStage { size: 10 }),
        ("three_stage", Scheme::ThreeStage { size: 20, part: 5 }),
        ("array", Scheme::Array { size: 10 }),
        ("array_with_master", Scheme::ArrayWithMaster { size: 10 }),
    ];
    for (name, scheme) in schemes {
        group.bench_function(name, |b| b.iter(|| scheme.performance(black_box(&given))));
    }
    let question: Question =
        serde_json::from_str(r#"{ "prevalence": 0.001 }"#).expect("the rest has defaults");
    group.bench_function("best_of_all", |b| {
        b.iter(|| answer(black_box(&question)).expect("the question is sound"));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    plan(&mut criterion);
    criterion.final_summary();
}
