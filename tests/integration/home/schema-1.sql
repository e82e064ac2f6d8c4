-- The tables of a warehouse as the release before schema marks (commit cfcbcb0) made them: read with `duckdb_tables()`.
-- Rows are not kept here: a test fills them from a home of today.
create schema catalog;
create schema journal;
create schema landing;
create schema quality;
create schema results;
create schema work;
create table catalog.assigned_units (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR);
create table catalog.experiment_metrics (experiment_id VARCHAR, metric VARCHAR, "role" VARCHAR,
    minimum_effect DOUBLE, non_inferiority_margin DOUBLE);
create table catalog.experiment_segments (experiment_id VARCHAR, segment VARCHAR);
create table catalog.experiments (experiment_id VARCHAR, "name" VARCHAR, "type" VARCHAR, unit_type VARCHAR,
    sdk VARCHAR, status VARCHAR, start_at timestamp, end_at timestamp, exposure_event VARCHAR,
    activation_event VARCHAR, cuped_days INTEGER, traffic_salt VARCHAR, split_salt VARCHAR, layer_salt VARCHAR,
    layer_from DOUBLE, layer_to DOUBLE, layer_shard_from INTEGER, layer_shard_to INTEGER, crossovers VARCHAR,
    sticky BOOLEAN, "assignment" VARCHAR, holdout_id VARCHAR, definition_hash VARCHAR, allocation_hash VARCHAR);
create table catalog.filters ("name" VARCHAR, kind VARCHAR, column_name VARCHAR, "operator" VARCHAR,
    operand_values VARCHAR[]);
create table catalog.holdouts (experiment_id VARCHAR, holdout_id VARCHAR, salt VARCHAR, shards INTEGER);
create table catalog.overrides (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR);
create table catalog.periods (experiment_id VARCHAR, start_at timestamp, end_at timestamp);
create table catalog.phase_weights (experiment_id VARCHAR, phase INTEGER, variant_id VARCHAR, weight DOUBLE,
    shard_from INTEGER, shard_to INTEGER);
create table catalog.phases (experiment_id VARCHAR, phase INTEGER, start_at timestamp, end_at timestamp,
    traffic DOUBLE, traffic_shards INTEGER, traffic_salt VARCHAR, split_salt VARCHAR, band_from INTEGER,
    band_to INTEGER);
create table catalog.segment_rules (segment_id VARCHAR, unit_type VARCHAR, "days" INTEGER, combine VARCHAR,
    "rule" INTEGER, event_name VARCHAR, measure VARCHAR, of_column VARCHAR, from_medium DOUBLE, from_high DOUBLE,
    is_test BOOLEAN, low DOUBLE, low_is_out BOOLEAN, high DOUBLE, high_is_out BOOLEAN, texts VARCHAR[],
    "attribute" VARCHAR, definition_hash VARCHAR);
create table catalog.settings ("key" VARCHAR, "value" VARCHAR);
create table catalog.variants (experiment_id VARCHAR, variant_id VARCHAR, is_control BOOLEAN, "position" INTEGER);
create table journal.definitions (seen_at timestamp, experiment_id VARCHAR, status VARCHAR, definition_hash VARCHAR,
    definition VARCHAR);
create table journal.notices (digest BIGINT, told_at timestamp, kind VARCHAR, subject VARCHAR, cut_off DATE,
    state VARCHAR, what VARCHAR, sentence VARCHAR);
create table journal.pruned (experiment_id VARCHAR, ended_at timestamp, pruned_at timestamp, "rows" BIGINT);
create table journal.pruned_audits (experiment_id VARCHAR, assigned_day DATE, phase INTEGER, variant_id VARCHAR,
    sdk_version VARCHAR, platform VARCHAR, units BIGINT, mismatched BIGINT);
create table journal.publications ("publication" BIGINT PRIMARY KEY, published_at timestamp, cut_off DATE,
    manifest_position BIGINT, "commit" VARCHAR, code_hash VARCHAR, exports_version VARCHAR, site_version VARCHAR,
    fingerprint VARCHAR);
create table journal.published_allocations ("publication" BIGINT, experiment_id VARCHAR, cut_off DATE,
    "position" BIGINT, variant_id VARCHAR, metric VARCHAR, n BIGINT, mean DOUBLE, weight DOUBLE, p_best DOUBLE,
    next_weight DOUBLE, is_best BOOLEAN, reason VARCHAR);
