-- The landing schema: journals (manifest, seals), the lake's catalogue and the outbox.
create schema if not exists landing;

create table if not exists landing.manifest (
    position bigint not null,
    path varchar not null,
    file_hash varchar,
    size_bytes bigint not null,
    modified_at timestamp not null,
    arrived_at timestamp not null,
    format varchar,
    source varchar,
    status varchar not null,
    rows_read bigint not null,
    rows_quarantined bigint not null,
    rows_duplicate_within bigint not null,
    conflicts_within bigint not null,
    rows_without_event bigint not null,
    message varchar,
    rows_repeated_hour bigint default 0
);

create table if not exists landing.seals (event_day date not null, position bigint not null);

create table if not exists landing.lake_files (
    event_day date not null,
    file_hash varchar not null,
    path varchar not null,
    rows bigint not null,
    bytes bigint,
    sha256 varchar
);

-- Copies in the lake that are not events of the view: they lost to another file's copy, or were retracted.
create table if not exists landing.excluded (
    event_day date not null,
    event_id varchar not null,
    file_hash varchar not null,
    reason varchar not null
);

-- Keys that a file holds more than once: copies equal to the one kept, and copies that differ from it.
create table if not exists landing.repeats (
    event_day date not null,
    event_id varchar not null,
    file_hash varchar not null,
    same bigint not null,
    differing bigint not null
);

create table if not exists landing.retractions (
    event_day date not null,
    event_id varchar not null,
    file_hash varchar not null,
    retracts varchar not null
);

create table if not exists landing.quarantine (
    file_hash varchar not null,
    line_number bigint not null,
    reason varchar not null,
    detail varchar,
    raw_line varchar
);

-- Of delimited files with refused rows: what their cells are, so that an id is looked for where ids stand.
create table if not exists landing.headers (
    file_hash varchar not null, delimiter varchar not null, columns varchar[] not null
);

-- Whose rows are left out for ever, as SHA-256: of kind and id for rows, of the bare id for words of refused rows.
create table if not exists landing.erasures (
    erasure bigint not null, erased_at timestamp not null, id_hash varchar not null, token_hash varchar not null
);

create table if not exists landing.touched_units (
    batch bigint not null, event_day date not null, id_kind varchar not null, raw_id varchar not null
);
create table if not exists landing.touched_exposures (
    batch bigint not null,
    experiment_id varchar not null,
    id_kind varchar not null,
    raw_id varchar not null,
    event_day date not null,
    shrunk boolean not null
);
create table if not exists landing.touched_links (
    batch bigint not null, anonymous_id varchar not null, event_day date not null, shrunk boolean not null
);

-- By what the rows of each content were judged, and the files that somebody asked to take again; see rejudging.py.
create table if not exists landing.judgements (
    file_hash varchar not null, first_day date not null, max_clock_skew interval not null, mapping varchar not null
);
create table if not exists landing.asked_again (path varchar not null);

-- What the last ingest could not do; see orchestration/landing/findings.py.
create table if not exists landing.findings (subject varchar not null, message varchar not null, is_fault boolean);

create table if not exists landing.home (root varchar not null);

-- Event ids that a retraction in force names.
create or replace view landing.retracted as
select distinct r.retracts as event_id
from landing.retractions as r
anti join landing.excluded as x using (event_day, event_id, file_hash);

create or replace view landing.file_accounts as
with lake as (
    select file_hash, sum(rows)::bigint as kept from landing.lake_files group by all
),

lost as (
    select
        file_hash,
        count(*) filter (where reason <> 'retracted') as duplicates,
        count(*) filter (where reason = 'conflict') as conflicts,
        count(*) filter (where reason = 'retracted') as retracted
    from landing.excluded
    group by all
),

-- Where another file's differing copy won, the equal copies of this file's best row differ from the winner too.
within_file as (
    select
        r.file_hash,
        sum(r.same + r.differing)::bigint as duplicates,
        sum(r.differing + case when x.reason = 'conflict' then r.same else 0 end)::bigint as conflicts
    from landing.repeats as r
    left join landing.excluded as x using (event_day, event_id, file_hash)
    group by all
)

select
    m.file_hash,
    m.rows_read,
    coalesce(lake.kept, 0) - coalesce(lost.duplicates, 0) as accepted,
    coalesce(lost.duplicates, 0) + coalesce(within_file.duplicates, 0) as duplicates,
    m.rows_quarantined as quarantined,
    coalesce(lost.conflicts, 0) + coalesce(within_file.conflicts, 0) as conflicts,
    coalesce(lost.retracted, 0) as retracted,
    m.path,
    m.arrived_at,
    m.position
from landing.manifest as m
left join lake using (file_hash)
left join lost using (file_hash)
left join within_file using (file_hash)
where m.status = 'taken';

create or replace view landing.days as
with lake as (
    select event_day, sum(rows)::bigint as kept from landing.lake_files group by all
),

lost as (
    select event_day, count(*) as gone from landing.excluded group by all
)

select lake.event_day, lake.kept - coalesce(lost.gone, 0) as rows
from lake
left join lost using (event_day);
