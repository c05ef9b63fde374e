//! `swabline watch`: a process over a folder, against a server on a socket.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use swabline::app::{App, Parts};
use swabline::simulation::files_text::lightcycler_480;

use crate::app::TestApp;
use crate::each_engine;
use crate::laboratory as lab;
use crate::program::{Said, command, finish, terminate};
use crate::world::{World, people, plate, seal_tube, tube, world};

/// A folder that instruments write to, and what a watch over it needs.
struct Post {
    /// Kept so that the folder lives as long as the story.
    place: tempfile::TempDir,
    server: String,
}

impl Post {
    /// Serves the application and writes the technician's token down.
    fn new(app: &TestApp, world: &World) -> Self {
        let mut config = swabline::config::Config::clone(&app.app.config);
        config.listen = "127.0.0.1:0".parse().unwrap();
        let own = App::from(Parts { config: config.into(), ..Parts::clone(&app.app) });
        let listener = own.listen().unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(own.serve(listener, std::future::pending()));
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("drop")).unwrap();
        std::fs::write(place.path().join("token"), format!("{}\n", world.technician.token))
            .unwrap();
        Self { place, server }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("drop")
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder().join(name), content).unwrap();
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = command();
        command.arg("watch").arg(self.folder()).args(["--settle", "1", "--every", "1"]);
        command.arg("--data").arg(self.place.path().join("data"));
        command.arg("--token-file").arg(self.place.path().join("token"));
        command.args(more);
        if !more.contains(&"--server") {
            command.args(["--server", &self.server]);
        }
        command
    }

    /// One sweep; gives what was told of each file, by the first name, and what was said.
    async fn once(&self, more: &[&str]) -> (BTreeMap<String, Value>, Said) {
        let mut command = self.command(more);
        command.args(["--once", "--json"]);
        // The server lives on this very thread.
        let said = tokio::task::spawn_blocking(|| finish(command)).await.unwrap();
        let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let named = |event: Value| {
            let name = event["files"][0].as_str().unwrap();
            (format!("{} {name}", event["event"].as_str().unwrap()), event)
        };
        (events.map(named).collect(), said)
    }

    /// Name, content and time of everything in the folder.
    fn contents(&self) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let entries = std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> = entries
            .map(|path| {
                let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
                (path.clone(), std::fs::read(path).unwrap(), changed)
            })
            .collect();
        all.sort();
        all
    }
}

/// Two frozen plates of a tube each.
async fn plates(app: &TestApp) -> (World, [Value; 2]) {
    let world = world(app).await;
    for n in 0..2 {
        seal_tube(app, &world, n, &people(n * 20, 1)).await.expect(201);
    }
    lab::deliver(app, &world, 0, &[tube(0), tube(1)]).await;
    let first = lab::load(app, &world, 0, &[tube(0)]).await;
    let second = lab::load(app, &world, 1, &[tube(1)]).await;
    (world, [first, second])
}

fn text(plate: &Value) -> Vec<u8> {
    lab::run_file(plate, &BTreeMap::new(), false)
}

fn filters(plate: &Value) -> Vec<String> {
    lightcycler_480(&lab::cycled(plate, &BTreeMap::new(), false))
}

/// A mapping that a laboratory wrote for its own cycler.
const OWN_MAPPING: &str = "name = 'own'
instrument = 'Own'
proven = false
proven_on = 'no file'
plate = 96

[header]
needs = ['Place', 'Gene', 'Colour']

[columns]
well = ['Place']
target = ['Gene']
dye = ['Colour']
ct = ['Cycle']

[words]
no_ct = ['none']
";
const CFX: &str = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,N,Unkn,T1,30\n";