create table journal.published_comparisons ("publication" BIGINT, experiment_id VARCHAR, cut_off DATE,
    metric VARCHAR, "role" VARCHAR, segment VARCHAR, segment_level VARCHAR, analysis VARCHAR, variant_id VARCHAR,
    comparison VARCHAR, "method" VARCHAR, n BIGINT, n_open BIGINT, total DOUBLE, mean DOUBLE, variance DOUBLE,
    std_error DOUBLE, lift_abs DOUBLE, lift_abs_low DOUBLE, lift_abs_high DOUBLE, lift_std_error DOUBLE,
    lift_rel DOUBLE, lift_rel_low DOUBLE, lift_rel_high DOUBLE, lift_rel_bounded BOOLEAN, ci_level DOUBLE,
    statistic DOUBLE, df DOUBLE, p_value DOUBLE, p_adjusted DOUBLE, seq_low DOUBLE, seq_high DOUBLE,
    seq_rel_low DOUBLE, seq_rel_high DOUBLE, seq_p_value DOUBLE, seq_bound DOUBLE, seq_crossed BOOLEAN,
    information_fraction DOUBLE, effect_size DOUBLE, effect_label VARCHAR, power DOUBLE, mde_rel DOUBLE,
    prob_beat DOUBLE, expected_loss DOUBLE, cuped BOOLEAN, variance_reduction DOUBLE, covariate_status VARCHAR,
    status VARCHAR, reason VARCHAR, unit VARCHAR, direction VARCHAR, window_start VARCHAR, window_end VARCHAR,
    definition_hash VARCHAR, code_hash VARCHAR);
create table journal.published_decisions ("publication" BIGINT, experiment_id VARCHAR, cut_off DATE,
    decision VARCHAR, "action" VARCHAR, variant_id VARCHAR, reasons VARCHAR[], sentence VARCHAR);
create table journal.published_validity ("publication" BIGINT, experiment_id VARCHAR, cut_off DATE, "check" VARCHAR,
    segment VARCHAR, segment_level VARCHAR, status VARCHAR, statistic DOUBLE, p_value DOUBLE, observed VARCHAR,
    expected VARCHAR, reason VARCHAR, sentence VARCHAR);
create table landing.erasures (erasure BIGINT NOT NULL, erased_at timestamp NOT NULL, id_hash VARCHAR NOT NULL,
    token_hash VARCHAR NOT NULL);
create table landing.excluded (event_day DATE NOT NULL, event_id VARCHAR NOT NULL, file_hash VARCHAR NOT NULL,
    reason VARCHAR NOT NULL);
create table landing.home (root VARCHAR NOT NULL);
create table landing.lake_files (event_day DATE NOT NULL, file_hash VARCHAR NOT NULL, path VARCHAR NOT NULL,
    "rows" BIGINT NOT NULL);
create table landing.manifest ("position" BIGINT NOT NULL, path VARCHAR NOT NULL, file_hash VARCHAR,
    size_bytes BIGINT NOT NULL, modified_at timestamp NOT NULL, arrived_at timestamp NOT NULL, format VARCHAR,
    "source" VARCHAR, status VARCHAR NOT NULL, rows_read BIGINT NOT NULL, rows_quarantined BIGINT NOT NULL,
    rows_duplicate_within BIGINT NOT NULL, conflicts_within BIGINT NOT NULL, rows_without_event BIGINT NOT NULL,
    message VARCHAR);
create table landing.quarantine (file_hash VARCHAR NOT NULL, line_number BIGINT NOT NULL, reason VARCHAR NOT NULL,
    detail VARCHAR, raw_line VARCHAR);
create table landing.repeats (event_day DATE NOT NULL, event_id VARCHAR NOT NULL, file_hash VARCHAR NOT NULL,
    same BIGINT NOT NULL, differing BIGINT NOT NULL);
create table landing.retractions (event_day DATE NOT NULL, event_id VARCHAR NOT NULL, file_hash VARCHAR NOT NULL,
    retracts VARCHAR NOT NULL);
