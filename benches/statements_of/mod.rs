//! What is added and moved, and in which forms.

use std::fmt::Write as _;

/// How rows, or the keys of rows, are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One text for both engines alike, each row an object with a name for each field.
    Structs,
    /// The same, each row an array: fields are found by place, and no name is sent.
    Tuples,
    /// A list for each column.
    Lists,
    /// Binary `COPY`, which cannot pass over what is known.
    Copy,
}

impl Form {
    /// Its name in the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Structs => "structs",
            Self::Tuples => "tuples",
            Self::Lists => "lists",
            Self::Copy => "copy",
        }
    }
}

/// A column of a table and its type.
pub struct Column {
    name: &'static str,
    /// `text`, `bigint` or `bytea`.
    pub kind: &'static str,
}

/// Rows for one table; `{k}` in its texts is the turn, `{n}` how many rows.
pub struct Addition {
    /// The table.
    pub table: &'static str,
    /// Rows.
    pub count: u64,
    /// What is filled of each row, in the order of `rows`.
    pub columns: Vec<Column>,
    before: &'static str,
    rows: &'static str,
    /// Whether what is known is passed over.
    ignores: bool,
}

const A_PLATE: &str = "insert into plate (code, laboratory_code, kit_code, kit_version, template,
        size, state, made_by, made_us, lot, volume_nl, tolerance, reactions)
    select 'Y{k}', laboratory_code, kit_code, kit_version, template, size, 'draft', made_by, made_us,
        lot, volume_nl, tolerance, reactions from plate limit 1";
const A_RUN: &str = "insert into plate (code, laboratory_code, kit_code, kit_version, template,
        size, state, made_by, made_us, lot, volume_nl, tolerance, reactions)
    select 'Y{k}', laboratory_code, kit_code, kit_version, template, size, 'draft', made_by, made_us,
        lot, volume_nl, tolerance, reactions from plate limit 1;
    insert into run_file (sha256, name, content, kept_us)
    select md5('{k}') || md5('x{k}'), name, content, kept_us from run_file limit 1;
    insert into run (id, plate_code, sha256, format, instrument, serial, run_ended, kit_code,
        kit_version, usable, verdict, warnings, imported_by, imported_us, state)
    select 'X{k}', 'Y{k}', md5('{k}') || md5('x{k}'), format, instrument, serial, run_ended, kit_code,
        kit_version, usable, verdict, warnings, imported_by, imported_us, 'draft' from run limit 1";
const AN_ARRIVAL: &str = "insert into arrival (id, box_code, laboratory_code, arrived_us, recorded_us,
        received_by, temperature_cdeg, seal_intact, warnings)
    select 'V{k}', box_code, laboratory_code, arrived_us, recorded_us, received_by, temperature_cdeg,
        seal_intact, warnings from arrival limit 1";
const A_BOX: &str = "insert into box (code, site_code, seal, tubes, content_tag, sealed_us,
        recorded_us, recorded_by, state, holder)
    select 'B{k}', site_code, seal, {n}, content_tag, sealed_us, recorded_us, recorded_by, 'sealed',
        holder from box limit 1";

