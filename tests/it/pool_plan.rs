//! Planning pools, over HTTP and on the command line: the same figures through both doors.

use serde_json::{Value, json};
use swabline::auth::Role;

use crate::app::Engine;
use crate::each_engine;
use crate::program::Program;

each_engine! {
    async fn an_officer_compares_schemes_for_a_crowd(app) {
        let officer = app.client(Role::Officer).await;
        let asked = "/v1/plan?prevalence=0.001&sensitivity=0.95&specificity=0.99&max_size=10\
                     &people=1084000&plates_at_once=40";
        let answer = app.get(&officer, asked).await.expect(200).json();
        let schemes = answer["schemes"].as_array().unwrap();
        let names: Vec<&str> = schemes.iter().map(|s| s["scheme"].as_str().unwrap()).collect();
        assert_eq!(names, ["single", "two_stage", "three_stage", "array"]);
        for scheme in schemes {
            assert!(scheme["size"].as_u64().unwrap() <= 10, "{scheme}");
            assert!(answer["tests_per_person"].as_f64() <= scheme["tests_per_person"].as_f64());
        }
        // 0.119358 tests a person in pools of ten (`domain.md` O4): 108,400 pools first.
        let two = &schemes[1];
        assert_eq!(two["size"], 10);
        assert_eq!(two["need"]["rounds"][0]["wells"], 108_400);
        assert_eq!(two["need"]["wells"], 129_384);
        assert_eq!(two["need"]["rounds"][0]["plates"], 1_154);
        // 29 runs of 90 minutes on 40 instruments, then 224 plates in 6 runs.
        assert_eq!(two["need"]["rounds"][0]["hours"], 43.5);
        assert_eq!(two["need"]["hours"], 52.5);
    }

    async fn everything_wrong_with_a_question_is_said_at_once(app) {
        let officer = app.client(Role::Officer).await;
        let asked = "/v1/plan?prevalence=2&sensitivity=0&size=10&part=3&dilution=1.5&people=5\
                     &minutes_per_run=0";
        let problem = app.get(&officer, asked).await.expect(422).json();
        let about: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| reason["about"].as_str().unwrap())
            .collect();
        assert_eq!(about, ["prevalence", "sensitivity", "part", "dilution", "minutes_per_run"]);
        let unknown = app.get(&officer, "/v1/plan?prevalence=0.1&scheme=guess").await.expect(400);
        assert_eq!(unknown.json()["code"], json!("query"));
    }
}

#[tokio::test]
async fn the_command_line_prints_the_same_figures() {
    let program = Program::fresh(Engine::Sqlite).await.unwrap();
    let arguments = ["--prevalence", "0.01", "--sensitivity", "0.99", "--specificity", "0.99"];
    let said = program
        .run(
            &[&["plan", "--scheme", "dorfman", "--size", "10"], &arguments[..], &["--json"]]
                .concat(),
        )
        .expect(0);
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    // The vignette of binGroup2 1.3.1, to ten digits (`domain.md` O3).
    let near = |field: &str, value: f64| {
        assert!((printed[field].as_f64().unwrap() - value).abs() < 5e-8, "{field}: {printed}");
    };
    assert_eq!((&printed["scheme"], &printed["size"]), (&json!("two_stage"), &json!(10)));
    near("tests_per_person", 0.203_705_566_5);
    near("sensitivity", 0.9801);
    near("specificity", 0.999_052_5);
    near("ppv", 0.912_650_1);
    near("npv", 0.999_798_8);
    let table = program.run(&[&["plan"], &arguments[..]].concat()).expect(0);
    assert!(table.out.contains("two stage             11"), "{}", table.out);
    let refused = program.run(&["plan", "--prevalence", "0.01", "--size", "0"]).expect(1);
    assert!(refused.one_line().contains("size: the size of a pool lies between 1 and 10000"));
}