create table landing.seals (event_day DATE NOT NULL, "position" BIGINT NOT NULL);
create table landing.touched_exposures (batch BIGINT NOT NULL, experiment_id VARCHAR NOT NULL,
    id_kind VARCHAR NOT NULL, raw_id VARCHAR NOT NULL, event_day DATE NOT NULL, shrunk BOOLEAN NOT NULL);
create table landing.touched_links (batch BIGINT NOT NULL, anonymous_id VARCHAR NOT NULL, event_day DATE NOT NULL,
    shrunk BOOLEAN NOT NULL);
create table landing.touched_units (batch BIGINT NOT NULL, event_day DATE NOT NULL, id_kind VARCHAR NOT NULL,
    raw_id VARCHAR NOT NULL);
create table main.fct_assignments (experiment_id VARCHAR, unit_id VARCHAR, unit_type VARCHAR, variant_id VARCHAR,
    phase INTEGER, in_traffic BOOLEAN, assigned_at timestamp, logged_variant_id VARCHAR, logged_id VARCHAR,
    reason VARCHAR, sdk_name VARCHAR, sdk_version VARCHAR, platform VARCHAR, device VARCHAR, session_id VARCHAR);
create table main.fct_daily_exposures (experiment_id VARCHAR, segment VARCHAR, segment_level VARCHAR,
    exposure_day DATE, phase INTEGER, variant_id VARCHAR, units BIGINT, crossovers BIGINT);
create table main.fct_event_quality (event_day DATE, "filter" VARCHAR, events BIGINT, with_user_id BIGINT,
    with_anonymous_id BIGINT, without_unit_id BIGINT);
create table main.fct_exposures (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR, exposed_at timestamp,
    exposure_event_id VARCHAR, exposure_day DATE, phase INTEGER, second_arm_at timestamp, id_kind VARCHAR,
    logged_id VARCHAR, country VARCHAR, platform VARCHAR, device VARCHAR, session_id VARCHAR, sdk_name VARCHAR,
    sdk_version VARCHAR, segments STRUCT(segment VARCHAR, "level" VARCHAR)[]);
create table main.fct_subject_attributes (unit_type VARCHAR, unit_id VARCHAR, segment_id VARCHAR,
    definition_hash VARCHAR, is_member BOOLEAN, measured STRUCT("attribute" VARCHAR, amount DOUBLE,
    "label" VARCHAR)[]);
create table main.fct_sufficient_statistics (cut_off DATE, experiment_id VARCHAR, metric VARCHAR, segment VARCHAR,
    segment_level VARCHAR, variant_id VARCHAR, analysis VARCHAR, n BIGINT, n_open BIGINT, sum_y HUGEINT,
    sum_d HUGEINT, sum_x HUGEINT, sum_w HUGEINT, sum_yy HUGEINT, sum_yd HUGEINT, sum_yx HUGEINT, sum_yw HUGEINT,
    sum_dd HUGEINT, sum_dx HUGEINT, sum_dw HUGEINT, sum_xx HUGEINT, sum_xw HUGEINT, sum_ww HUGEINT, scale_y BIGINT,
    scale_d BIGINT, covariate_status VARCHAR, cap_low BIGINT, cap_high BIGINT);
create table main.int_exposure_events (event_day DATE, experiment_id VARCHAR, unit_type VARCHAR, id_kind VARCHAR,
    raw_id VARCHAR, variant_id VARCHAR, rejected VARCHAR, occurred_at timestamp, event_id VARCHAR, country VARCHAR,
    platform VARCHAR, device VARCHAR, session_id VARCHAR, sdk_name VARCHAR, sdk_version VARCHAR,
    segments STRUCT(segment VARCHAR, "level" VARCHAR)[]);
create table main.int_identity_links (anonymous_id VARCHAR, user_id VARCHAR, linked TUPLE(TIMESTAMP, VARCHAR));
create table main.int_increments (experiment_id VARCHAR, metric VARCHAR, part VARCHAR, "day" DATE, phase INTEGER,
    variant_id VARCHAR, segments STRUCT(segment VARCHAR, "level" VARCHAR)[], n BIGINT, sum_y HUGEINT, sum_d HUGEINT,
    sum_x HUGEINT, sum_w HUGEINT, sum_yy HUGEINT, sum_yd HUGEINT, sum_yx HUGEINT, sum_yw HUGEINT, sum_dd HUGEINT,
    sum_dx HUGEINT, sum_dw HUGEINT, sum_xx HUGEINT, sum_xw HUGEINT, sum_ww HUGEINT);
