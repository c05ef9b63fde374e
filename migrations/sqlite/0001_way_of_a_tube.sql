-- The way of a tube, first step of the schema. Times are microseconds UTC (`_us`), states are
-- checked here as well as in code (R10), codes and ids are text.

-- Facts about this store itself: whose keys seal its people.
create table installation (
    name text not null primary key,
    value text not null
);

-- Who may do what. `account` because `user` is a reserved word.
create table account (
    id text not null primary key,
    name text not null check (name <> ''),
    role text not null check (role in ('sampler', 'courier', 'receiver', 'technician', 'reviewer',
        'officer', 'service', 'auditor', 'administrator')),
    site_code text,
    laboratory_code text,
    created_us bigint not null,
    disabled_us bigint
);
create table token (
    hash text not null primary key,
    account_id text not null references account,
    label text not null,
    created_us bigint not null,
    expires_us bigint not null,
    revoked_us bigint
);
create index token_account on token (account_id);

-- One chain of rows per writer. `audit_chain` holds each chain's head, so a cut tail shows, and
-- its number; `audit_chains` counts them, so a missing chain shows.
create table audit_chains (
    one bigint not null primary key check (one = 1),
    begun bigint not null check (begun >= 0)
);
insert into audit_chains (one, begun) values (1, 0);
create table audit_chain (
    chain text not null primary key,
    number bigint not null unique check (number > 0),
    seq bigint not null check (seq > 0),
    hash text not null
);
create table audit (
    chain text not null,
    seq bigint not null check (seq > 0),
    at_us bigint not null,
    account_id text not null,
    action text not null,
    about text not null,
    detail text not null,
    previous text not null,
    hash text not null,
    primary key (chain, seq)
);
create index audit_about on audit (about);
-- Things of which many share one row, so that the trail of each is found; the row names them too.
create table audit_subject (
    about text not null,
    chain text not null,
    seq bigint not null,
    primary key (about, chain, seq)
);

-- An answer is stored with its effect (draft-ietf-httpapi-idempotency-key).
create table idempotency (
    account_id text not null,
    key text not null,
    fingerprint text not null,
    status bigint not null,
    body text not null,
    created_us bigint not null,
    primary key (account_id, key)
);

create table switch (
    name text not null primary key,
    is_on bigint not null check (is_on in (0, 1)),
    reason text not null,
    set_by text not null,
    set_us bigint not null
);

-- Places and drives.
create table laboratory (
    code text not null primary key,
    name text not null check (name <> ''),
    address text not null,
    created_us bigint not null
);
create table site (
    code text not null primary key,
    name text not null check (name <> ''),
    area text not null,
    created_us bigint not null
);
create table round (
    code text not null primary key,
    name text not null check (name <> ''),
    area text not null,
    specimen text not null check (specimen <> ''),
    tube_size bigint not null check (tube_size in (1, 5, 10, 20)),
    starts_us bigint not null,
    ends_us bigint not null check (ends_us > starts_us),
    result_hours bigint not null check (result_hours between 1 and 72),
    created_us bigint not null
);
create table session (
    code text not null primary key,
    round_code text not null references round,
    site_code text not null references site,
    team text not null,
    opens_us bigint not null,
    closes_us bigint not null check (closes_us > opens_us),
    created_us bigint not null
);
create index session_site on session (site_code);

-- Codes: what was allotted, and whose other codes are welcome.
create table code_counter (
    kind text not null primary key check (kind in ('tube', 'box', 'plate')),
    next_number bigint not null check (next_number >= 0)
);
insert into code_counter (kind, next_number) values ('tube', 0), ('box', 0), ('plate', 0);
create table allotment (
    id text not null primary key,
    kind text not null references code_counter,
    first_number bigint not null check (first_number >= 0),
    count bigint not null check (count between 1 and 100000),
    place_code text not null,
    allotted_by text not null,
    allotted_us bigint not null,
    unique (kind, first_number)
);
create table code_pattern (
    prefix text not null primary key,
    maker text not null check (maker <> ''),
    length bigint not null check (length between 6 and 24),
    alphabet text not null check (alphabet in ('digits', 'alphanumeric')),
    created_us bigint not null
);

-- People, known only by their key; everything personal is sealed in `identity`. Each identity that
-- was ever given with a document has a row, by its keyed tag; `member` names the one given then.
create table person (
    key text not null,
    identity_tag text not null,
    identity blob not null,
    first_seen_us bigint not null,
    primary key (key, identity_tag)
);