/// Each statement of a batch with as many rows as it usually has: table, rows, columns, what must be
/// there before, the rows, and whether it passes over what is known.
const ADDED: &[(&str, u64, &str, &str, &str, bool)] = &[
    (
        "tube",
        2_000,
        "code size:bigint members:bigint swab_count:bigint round_code site_code session_code event_id
            device_id device_seq:bigint device_skew_us:bigint sealed_us:bigint recorded_us:bigint
            recorded_by content_tag state state_us:bigint",
        "",
        "select 'Z' || lpad(cast(cast(random() * 1e15 as bigint) as text), 15, '0') as code, t.size,
            t.members, t.swab_count, t.round_code, t.site_code, t.session_code,
            '0197' || substr(md5(cast(random() as text)), 1, 28) as event_id, t.device_id,
            cast(10000000 + {k} * 10000 + n as bigint) as device_seq, t.device_skew_us,
            t.sealed_us + n as sealed_us, t.recorded_us + n as recorded_us, t.recorded_by,
            md5(cast(random() as text)) as content_tag, 'sealed' as state,
            t.recorded_us + n as state_us
        from (select * from tube limit 1) t cross join generate_series(1, {n}) n",
        true,
    ),
    (
        "box_tube",
        200,
        "tube_code box_code",
        A_BOX,
        "select 'Z' || lpad(cast(cast(random() * 1e15 as bigint) as text), 15, '0') as tube_code,
            'B{k}' as box_code from generate_series(1, {n}) n",
        true,
    ),
    (
        "arrival_tube",
        200,
        "arrival_id tube_code finding reason swab_count:bigint",
        AN_ARRIVAL,
        "select 'V{k}' as arrival_id, t.code as tube_code, 'accepted' as finding,
            cast(null as text) as reason, cast(10 as bigint) as swab_count
        from (select code from tube order by code limit {n}) t",
        false,
    ),
    (
        "well",
        384,
        "plate_code well:bigint reaction tube_code depth:bigint control pool_code",
        A_PLATE,
        "select 'Y{k}' as plate_code, row_number() over () - 1 as well, 'A' as reaction,
            t.code as tube_code, cast(10 as bigint) as depth, cast(null as text) as control,
            cast(null as text) as pool_code
        from (select code from tube order by code limit {n}) t",
        false,
    ),
    (
        "curve",
        1_152,
        "run_id well:bigint target dye first_cycle:bigint points:bytea",
        A_RUN,
        "select 'X{k}' as run_id, cast((n - 1) / 3 as bigint) as well,
            (array['ORF1ab', 'N', 'IC'])[n % 3 + 1] as target, 'FAM' as dye,
            cast(1 as bigint) as first_cycle,
            decode(repeat(lpad(to_hex(n), 8, '0'), 40), 'hex') as points
        from generate_series(1, {n}) n",
        false,
    ),
    (
        "call",
        380,
        "run_id tube_code outcome rule disposition members:bigint attempt:bigint clean:bigint detail
            state pool_code",
        A_RUN,
        "select 'X{k}' as run_id, t.code as tube_code, c.outcome, c.rule, c.disposition, c.members,
            c.attempt, c.clean, c.detail, 'draft' as state, c.pool_code
        from (select * from call where disposition = 'report' limit 1) c
            cross join (select code from tube where state = 'released' order by code limit {n}) t",
        false,
    ),
    (
        "recall",
        20,
        "id person_key origin_tube site_code reason opened_us:bigint due_us:bigint contact note state",
        "",
        "select md5(cast(random() as text)) as id,
            substr(md5(cast(random() as text)), 1, 22) as person_key, t.code as origin_tube,
            t.site_code, 'detected' as reason, t.state_us as opened_us, t.state_us + 1 as due_us,
            'none' as contact, '' as note, 'open' as state
        from (select * from tube order by code limit {n}) t",
        true,
    ),
    (
        "feed",
        2_000,
        "change tube_code at_us:bigint",
        "",
        "select 'sealed' as change,
            'Z' || lpad(cast(cast(random() * 1e15 as bigint) as text), 15, '0') as tube_code,
            cast(n as bigint) as at_us from generate_series(1, {n}) n",
        false,
    ),
    (
        "audit",
        100,
        "chain seq:bigint at_us:bigint account_id action about detail previous hash",
        "",
        "select 'bench' as chain, cast({k} * 10000 + n as bigint) as seq, a.at_us, a.account_id,
            a.action, a.about, a.detail, a.previous,
            md5(cast(random() as text)) || md5(cast(random() as text)) as hash
        from (select * from audit limit 1) a cross join generate_series(1, {n}) n",
        false,
    ),
    (
        "audit_subject",
        2_000,
        "about chain seq:bigint",
        "",
        "select 'Z' || lpad(cast(cast(random() * 1e15 as bigint) as text), 15, '0') as about,
            'bench' as chain, cast({k} * 10000 + n as bigint) as seq from generate_series(1, {n}) n",
        true,
    ),
];

/// Every statement of a batch.
pub fn additions() -> impl Iterator<Item = Addition> {
    ADDED.iter().map(|&(table, count, columns, before, rows, ignores)| {
        let column = |text: &'static str| {
            let (name, kind) = text.split_once(':').unwrap_or((text, "text"));
            Column { name, kind }
        };
        let columns = columns.split_whitespace().map(column).collect();
        Addition { table, count, columns, before, rows, ignores }
    })
}

impl Addition {
    /// That many rows for a table.
    pub fn of(table: &str, count: u64) -> Self {
        let addition = additions().find(|addition| addition.table == table);
        Self { count, ..addition.expect("the table is one of them") }
    }