create table main.int_link_days (event_day DATE, anonymous_id VARCHAR, user_id VARCHAR, linked TUPLE(TIMESTAMP,
    VARCHAR));
create table main.int_measure_events (event_day DATE, unit_type VARCHAR, id_kind VARCHAR, raw_id VARCHAR,
    occurred_at timestamp, event_id VARCHAR, measure VARCHAR, item VARCHAR);
create table main.int_metric_windows (experiment_id VARCHAR, metric VARCHAR, unit_type VARCHAR, kind VARCHAR,
    window_start BIGINT, window_end BIGINT, is_open BOOLEAN, cuped_days INTEGER, covariate_status VARCHAR,
    winsorized BOOLEAN, histogram BOOLEAN, by_event BOOLEAN, scale_y BIGINT, scale_d BIGINT, first_cut_off DATE,
    last_cut_off DATE);
create table main.int_open_scope (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR, exposed_at timestamp,
    second_arm_at timestamp, phase INTEGER, segments STRUCT(segment VARCHAR, "level" VARCHAR)[], unit_type VARCHAR,
    cuped_days INTEGER);
create table main.int_open_values (experiment_id VARCHAR, unit_id VARCHAR, metric VARCHAR, "day" DATE,
    is_entry BOOLEAN, variant_id VARCHAR, second_arm_at timestamp, phase INTEGER, segments STRUCT(segment VARCHAR,
    "level" VARCHAR)[], y HUGEINT, y_before HUGEINT, d HUGEINT, d_before HUGEINT, x HUGEINT, w HUGEINT);
create table main.int_touched_exposures (experiment_id VARCHAR, unit_id VARCHAR, needs_history BOOLEAN);
create table main.int_touched_partitions (experiment_id VARCHAR, metric VARCHAR, "day" DATE);
create table main.int_unit_days (event_day DATE, unit_type VARCHAR, id_kind VARCHAR, raw_id VARCHAR,
    add_to_carts HUGEINT, bounces HUGEINT, clicks HUGEINT, engagement_seconds HUGEINT, errors HUGEINT,
    impressions HUGEINT, page_views HUGEINT, purchase_value HUGEINT, purchases HUGEINT, revenue_value HUGEINT,
    sessions_started HUGEINT, signups HUGEINT, visits HUGEINT);
create table main.int_unit_values (experiment_id VARCHAR, unit_id VARCHAR, metric VARCHAR, "day" DATE,
    window_start BIGINT, window_end BIGINT, variant_id VARCHAR, second_arm_at timestamp, phase INTEGER,
    segments STRUCT(segment VARCHAR, "level" VARCHAR)[], y HUGEINT, d HUGEINT, x HUGEINT, w HUGEINT, h HUGEINT);
create table main.int_value_counts (experiment_id VARCHAR, metric VARCHAR, part VARCHAR, "day" DATE,
    variant_id VARCHAR, segments STRUCT(segment VARCHAR, "level" VARCHAR)[], "value" BIGINT, units BIGINT);
create table main.int_value_scope (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR, exposed_at timestamp,
    second_arm_at timestamp, phase INTEGER, segments STRUCT(segment VARCHAR, "level" VARCHAR)[], unit_type VARCHAR,
    window_start BIGINT, window_end BIGINT, cuped_days INTEGER, entry_day DATE);
create table quality.day_profiles (event_day DATE, "rows" BIGINT, repeated_ids BIGINT, units BIGINT,
    share_without_unit DOUBLE, share_without_name DOUBLE, exposures BIGINT, exposures_without_variation BIGINT,
    share_with_value DOUBLE, min_value DOUBLE, max_value DOUBLE, first_instant timestamp, last_instant timestamp,
    off_day BIGINT, share_late DOUBLE, max_days_late BIGINT, files BIGINT, fingerprint VARCHAR);
create table results.acts (experiment_id VARCHAR, cut_off DATE, act VARCHAR, variant_id VARCHAR, traffic DOUBLE,
    sentence VARCHAR, weights VARCHAR, "version" VARCHAR);
create table results.allocations (experiment_id VARCHAR, cut_off DATE, "position" BIGINT, variant_id VARCHAR,
    metric VARCHAR, n BIGINT, mean DOUBLE, weight DOUBLE, p_best DOUBLE, next_weight DOUBLE, is_best BOOLEAN,
    reason VARCHAR);