-- Tubes and their members. `member` has no foreign key to `tube` because both are written by one
-- statement each in one transaction a million times a day; the ledger counts orphans. `sealed_us`
-- and `taken_us` are corrected: the device's time less `device_skew_us`, which is the device's
-- clock while it sent the tube less the server's, so that swabs of devices with wrong clocks stand
-- in their true order. What the device said is `sealed_us + device_skew_us`.
create table tube (
    code text not null primary key,
    size bigint not null check (size in (1, 5, 10, 20)),
    members bigint not null check (members between 1 and size),
    swab_count bigint not null check (swab_count = members),
    round_code text not null,
    site_code text not null,
    session_code text not null,
    event_id text not null unique,
    device_id text not null,
    device_seq bigint not null check (device_seq >= 0),
    device_skew_us bigint not null,
    sealed_us bigint not null,
    recorded_us bigint not null,
    recorded_by text not null,
    content_tag text not null,
    state text not null check (state in ('sealed', 'packed', 'received', 'refused', 'missing',
        'plated', 'released', 'closed')),
    state_us bigint not null,
    laboratory_code text,
    attempt bigint not null default 0 check (attempt >= 0)
);
create index tube_site on tube (site_code, state);
create index tube_laboratory on tube (laboratory_code, state);
create index tube_open on tube (state, sealed_us) where state not in ('released', 'closed', 'refused');
create table member (
    tube_code text not null,
    position bigint not null check (position between 1 and 20),
    person_key text not null,
    identity_tag text not null,
    taken_us bigint not null,
    primary key (tube_code, position),
    unique (person_key, tube_code)
);

-- Boxes and custody.
create table box (
    code text not null primary key,
    site_code text not null references site,
    seal text not null check (seal <> ''),
    tubes bigint not null check (tubes > 0),
    content_tag text not null,
    sealed_us bigint not null,
    recorded_us bigint not null,
    recorded_by text not null,
    state text not null check (state in ('sealed', 'in_transit', 'arrived')),
    holder text not null,
    laboratory_code text references laboratory,
    check ((state = 'arrived') = (laboratory_code is not null))
);
create table box_tube (
    tube_code text not null primary key,
    box_code text not null references box
);
create index box_tube_box on box_tube (box_code);
create table handover (
    box_code text not null references box,
    step bigint not null check (step > 0),
    given_by text not null,
    given_name text not null,
    given_us bigint not null,
    place text not null,
    temperature_cdeg bigint,
    taken_by text not null,
    taken_name text,
    taken_us bigint,
    withdrawn_us bigint,
    primary key (box_code, step),
    check (given_by <> taken_by),
    check ((taken_us is null) = (taken_name is null)),
    check (taken_us is null or withdrawn_us is null)
);

-- The follow-up of a positive, inconclusive or invalid pool, or of a refused or lost tube.
create table recall (
    id text not null primary key,
    person_key text not null,
    origin_tube text not null references tube,
    site_code text not null,
    reason text not null check (reason in ('detected', 'inconclusive', 'invalid', 'refused',
        'missing')),
    opened_us bigint not null,
    due_us bigint not null check (due_us > opened_us),
    contact text not null check (contact in ('none', 'informed', 'unreachable', 'declined')),
    note text not null,
    state text not null check (state in ('open', 'collected', 'closed')),
    answer_tube text,
    closed_us bigint,
    outcome text,
    unique (origin_tube, person_key),
    check ((state = 'closed') = (closed_us is not null)),
    check (state = 'open' or answer_tube is not null)
);
create index recall_person on recall (person_key);
create index recall_open on recall (due_us, id) where state <> 'closed';
create index recall_closed on recall (due_us, id) where state = 'closed';
create index recall_answer on recall (answer_tube);

-- What a laboratory found in a box.
create table arrival (
    id text not null primary key,
    box_code text not null references box,
    laboratory_code text not null references laboratory,
    arrived_us bigint not null,
    recorded_us bigint not null,
    received_by text not null,
    temperature_cdeg bigint,
    seal_intact bigint not null check (seal_intact in (0, 1)),
    warnings text not null
);
create index arrival_box on arrival (box_code);
create table arrival_tube (
    arrival_id text not null references arrival,
    tube_code text not null,
    finding text not null check (finding in ('accepted', 'refused', 'missing', 'unexpected')),
    reason text,
    swab_count bigint,
    primary key (arrival_id, tube_code),
    check ((finding = 'refused') = (reason is not null))
);
create index arrival_tube_tube on arrival_tube (tube_code);