each_engine! {
    async fn what_instruments_drop_is_taken_once_and_left_where_it_is(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        post.put("anything.txt", text(&plates[0]));
        post.put("copy of anything.txt", text(&plates[0]));
        for (name, file) in ["cy5", "fam", "vic"].into_iter().zip(filters(&plates[1])) {
            post.put(&format!("{}_{name}.txt", plate(1)), file);
        }
        post.put("notes.txt", "buy milk");
        post.put("cfx.csv", CFX);
        let before = post.contents();
        let (events, said) = post.once(&[]).await;
        let said = said.expect(2);
        assert!(said.one_line().contains("runs not taken: 1"), "{}", said.err);
        let kinds: Vec<_> = events.keys().map(String::as_str).collect();
        let set = events.keys().find(|key| key.starts_with(&format!("taken {}", plate(1)))).unwrap();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
        assert_eq!(events[set]["files"].as_array().unwrap().len(), 3);
        assert_eq!(events[set]["usable"], true);
        let whole = events.get("taken anything.txt").or(events.get("taken copy of anything.txt"));
        assert_eq!(whole.unwrap()["plate"], plate(0));
        assert!(events["not_a_run notes.txt"]["reason"].as_str().unwrap().contains("not a run file"));
        let homeless = events["no_plate cfx.csv"]["reason"].as_str().unwrap();
        assert!(homeless.contains("begin with the plate's code"), "{homeless}");
        let run = format!("/v1/runs/{}", whole.unwrap()["run"].as_str().unwrap());
        let run = app.get(&world.technician, &run).await.expect(200).json();
        assert_eq!(run["plate"], plate(0));

        let (again, _) = post.once(&[]).await;
        let again: Vec<_> = again.keys().map(String::as_str).collect();
        assert_eq!(again, ["no_plate cfx.csv"], "what is left is named with every exit code 2");
        assert_eq!(post.contents(), before, "nothing in the folder was touched");
    }

    async fn a_file_that_changes_after_it_was_taken_is_told_as_new_content(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        post.put("run.txt", text(&plates[0]));
        let (events, said) = post.once(&[]).await;
        said.expect(0);
        let run = events["taken run.txt"]["run"].clone();
        post.put("run.txt", [text(&plates[0]), b"\n".to_vec()].concat());
        let (events, said) = post.once(&[]).await;
        said.expect(2);
        assert_eq!(events["changed run.txt"]["run"], run);
        let reason = events["refused run.txt"]["reason"].as_str().unwrap();
        assert!(reason.contains("already"), "{reason}");
        let (events, said) = post.once(&[]).await;
        said.expect(2);
        let again: Vec<_> = events.keys().map(String::as_str).collect();
        assert_eq!(again, ["refused run.txt"], "the change is told once, what is left always");
    }

    async fn a_server_that_is_away_is_tried_again_and_a_refusal_only_when_asked(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        post.put("run.txt", text(&plates[0]));
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (events, said) = post.once(&["--server", &format!("http://{free}")]).await;
        said.expect(2);
        assert!(events.contains_key("waiting run.txt"), "{events:?}");
        let token = post.place.path().join("token");
        let sound = std::fs::read(&token).unwrap();
        std::fs::write(&token, "swl_unknown").unwrap();
        let (events, said) = post.once(&[]).await;
        said.expect(2);
        let reason = events["denied run.txt"]["reason"].as_str().unwrap();
        assert!(reason.contains("401") && reason.contains("token of a technician"), "{reason}");
        std::fs::write(&token, sound).unwrap();
        let (events, said) = post.once(&[]).await;
        said.expect(0);
        assert!(events.contains_key("taken run.txt"), "{events:?}");

        // The third plate is not laid out when its file comes.
        seal_tube(app, &world, 2, &people(40, 1)).await.expect(201);
        lab::deliver(app, &world, 1, &[tube(2)]).await;
        let mut later = plates[0].clone();
        later["code"] = json!(plate(2));
        let file = text(&later);
        let file = String::from_utf8(file).unwrap().replace(&tube(0), &tube(2));
        post.put("later.txt", file);
        let (events, _) = post.once(&[]).await;
        assert!(events.contains_key("refused later.txt"), "{events:?}");
        lab::load(app, &world, 2, &[tube(2)]).await;
        let (events, said) = post.once(&[]).await;
        assert!(events.contains_key("refused later.txt") && said.code == Some(2), "{events:?}");
        let (events, said) = post.once(&["--again"]).await;
        said.expect(0);
        assert!(events.contains_key("taken later.txt"), "{events:?}");
    }

    async fn a_token_that_is_not_accepted_is_told_at_every_look(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        std::fs::write(post.place.path().join("token"), "swl_unknown").unwrap();
        post.put("one.txt", text(&plates[0]));
        post.put("two.txt", text(&plates[1]));
        let mut command = post.command(&[]);
        let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let lines = || lines.take(3).map(Result::unwrap).collect::<Vec<String>>();
        let lines = tokio::task::spawn_blocking(lines).await.unwrap();
        for line in &lines {
            assert!(line.contains("denied") && line.contains("401"), "{line}");
        }
        let runs = ["one.txt", "two.txt"].map(|name| lines[0].contains(name));
        assert!(lines.iter().all(|line| ["one.txt", "two.txt"].map(|name| line.contains(name)) == runs),
            "nobody sends the others, which would be denied too: {lines:?}");
        terminate(watch.id());
        tokio::task::spawn_blocking(move || watch.wait().unwrap()).await.unwrap();
        let (events, said) = post.once(&[]).await;
        let said = said.expect(2);
        assert!(said.one_line().contains("runs not taken: 2"), "{}", said.err);
        assert_eq!(events.len(), 2, "{events:?}");
    }

    async fn what_is_left_is_named_with_its_reason(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        let [cy5, fam, _vic] = filters(&plates[1]).try_into().unwrap();
        post.put(&format!("{}_cy5.txt", plate(1)), cy5);
        std::os::unix::fs::symlink("loop.txt", post.folder().join("loop.txt")).unwrap();
        let growing = format!("{}_fam.txt", plate(1));
        let path = post.folder().join(&growing);
        let write = async {
            for n in 1.. {
                std::fs::write(&path, &fam[..n]).unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let (events, said) = tokio::select! {
            said = post.once(&[]) => said,
            () = write => unreachable!("the file grows for ever"),
        };
        let said = said.expect(2);
        assert!(said.one_line().contains("runs not taken: 3"), "{}", said.err);
        let reason = |key: &str| events[key]["reason"].as_str().unwrap();
        assert!(reason("unreadable loop.txt").contains("cannot be read"));
        assert!(reason(&format!("unsettled {growing}")).contains("still changing"));
        let waiting = reason(&format!("waiting {}_cy5.txt", plate(1)));
        assert!(waiting.contains(&growing) && waiting.contains("being written"), "{waiting}");
        assert_eq!(events.len(), 3, "{events:?}");
    }

    async fn a_run_file_that_cannot_be_read_is_left_every_time_and_another_file_is_passed_over(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        let name = format!("{}.txt", plate(0));
        let run = text(&plates[0]);
        post.put(&name, &run[..run.len() * 2 / 3]);
        post.put("notes.txt", "buy milk");
        for _ in 0..2 {
            let (events, said) = post.once(&[]).await;
            let said = said.expect(2);
            assert!(said.one_line().contains("runs not taken: 1"), "{}", said.err);
            let left = &events[&format!("unreadable {name}")];
            assert!(left["reason"].as_str().unwrap().contains("again"), "{left}");
        }
        post.put(&name, &run);
        let (events, said) = post.once(&[]).await;
        said.expect(0);
        assert!(events.contains_key(&format!("taken {name}")), "{events:?}");
    }

    async fn a_file_that_no_format_read_is_sent_once_a_mapping_reads_it(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        let name = format!("{}.csv", plate(0));
        post.put(&name, "Place,Gene,Colour,Cycle\nA1,N,FAM,30.1\n");
        let (events, said) = post.once(&[]).await;
        said.expect(0);
        assert!(events.contains_key(&format!("not_a_run {name}")), "{events:?}");
        let mappings = post.place.path().join("mappings");
        std::fs::create_dir(&mappings).unwrap();
        std::fs::write(mappings.join("own.toml"), OWN_MAPPING).unwrap();
        let config = post.place.path().join("config.toml");
        std::fs::write(&config, format!("mappings = {:?}\n", mappings.display().to_string()))
            .unwrap();
        let (events, said) = post.once(&["--config", config.to_str().unwrap()]).await;
        said.expect(2);
        // The server was not told of the mapping: that it refused the file shows that it got it.
        assert!(events.contains_key(&format!("refused {name}")), "{events:?}");
        assert_eq!(plates[0]["code"], json!(plate(0)));
    }

    async fn a_watch_goes_on_until_it_is_stopped(app) {
        let (world, plates) = plates(app).await;
        let post = Post::new(app, &world);
        let mut command = post.command(&[]);
        let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        post.put("run.txt", text(&plates[0]));
        let line = tokio::task::spawn_blocking(move || lines.next().unwrap().unwrap()).await.unwrap();
        assert!(line.contains("taken") && line.contains("run.txt"), "{line}");
        assert!(line.contains(&format!("plate {}", plate(0))) && line.ends_with("usable"), "{line}");
        let (events, said) = post.once(&[]).await;
        assert!(events.is_empty() && said.code == Some(1), "{said:?}");
        assert!(said.one_line().contains("in use by another watch"), "{}", said.err);
        terminate(watch.id());
        let ended = tokio::task::spawn_blocking(move || watch.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }
}

/// A watch that cannot begin says so in one line.
#[track_caller]
fn refused(arguments: &[&str], folder: &Path, part: &str) {
    let mut command = command();
    command.arg("watch").arg(folder).args(arguments);
    let said = finish(command).expect(1);
    assert!(said.one_line().contains(part), "{}", said.err);
}

#[test]
fn a_watch_that_cannot_begin_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let (folder, token) = (place.path().join("drop"), place.path().join("token"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&token, "swl_x").unwrap();
    let token = token.to_str().unwrap();
    let inside = folder.join("sub/state.jsonl");
    let inside = inside.to_str().unwrap();
    let data = place.path().join("data");
    let data = data.to_str().unwrap();
    let server = "http://127.0.0.1:9";
    refused(&["--data", data], &folder, "no server is named");
    refused(&["--data", data, "--server", server], &folder, "no token is named");
    let sound = ["--data", data, "--server", server, "--token-file", token];
    refused(&[&sound[..5], &["/nowhere"]].concat(), &folder, "the token cannot be read");
    refused(&sound, &place.path().join("gone"), "cannot be watched");
    refused(&sound, Path::new(token), "is no folder");
    refused(&[&sound[..], &["--state", inside]].concat(), &folder, "never written to");
    let foreign = place.path().join("foreign.jsonl");
    std::fs::write(&foreign, "hello\n").unwrap();
    let state = ["--state", foreign.to_str().unwrap()];
    refused(&[&sound[..], &state].concat(), &folder, "line 1 of");
}