create table results.comparisons (experiment_id VARCHAR, cut_off DATE, metric VARCHAR, "role" VARCHAR,
    segment VARCHAR, segment_level VARCHAR, analysis VARCHAR, variant_id VARCHAR, comparison VARCHAR,
    "method" VARCHAR, n BIGINT, n_open BIGINT, total DOUBLE, mean DOUBLE, variance DOUBLE, std_error DOUBLE,
    lift_abs DOUBLE, lift_abs_low DOUBLE, lift_abs_high DOUBLE, lift_std_error DOUBLE, lift_rel DOUBLE,
    lift_rel_low DOUBLE, lift_rel_high DOUBLE, lift_rel_bounded BOOLEAN, ci_level DOUBLE, statistic DOUBLE,
    df DOUBLE, p_value DOUBLE, p_adjusted DOUBLE, seq_low DOUBLE, seq_high DOUBLE, seq_rel_low DOUBLE,
    seq_rel_high DOUBLE, seq_p_value DOUBLE, seq_bound DOUBLE, seq_crossed BOOLEAN, information_fraction DOUBLE,
    effect_size DOUBLE, effect_label VARCHAR, power DOUBLE, mde_rel DOUBLE, prob_beat DOUBLE, expected_loss DOUBLE,
    cuped BOOLEAN, variance_reduction DOUBLE, covariate_status VARCHAR, status VARCHAR, reason VARCHAR, unit VARCHAR,
    direction VARCHAR, window_start VARCHAR, window_end VARCHAR, definition_hash VARCHAR, code_hash VARCHAR);
create table results.decisions (experiment_id VARCHAR, cut_off DATE, decision VARCHAR, "action" VARCHAR,
    variant_id VARCHAR, reasons VARCHAR[], sentence VARCHAR);
create table results.early_outcomes (experiment_id VARCHAR, variant_id VARCHAR, exposure_day DATE, units BIGINT,
    early BIGINT);
create table results.early_outcomes_days ("day" DATE, input_hash VARCHAR);
create table results.effect_ages (experiment_id VARCHAR, metric VARCHAR, variant_id VARCHAR, exposure_day DATE,
    known_day DATE, n BIGINT, active BIGINT, sum_y HUGEINT, sum_d HUGEINT, sum_yy HUGEINT, sum_yd HUGEINT,
    sum_dd HUGEINT);
create table results.effect_ages_days ("day" DATE, input_hash VARCHAR);
create table results.judged (cut_off DATE, input_hash VARCHAR, code_hash VARCHAR);
create table results.landing_losses (experiment_id VARCHAR, variant_id VARCHAR, step VARCHAR, event_day DATE,
    units BIGINT, events BIGINT);
create table results.landing_losses_days ("day" DATE, input_hash VARCHAR);
create table results.overlap_days ("day" DATE, input_hash VARCHAR);
create table results.overlaps (experiment_id VARCHAR, phase INTEGER, variant_id VARCHAR, other_id VARCHAR,
    other_phase INTEGER, other_variant VARCHAR, "day" DATE, units BIGINT);
create table results.validity (experiment_id VARCHAR, cut_off DATE, "check" VARCHAR, segment VARCHAR,
    segment_level VARCHAR, status VARCHAR, statistic DOUBLE, p_value DOUBLE, observed VARCHAR, expected VARCHAR,
    reason VARCHAR, sentence VARCHAR);
create table work.changed_experiments (experiment_id VARCHAR PRIMARY KEY);
create table work.changed_exposures (experiment_id VARCHAR, unit_id VARCHAR, variant_id VARCHAR,
    exposed_at timestamp, second_arm_at timestamp);
create table work.changed_metrics (metric VARCHAR PRIMARY KEY);
create table work.definitions (kind VARCHAR, "name" VARCHAR, hash VARCHAR);
create table work.moved_units (unit_id VARCHAR);
create table work.partitions (experiment_id VARCHAR, metric VARCHAR, "day" DATE);
create table work.rewrites (model VARCHAR, "partition" VARCHAR, rows_computed BIGINT, rows_changed BIGINT);
create table work.state ("key" VARCHAR PRIMARY KEY, "value" VARCHAR);