-- Plates: the layout is immutable once frozen.
create table plate (
    code text not null primary key,
    laboratory_code text not null references laboratory,
    kit_code text not null,
    kit_version text not null,
    template text not null,
    size bigint not null check (size in (96, 384)),
    state text not null check (state in ('draft', 'frozen', 'closed')),
    made_by text not null,
    made_us bigint not null,
    frozen_us bigint,
    check ((state = 'draft') = (frozen_us is null))
);
create index plate_laboratory on plate (laboratory_code, state);
create table well (
    plate_code text not null references plate,
    well bigint not null check (well between 0 and 383),
    reaction text not null,
    tube_code text,
    depth bigint not null check (depth between 0 and 20),
    control text,
    primary key (plate_code, well),
    unique (plate_code, tube_code, reaction),
    check ((tube_code is null) <> (control is null)),
    check ((tube_code is null) = (depth = 0))
);
create index well_tube on well (tube_code);

-- Run files, byte for byte; runs and what was read.
create table run_file (
    sha256 text not null primary key,
    name text not null,
    content blob not null,
    kept_us bigint not null
);
create table run (
    id text not null primary key,
    plate_code text not null references plate,
    sha256 text not null unique references run_file,
    format text not null,
    instrument text not null,
    serial text not null,
    run_ended text not null,
    kit_code text not null,
    kit_version text not null,
    usable bigint not null check (usable in (0, 1)),
    verdict text not null,
    warnings text not null,
    imported_by text not null,
    imported_us bigint not null,
    state text not null check (state in ('draft', 'reviewed', 'released', 'void')),
    check (state in ('draft', 'void') or usable = 1)
);
create unique index run_live on run (plate_code) where state <> 'void';
create index run_waiting on run (imported_us, id) where state in ('draft', 'reviewed');
create table reading (
    run_id text not null references run,
    well bigint not null check (well between 0 and 383),
    target text not null,
    dye text not null,
    task text not null,
    operator_name text not null,
    ct text,
    raw_ct text not null,
    amp_status text,
    instrument_call text,
    omitted bigint not null check (omitted in (0, 1)),
    primary key (run_id, well, target, dye)
);
-- `disposition` is what becomes of the tube on release.
create table call (
    run_id text not null references run,
    tube_code text not null references tube,
    outcome text not null check (outcome in ('detected', 'not_detected', 'inconclusive',
        'invalid')),
    rule text not null,
    disposition text not null check (disposition in ('report', 'retest', 'recall')),
    members bigint not null check (members between 1 and 20),
    attempt bigint not null check (attempt >= 0),
    clean bigint not null check (clean in (0, 1)),
    detail text not null,
    state text not null check (state in ('draft', 'released', 'void')),
    primary key (run_id, tube_code),
    check (disposition <> 'report' or members = 1 or outcome = 'not_detected'),
    check (disposition <> 'report' or outcome in ('detected', 'not_detected'))
);
create index call_tube on call (tube_code);

create table signature (
    id text not null primary key,
    about text not null,
    meaning text not null check (meaning in ('review', 'release', 'release_by_rule', 'void',
        'propose_amendment', 'amend')),
    account_id text not null,
    signer text not null,
    signed_us bigint not null,
    content_hash text not null,
    rule text
);
create index signature_about on signature (about);

-- What people are told; version 1 is released, later ones are amendments with a reason.
create table result (
    id text not null primary key,
    tube_code text not null references tube,
    version bigint not null check (version > 0),
    outcome text not null check (outcome in ('detected', 'not_detected', 'withdrawn')),
    run_id text not null references run,
    reviewed_by text not null,
    released_by text not null,
    rule text,
    released_us bigint not null,
    reason text check (reason in ('mixed_up', 'contaminated', 'wrong_kit', 'instrument_fault',
        'retested_elsewhere', 'clerical')),
    signature_id text not null references signature,
    content_hash text not null,
    unique (tube_code, version),
    check (rule is not null or reviewed_by <> released_by),
    check (rule is null or (outcome = 'not_detected' and version = 1)),
    check ((version = 1) = (reason is null)),
    check (version > 1 or outcome <> 'withdrawn')
);
-- An amendment one person proposed and another has to confirm.
create table amendment (
    id text not null primary key,
    result_id text not null references result,
    outcome text not null check (outcome in ('detected', 'not_detected', 'withdrawn')),
    reason text not null check (reason in ('mixed_up', 'contaminated', 'wrong_kit',
        'instrument_fault', 'retested_elsewhere', 'clerical')),
    proposed_by text not null,
    proposed_us bigint not null,
    settled_us bigint
);
create unique index amendment_open on amendment (result_id) where settled_us is null;
-- The last result each person was told; whether something newer is under way is read beside it.
create table status (
    person_key text not null primary key,
    tube_code text not null,
    result_id text not null,
    outcome text not null check (outcome in ('detected', 'not_detected', 'withdrawn')),
    collected_us bigint not null,
    released_us bigint not null
);
-- Wrong guesses at a person's status, by person key.
create table guess (
    person_key text not null primary key,
    wrong bigint not null,
    since_us bigint not null
);
create index guess_since on guess (since_us);

