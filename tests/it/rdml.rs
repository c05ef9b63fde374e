//! A stored run given to other programs as RDML.

use std::collections::BTreeMap;

use axum::http::Method;
use swabline::instrument::{Format, Reading, read};
use swabline::simulation::zipped;

use crate::each_engine;
use crate::laboratory::{POSITIVE, SINGLE_TARGET, cycled, deliver, load, upload};
use crate::world::{people, plate, seal_tube, tube, world};

/// The document in an RDML file.
fn document(bytes: &[u8]) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    std::io::read_to_string(zip.by_name("rdml_data.xml").unwrap()).unwrap()
}

each_engine! {
    async fn a_run_is_given_as_rdml_with_its_curves(app) {
        let world = world(app).await;
        for n in 0..2 {
            seal_tube(app, &world, n, &people(n * 10, 10)).await.expect(201);
        }
        deliver(app, &world, 0, &[tube(0), tube(1)]).await;
        let loaded = load(app, &world, 0, &[tube(0), tube(1)]).await;
        let signals = BTreeMap::from([(tube(0), POSITIVE), (tube(1), SINGLE_TARGET)]);
        let mut run = cycled(&loaded, &signals, false);
        // An operator typed a person's name for a control.
        for one in run.wells.iter_mut().filter(|one| one.sample == "NTC") {
            "Zhang San".clone_into(&mut one.sample);
        }
        let file = zipped::eds(&run);
        let answer = upload(app, &world, &loaded, file.clone()).await.expect(201).json();
        assert_eq!(answer["format"], "sds_eds");
        let id = answer["id"].as_str().unwrap();

        let path = format!("/v1/runs/{id}/rdml");
        let given = app.get(&world.technician, &path).await.expect(200);
        assert_eq!(given.headers["content-type"], "application/zip");
        let disposition = given.headers["content-disposition"].to_str().unwrap();
        assert_eq!(disposition, format!("attachment; filename=\"{id}.rdml\""));
        assert_eq!(given.headers["x-content-type-options"], "nosniff");

        let (kept, rdml) = (read(&file).unwrap(), read(&given.bytes).unwrap());
        assert_eq!(rdml.format, Format::Rdml);
        assert_eq!(rdml.plate_size, kept.plate_size);
        let facts = |readings: &[Reading]| -> BTreeMap<_, _> {
            readings.iter().map(|r| ((r.well, r.target.clone(), r.dye.clone()), r.ct)).collect()
        };
        assert_eq!(facts(&rdml.readings), facts(&kept.readings));
        assert_eq!(rdml.curves.len(), kept.curves.len());
        let named: Vec<_> = rdml.readings.iter().map(|r| r.sample.as_str()).collect();
        assert!(named.contains(&tube(0).as_str()), "{named:?}");
        assert!(!named.iter().any(|name| name.contains("Zhang") || *name == "PC"), "{named:?}");
        let xml = document(&given.bytes);
        let run = format!("<experiment id=\"{}\">\n<run id=\"{id}\">", loaded["code"].as_str().unwrap());
        assert!(xml.contains(&run), "{xml}");
        let imported = answer["imported_at"].as_str().unwrap();
        let described = format!("<description>Plate {}, file taken in {imported}", plate(0));
        assert!(xml.contains(&described), "{xml}");
        for control in ["positive control ", "negative control "] {
            assert!(xml.contains(&format!("<sample id=\"{control}")), "{control}: {xml}");
        }
        assert!(!xml.contains("no name"), "{xml}");
        let again = app.get(&world.technician, &path).await.expect(200);
        assert_eq!(again.bytes, given.bytes, "the same run is the same file");
    }

    async fn a_run_nobody_knows_and_a_stranger_get_no_rdml(app) {
        let world = world(app).await;
        let missing = app.get(&world.technician, "/v1/runs/none/rdml").await.expect(404);
        assert_eq!(missing.code(), "run.not_found");
        let path = "/v1/runs/none/rdml";
        app.get(&world.sampler, path).await.expect(403);
        app.call(Method::GET, path, None, None).await.expect(401);
    }
}