    fn filled(&self, text: &str, turn: u64) -> String {
        text.replace("{k}", &turn.to_string()).replace("{n}", &self.count.to_string())
    }

    /// What has to be there for this turn's rows.
    pub fn before(&self, turn: u64) -> String {
        self.filled(self.before, turn)
    }

    /// A question whose answer is this turn's rows.
    pub fn rows(&self, turn: u64) -> String {
        self.filled(self.rows, turn)
    }

    /// The rows `r` as one text.
    pub fn as_json(&self, form: Form) -> String {
        let field = |column: &Column| {
            let named =
                if form == Form::Structs { format!("'{}', ", column.name) } else { String::new() };
            match column.kind {
                "bytea" => format!("{named}encode(r.{}, 'hex')", column.name),
                _ => format!("{named}r.{}", column.name),
            }
        };
        let fields = self.columns.iter().map(field).collect::<Vec<_>>().join(", ");
        let build = if form == Form::Structs { "json_build_object" } else { "json_build_array" };
        format!("cast(json_agg({build}({fields})) as text)")
    }

    /// The rows `r` as a list for each column.
    pub fn as_lists(&self) -> String {
        let list = |column: &Column| format!("array_agg(r.{})", column.name);
        self.columns.iter().map(list).collect::<Vec<_>>().join(", ")
    }

    /// The columns by name.
    pub fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// What puts the rows into the table.
    pub fn statement(&self, form: Form) -> String {
        let (table, names) = (self.table, self.names());
        let value = |(place, column): (usize, &Column)| {
            let by = match form {
                Form::Structs => format!("'{}'", column.name),
                _ => place.to_string(),
            };
            match column.kind {
                "bigint" => format!("cast(e.value ->> {by} as bigint)"),
                "bytea" => format!("unhex(e.value ->> {by})"),
                _ => format!("e.value ->> {by}"),
            }
        };
        let mut sql = format!("insert into {table} ({names}) select ");
        match form {
            Form::Copy => return format!("copy {table} ({names}) from stdin (format binary)"),
            Form::Structs | Form::Tuples => {
                let values: Vec<_> = self.columns.iter().enumerate().map(value).collect();
                write!(sql, "{} from jsonb_each($1) e where true", values.join(", "))
            }
            Form::Lists => {
                let lists = (1..).zip(&self.columns);
                let lists = lists.map(|(at, column)| format!("cast(${at} as {}[])", column.kind));
                write!(sql, "* from unnest({}) where true", lists.collect::<Vec<_>>().join(", "))
            }
        }
        .expect("a text takes more text");
        if self.ignores {
            sql.push_str(" on conflict do nothing");
        }
        sql
    }
}

/// Rows that go from one state to the next; in its texts `{k}` is the turn, `{keys}` which rows.
pub struct Move {
    /// Its name in the figures.
    pub name: &'static str,
    /// The table whose new rows are moved.
    pub table: &'static str,
    keys: &'static str,
    statement: &'static str,
}

/// Rows in one move.
pub const MOVED: u64 = 380;

/// The moves of a batch.
pub const MOVES: &[Move] = &[
    Move {
        name: "tubes_packed",
        table: "tube",
        keys: "select code from tube where state = 'sealed'",
        statement: "update tube set state = 'packed', state_us = state_us + 1
            where coalesce(state, '') = 'sealed' and code {keys}",
    },
    Move {
        name: "tubes_attempted",
        table: "tube",
        keys: "select code from tube where state = 'sealed'",
        statement: "update tube set attempt = attempt + 1 where code {keys}",
    },
    Move {
        name: "calls_released",
        table: "call",
        keys: "select tube_code from call where run_id = 'X{k}' and state = 'draft'",
        statement: "update call set state = 'released' where run_id = 'X{k}' and state = 'draft'
            and (tube_code {keys}) is true",
    },
];

impl Move {
    /// A question whose answer is the keys of this turn's rows.
    pub fn keys(&self, turn: u64) -> String {
        self.keys.replace("{k}", &turn.to_string())
    }

    /// What moves the rows.
    pub fn statement(&self, form: Form, turn: u64) -> String {
        let keys = match form {
            Form::Structs => "in (select e.value ->> 'code' from jsonb_each($1) e)",
            Form::Tuples | Form::Lists | Form::Copy => "= any(cast($1 as text[]))",
        };
        self.statement.replace("{keys}", keys).replace("{k}", &turn.to_string())
    }
}