create table feed (
    seq integer not null primary key autoincrement,
    epoch bigint not null default 0,
    change text not null check (change in ('sealed', 'received', 'refused', 'released', 'amended',
        'recall_opened', 'recall_closed')),
    tube_code text not null,
    at_us bigint not null
);
create index feed_order on feed (epoch, seq);

-- Rows are never taken away, moves go only the way the field goes, and what is written stays.
create trigger tube_moves before update of state on tube
when old.state <> new.state and old.state || '>' || new.state not in (
        'sealed>packed', 'sealed>received', 'sealed>refused', 'sealed>closed',
        'packed>received', 'packed>refused', 'packed>missing', 'packed>closed',
        'missing>received', 'missing>refused', 'missing>closed', 'received>plated', 'received>refused', 'plated>received',
        'plated>released', 'plated>closed')
begin select raise(abort, 'illegal move of tube'); end;
create trigger tube_begins before insert on tube
when new.state <> 'sealed'
begin select raise(abort, 'tube begins in another state'); end;
create trigger box_moves before update of state on box
when old.state <> new.state and old.state || '>' || new.state not in (
        'sealed>in_transit', 'sealed>arrived', 'in_transit>arrived')
begin select raise(abort, 'illegal move of box'); end;
create trigger handover_begins before insert on handover
when new.taken_us is not null or new.withdrawn_us is not null
begin select raise(abort, 'a hand-over begins with one signature'); end;
create trigger handover_signed before update on handover
when old.taken_us is not null or old.withdrawn_us is not null
    or (new.taken_us is null) = (new.withdrawn_us is null) or new.box_code <> old.box_code
    or new.step <> old.step or new.given_by <> old.given_by or new.given_name <> old.given_name
    or new.given_us <> old.given_us or new.place <> old.place or new.taken_by <> old.taken_by
    or new.temperature_cdeg is distinct from old.temperature_cdeg
begin select raise(abort, 'a hand-over is taken or withdrawn once'); end;
create trigger code_counter_moves before update on code_counter
when new.kind <> old.kind or new.next_number < old.next_number
begin select raise(abort, 'no code is given out twice'); end;
create trigger code_counter_kept before delete on code_counter
begin select raise(abort, 'code_counter rows are kept'); end;
create trigger box_stays before update on box
when old.laboratory_code <> new.laboratory_code
begin select raise(abort, 'a box arrives at one laboratory'); end;
create trigger box_begins before insert on box
when new.state <> 'sealed'
begin select raise(abort, 'box begins in another state'); end;
create trigger recall_moves before update of state on recall
when old.state <> new.state and old.state || '>' || new.state not in (
        'open>collected', 'open>closed', 'collected>closed', 'collected>open')
begin select raise(abort, 'illegal move of recall'); end;
create trigger recall_begins before insert on recall
when new.state <> 'open'
begin select raise(abort, 'recall begins in another state'); end;
create trigger recall_answered before update on recall
when new.answer_tube is not null and not exists (select 1 from tube t
        join member m on m.tube_code = t.code
        where t.code = new.answer_tube and t.size = 1 and m.person_key = new.person_key)
begin select raise(abort, 'a recall is answered by a single tube of its person'); end;
create trigger plate_moves before update of state on plate
when old.state <> new.state and old.state || '>' || new.state not in (
        'draft>frozen', 'frozen>closed')
begin select raise(abort, 'illegal move of plate'); end;
create trigger plate_begins before insert on plate
when new.state <> 'draft'
begin select raise(abort, 'plate begins in another state'); end;
create trigger run_moves before update of state on run
when old.state <> new.state and old.state || '>' || new.state not in (
        'draft>reviewed', 'draft>void', 'reviewed>released', 'reviewed>void')
