//! The program at its console: how it starts, refuses to start and stops, and what it says.

mod canaries;
mod console;
mod demo;
mod stop;

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::app::Engine;
use crate::program::Program;

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
const SQLITE: &str = "SQLite is built in";

/// Runs SQL on the store of an installation, past the program.
async fn direct(program: &Program, sql: &'static str) {
    if let Some(database) = &program.database {
        let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(program.sqlite_file());
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Tells a story of the program on every engine that is there.
async fn on_each_engine(story: impl AsyncFn(Program)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Some(program) = Program::fresh(engine).await {
            story(program).await;
        }
    }
}

#[tokio::test]
async fn the_first_start_makes_the_keys_and_the_next_one_uses_them() {
    on_each_engine(async |program| {
        let keys = program.data().join("keys.json");
        assert!(program.serve().stop().success());
        assert_eq!((mode(&program.data()), mode(&keys)), (0o700, 0o600));
        let made = std::fs::read(&keys).unwrap();
        assert!(program.serve().stop().success());
        assert_eq!(std::fs::read(&keys).unwrap(), made);
    })
    .await;
}

#[tokio::test]
async fn keys_that_others_can_read_are_refused() {
    on_each_engine(async |program| {
        assert!(program.serve().stop().success());
        let keys = program.data().join("keys.json");
        for open in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(open)).unwrap();
            let said = program.run(&SERVE).expect(1);
            assert!(said.one_line().contains("chmod 600"), "{}", said.err);
            assert_eq!(said.out, "", "it never served");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_of_another_store_are_refused() {
    on_each_engine(async |program| {
        assert!(program.serve().stop().success());
        let keys = program.data().join("keys.json");
        std::fs::rename(&keys, program.beside("keys.json")).unwrap();
        let said = program.run(&SERVE).expect(1);
        assert!(said.one_line().contains("not those of this store"), "{}", said.err);
        std::fs::rename(program.beside("keys.json"), &keys).unwrap();
        assert!(program.serve().stop().success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_asks_is_not_answered_by_a_store_made_on_the_spot() {
    let ask: [&[&str]; 6] = [
        &["ledger"],
        &["audit", "verify"],
        &["user", "list"],
        &["user", "disable", "nobody"],
        &["user", "token", "nobody"],
        &["key", "rotate"],
    ];
    on_each_engine(async |program| {
        for arguments in ask {
            let said = program.run(arguments).expect(1);
            assert!(said.one_line().contains("keys.json"), "{arguments:?}: {}", said.err);
            assert!(!program.data().exists(), "{arguments:?} made a folder");
        }
        // The keys are there, and the store is not, or has no schema.
        std::fs::create_dir(program.data()).unwrap();
        swabline::seal::KeyRing::open_or_create(&program.data().join("keys.json")).unwrap();
        for arguments in ask {
            let said = program.run(arguments).expect(1);
            let wanted =
                if program.database.is_some() { "swabline migrate" } else { "there is no store" };
            assert!(said.one_line().contains(wanted), "{arguments:?}: {}", said.err);
            assert!(!program.sqlite_file().exists(), "{arguments:?} made a store");
        }
        program.run(&["migrate"]).expect(0);
        for arguments in &ask[..3] {
            program.run(arguments).expect(0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_asks_a_store_that_is_older_newer_or_sealed_by_others_is_refused() {
    on_each_engine(async |program| {
        program.run(&["migrate"]).expect(0);
        let keys = program.data().join("keys.json");
        std::fs::rename(&keys, program.beside("keys.json")).unwrap();
        swabline::seal::KeyRing::open_or_create(&keys).unwrap();
        let said = program.run(&["ledger"]).expect(1);
        assert!(said.one_line().contains("not those of this store"), "{}", said.err);
        std::fs::rename(program.beside("keys.json"), &keys).unwrap();
        program.run(&["ledger"]).expect(0);
        direct(&program, "update _sqlx_migrations set version = 9999 where version = 1").await;
        let said = program.run(&["ledger"]).expect(1);
        assert!(said.one_line().contains("newer than this program"), "{}", said.err);
        direct(&program, "delete from _sqlx_migrations").await;
        let said = program.run(&["ledger"]).expect(1);
        assert!(said.one_line().contains("swabline migrate"), "{}", said.err);
    })
    .await;
}

#[tokio::test]
async fn a_place_that_nobody_registered_has_no_clean_books() {
    on_each_engine(async |program| {
        program.run(&["migrate"]).expect(0);
        let places = "insert into laboratory (code, name, address, created_us)
                values ('L01', 'First', 'here', 0);
            insert into site (code, name, area, created_us) values ('S01', 'North gate', 'A', 0)";
        direct(&program, places).await;
        for (command, option, known) in [
            ("quality", "--laboratory", "L01"),
            ("ledger", "--laboratory", "L01"),
            ("ledger", "--site", "S01"),
        ] {
            program.run(&[command, option, known]).expect(0);
            for unknown in ["NOBODY", "nobody"] {
                let said = program.run(&[command, option, unknown]).expect(1);
                assert!(said.one_line().ends_with(unknown), "{}", said.err);
                assert_eq!(said.out, "");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_newer_is_refused() {
    on_each_engine(async |program| {
        program.run(&["migrate"]).expect(0);
        let newer = "insert into _sqlx_migrations
            (version, description, success, checksum, execution_time)
            select 9999, 'of a later year', success, checksum, 1 from _sqlx_migrations
            where version = 1";
        direct(&program, newer).await;
        let said = program.run(&SERVE).expect(1);
        assert!(said.one_line().contains("newer than this program"), "{}", said.err);
        assert!(said.err.contains("9999"), "{}", said.err);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_its_check_is_refused() {
    let program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    program.run(&["migrate"]).expect(0);
    let whole = std::fs::read(program.sqlite_file()).unwrap();
    let page = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    let mut refused = 0;
    for number in (1..whole.len() / page).step_by(7) {
        let file = std::fs::File::options().write(true).open(program.sqlite_file()).unwrap();
        file.write_all_at(&whole, 0).unwrap();
        file.write_all_at(&vec![0x5a; page], (number * page) as u64).unwrap();
        let said = program.run(&SERVE).expect(1);
        let line = said.one_line();
        assert!(line.contains("fails its check") && line.contains("restore"), "{line}");
        refused += 1;
    }
    assert!(refused > 10, "only {refused} pages were spoilt");
    std::fs::write(program.sqlite_file(), b"a letter, and no database at all").unwrap();
    program.run(&SERVE).expect(1).one_line();
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    on_each_engine(async |program| {
        let said = program.run(&["serve", "--listen", &address]).expect(1);
        assert!(said.one_line().contains(&address), "{}", said.err);
        assert!(said.err.contains("--listen"), "it says what to do: {}", said.err);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_in_one_line_without_its_password() {
    let mut program = Program::fresh(Engine::Sqlite).await.expect(SQLITE);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    program.database = Some(format!("postgres://lab:canary-word@{free}/swabline"));
    let said = program.run(&SERVE).expect(1);
    assert!(!said.one_line().contains("canary-word"), "{}", said.err);
}