begin select raise(abort, 'illegal move of run'); end;
create trigger run_begins before insert on run
when new.state <> 'draft'
begin select raise(abort, 'run begins in another state'); end;
create trigger call_moves before update of state on call
when old.state <> new.state and old.state || '>' || new.state not in (
        'draft>released', 'draft>void')
begin select raise(abort, 'illegal move of call'); end;
create trigger call_begins before insert on call
when new.state <> 'draft'
begin select raise(abort, 'call begins in another state'); end;
create trigger tube_kept before delete on tube
begin select raise(abort, 'tube rows are kept'); end;
create trigger person_kept before delete on person
begin select raise(abort, 'person rows are kept'); end;
create trigger member_kept before delete on member
begin select raise(abort, 'member rows are kept'); end;
create trigger recall_kept before delete on recall
begin select raise(abort, 'recall rows are kept'); end;
create trigger handover_kept before delete on handover
begin select raise(abort, 'handover rows are kept'); end;
create trigger arrival_kept before delete on arrival
begin select raise(abort, 'arrival rows are kept'); end;
create trigger arrival_tube_kept before delete on arrival_tube
begin select raise(abort, 'arrival_tube rows are kept'); end;
create trigger run_file_kept before delete on run_file
begin select raise(abort, 'run_file rows are kept'); end;
create trigger run_kept before delete on run
begin select raise(abort, 'run rows are kept'); end;
create trigger reading_kept before delete on reading
begin select raise(abort, 'reading rows are kept'); end;
create trigger call_kept before delete on call
begin select raise(abort, 'call rows are kept'); end;
create trigger signature_kept before delete on signature
begin select raise(abort, 'signature rows are kept'); end;
create trigger result_kept before delete on result
begin select raise(abort, 'result rows are kept'); end;
create trigger audit_kept before delete on audit
begin select raise(abort, 'audit rows are kept'); end;
create trigger audit_subject_kept before delete on audit_subject
begin select raise(abort, 'audit_subject rows are kept'); end;
create trigger audit_chain_kept before delete on audit_chain
begin select raise(abort, 'audit_chain rows are kept'); end;
create trigger audit_chains_kept before delete on audit_chains
begin select raise(abort, 'audit_chains rows are kept'); end;
create trigger audit_chain_moves before update on audit_chain
when new.chain <> old.chain or new.number <> old.number or new.seq <> old.seq + 1
begin select raise(abort, 'illegal move of audit_chain'); end;
create trigger audit_chains_moves before update on audit_chains
when new.begun <> old.begun + 1
begin select raise(abort, 'illegal move of audit_chains'); end;
create trigger feed_kept before delete on feed
begin select raise(abort, 'feed rows are kept'); end;
create trigger allotment_kept before delete on allotment
begin select raise(abort, 'allotment rows are kept'); end;
create trigger box_tube_kept before delete on box_tube
begin select raise(abort, 'box_tube rows are kept'); end;
create trigger person_fixed before update on person
begin select raise(abort, 'person rows never change'); end;
create trigger member_fixed before update on member
begin select raise(abort, 'member rows never change'); end;
create trigger arrival_fixed before update on arrival
begin select raise(abort, 'arrival rows never change'); end;
create trigger arrival_tube_fixed before update on arrival_tube
begin select raise(abort, 'arrival_tube rows never change'); end;
create trigger run_file_fixed before update on run_file
begin select raise(abort, 'run_file rows never change'); end;
create trigger reading_fixed before update on reading
begin select raise(abort, 'reading rows never change'); end;
create trigger signature_fixed before update on signature
begin select raise(abort, 'signature rows never change'); end;
create trigger result_fixed before update on result
begin select raise(abort, 'result rows never change'); end;
create trigger audit_fixed before update on audit
begin select raise(abort, 'audit rows never change'); end;
create trigger audit_subject_fixed before update on audit_subject
begin select raise(abort, 'audit_subject rows never change'); end;
create trigger feed_fixed before update on feed
begin select raise(abort, 'feed rows never change'); end;
create trigger allotment_fixed before update on allotment
begin select raise(abort, 'allotment rows never change'); end;
create trigger box_tube_fixed before update on box_tube
begin select raise(abort, 'box_tube rows never change'); end;
create trigger well_fixed before update on well
begin select raise(abort, 'well rows never change'); end;
create trigger well_frozen before delete on well
when (select state from plate where code = old.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate keeps its wells'); end;
create trigger well_late before insert on well
when (select state from plate where code = new.plate_code) <> 'draft'
begin select raise(abort, 'a frozen plate takes no more wells'); end;
