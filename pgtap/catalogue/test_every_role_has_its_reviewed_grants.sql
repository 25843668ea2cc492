begin;
select plan(14);

-- The privileges of each role on objects that it doesn't own.
create view test.granted as
with our_schema as (
  select n.oid, n.nspname as name, n.nspowner as owner, n.nspacl as acl
  from pg_namespace as n
  where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
),
acl as (
  select
    'schema ' || s.name as object, null as column_name, 0 as position, s.owner,
    coalesce(s.acl, acldefault('n', s.owner)) as acl
  from our_schema as s
  union all
  select
    c.oid::regclass::text, null, 0, c.relowner,
    coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
  from pg_class as c
  join our_schema as s on s.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select c.oid::regclass::text, a.attname, a.attnum, c.relowner, a.attacl
  from pg_class as c
  join our_schema as s on s.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attacl is not null
  union all
  select p.oid::regproc::text, null, 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc as p
  join our_schema as s on s.oid = p.pronamespace
),
item as (
  select
    case x.grantee when 0 then 'public' else x.grantee::regrole::text end as role,
    lower(x.privilege_type) || case when x.is_grantable then ' with grant option' else '' end as privilege,
    a.object, a.column_name, a.position
  from acl as a
  cross join aclexplode(a.acl) as x
  where x.grantee <> a.owner
)
select
  i.role,
  string_agg(i.privilege, ', ' order by i.privilege) || i.columns || ' on ' || i.object as privilege
from (
  select
    i.role, i.privilege, i.object,
    coalesce(' (' || string_agg(i.column_name, ', ' order by i.position) || ')', '') as columns
  from item as i
  group by i.role, i.privilege, i.object, i.column_name is null
) as i
group by i.role, i.columns, i.object;

-- The privileges that a reviewer has accepted, one line per object. The API server may also execute the functions of the
-- routes.
create view test.reviewed as
select r.role, p.privilege
from (values
  ('leads_api', '
    usage on schema api
    usage on schema auth
    execute on api.input_faults
    execute on api.is_change_cursor
    execute on api.is_cursor
    execute on api.is_export_cursor
    execute on api.openapi
    execute on api.problems
    execute on api.read_instant
    execute on api.routes
    execute on api.schema_version
    execute on api.sealing_key
    execute on auth.caller
    execute on auth.current_position
    execute on auth.enter
    execute on auth.is_announced
    execute on auth.position_states
    execute on auth.record_key_uses
  '),
  ('leads_operator', '
    usage on schema admin
    execute on admin.activate_scoring_model
    execute on admin.add_stage
    execute on admin.analysts
    execute on admin.announce_keys
    execute on admin.backtest_leads
    execute on admin.backtest_scoring_model
    execute on admin.cell
    execute on admin.chain_heads
    execute on admin.change_crm_connection
    execute on admin.check_scoring_model
    execute on admin.connect_crm
    execute on admin.create_audit_partitions
    execute on admin.create_form
    execute on admin.create_key
    execute on admin.create_organization
    execute on admin.crm_connections
    execute on admin.crm_queue
    execute on admin.crm_syncs
    execute on admin.edit_scoring_model
    execute on admin.erase_lead
    execute on admin.erase_organization
    execute on admin.erase_submissions
    execute on admin.erased_payloads
    execute on admin.export_audit_events
    execute on admin.export_leads
    execute on admin.fill_phone_keys
    execute on admin.findings
    execute on admin.form_presets
    execute on admin.form_submissions
    execute on admin.forms
    execute on admin.good_key
    execute on admin.is_announced
    execute on admin.keys
    execute on admin.new_key
    execute on admin.known_organization
    execute on admin.leads_to_erase
    execute on admin.load_leads
    execute on admin.load_signals
    execute on admin.organization
    execute on admin.organization_of
    execute on admin.organizations
    execute on admin.payloads_about
    execute on admin.record_archive_erasure
    execute on admin.remove_stage
    execute on admin.replay_submissions
    execute on admin.retired_parts
    execute on admin.retired_years
    execute on admin.retry_crm
    execute on admin.revoke_form
    execute on admin.revoke_key
    execute on admin.rotate_key
    execute on admin.routed_credentials
    execute on admin.scoring_models
    execute on admin.seal_events
    execute on admin.set_cell
    execute on admin.set_form
    execute on admin.set_organization
    execute on admin.stages
    execute on admin.try_scoring_model
    execute on admin.unannounced_keys
    execute on admin.unlisted_erasures
    execute on admin.verify_chain
    insert on admin.import_line
    execute on admin.begin_import
    execute on admin.import_leads
    execute on api.is_export_cursor
    execute on admin.create_webhook
    execute on admin.delete_webhook
    execute on admin.redeliver_webhook
    execute on admin.test_webhook
    execute on admin.webhook_deliveries
    execute on admin.rotate_webhook_secret
    execute on admin.sealing_key
    execute on admin.set_webhook
    execute on admin.webhooks
    execute on admin.abort_move
    execute on admin.begin_move
    execute on admin.bind_moved_analyst
    execute on admin.discard_arrival
    execute on admin.drain
    execute on admin.fence
    execute on admin.give_up
    execute on admin.missing_keys
    execute on admin.moves
    execute on admin.needed_keys
    execute on admin.owned_rows
    execute on admin.placement
    execute on admin.prepare_arrival
    execute on admin.table_class
    execute on admin.take_over
    execute on admin.unfence
    execute on admin.unfinished
  '),
  ('leads_router', '
    usage on schema admin
    execute on admin.announce_keys
    execute on admin.cell
    execute on admin.moves
    execute on admin.routed_credentials
    execute on admin.unannounced_keys
  '),
  ('leads_worker', '
    usage on schema admin
    usage on schema crm
    usage on schema webhook
    execute on admin.count_stages
    execute on admin.create_audit_partitions
    execute on admin.delete_expired_answers
    execute on admin.delete_old_submissions
    execute on admin.index_leads
    execute on admin.queue_seals
    execute on admin.queued_organizations
    execute on admin.seal_events
    execute on admin.service_figures
    execute on crm.begin_call
    execute on crm.connections_without_key
    execute on crm.lease_syncs
    execute on crm.seconds_until_due
    execute on crm.settle_attempt
    execute on crm.trace_id
    execute on webhook.announce_keys
    execute on webhook.endpoints_without_key
    execute on webhook.secrets_to_seal
    execute on webhook.keep_sealed_secret
    execute on webhook.delete_expired_secrets
    execute on webhook.delete_old_deliveries
    execute on webhook.lease_deliveries
    execute on webhook.queue_deliveries
    execute on webhook.seconds_until_due
    execute on webhook.settle_delivery
  '),
  ('leads_exec', '
    usage on schema api
    usage on schema app
    usage on schema audit
    usage on schema auth
    usage on schema crm
    usage on schema intake
    usage on schema scoring
    usage on schema webhook
    select on app.lead_word
    select on app.unindexed_lead
    select on api.guide
    select on api.named_schema
    select on api.operation
    select on api.parameter
    select on api.problem
    select on api.route
    select on api.shape
    select on api.tag
    delete, insert, select, update on app.idempotency_key
    insert (
      id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size,
      pain_points, timeline, budget_range, ai_reasoning, phone, reference, details
    ) on app.lead
    select on app.lead
    select on app.lead_field
    update (
      name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
      budget_range, ai_reasoning, score_id, phone, reference, details
    ) on app.lead
    select on app.organization
    select on app.pipeline_stage
    select on audit.event
    select on audit.seal
    select on audit.unsealed
    insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key
    select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key
    update (expires_at, revoked_at) on auth.api_key
    select on auth.claimed_key
    select on auth.key_use
    select (
      organization_id, sync_id, number, email, display_name, sent_at, outcome, message, created_at
    ) on crm.attempt
    select (
      organization_id, id, vendor, account, state, fault, push_stage, settings, settle_seconds, created_at
    ) on crm.connection
    select on crm.sync
    select (organization_id, id, form_id, outcome, lead_id, content, faults, created_at) on intake.submission
    select on intake.preset
    select on scoring.default_model
    select on scoring.model
    insert (organization_id, id, key_id, name, preset, source, mapping, constants, origins, honeypot,
      redirect_url, on_duplicate, duplicate_hours, requests_per_minute, credential) on intake.form
    select on intake.form
    select on webhook.sealing_key
    select (
      organization_id, id, name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures,
      paused_until, recovered_at, position, secret_key, previous_secret_key, previous_expires_at, created_at,
      updated_at
    ) on webhook.endpoint
    insert (organization_id, id, name, url, actions, include, position, secret, secret_key) on webhook.endpoint
    update (
      name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures, paused_until, recovered_at,
      position, secret, secret_key, secret_is_bound, previous_expires_at
    ) on webhook.endpoint
    delete on webhook.endpoint
    select on webhook.delivery
    insert (organization_id, id, endpoint_id, action, state, next_attempt_at, ended_at) on webhook.delivery
    update (state, begun_at, next_attempt_at, leased_until, ended_at) on webhook.delivery
    select on webhook.recipient
    select on scoring.score
    insert (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions,
      created_at) on scoring.score
    insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
    select on scoring.signal
    execute on api.is_change_cursor
    execute on api.is_cursor
    execute on api.is_export_cursor
    execute on app.ascii_email
    execute on app.changed_details
    execute on app.changed_leads
    execute on app.character_note
    execute on app.claim_idempotency_key
    execute on app.clean_text
    execute on app.code_point
    execute on app.computed_lead_item
    execute on app.contact_fault
    execute on app.control_character
    execute on app.country_code
    execute on app.csv_cell
    execute on app.cursor_content
    execute on app.cursor_text
    execute on app.details_faults
    execute on app.details_size_faults
    execute on app.duplicate_keys
    execute on app.export_headers
    execute on app.export_page
    execute on app.exported_lead
    execute on app.filtered_leads
    execute on app.found_leads
    execute on app.has_words
    execute on app.id_time
    execute on app.invisible
    execute on app.is_details
    execute on app.is_email
    execute on app.is_etag_matched
    execute on app.is_name
    execute on app.is_phone
    execute on app.is_plain_text
    execute on app.is_text
    execute on app.keep_answer
    execute on app.keep_secret_answer
    execute on app.lead_change
    execute on app.lead_details
    execute on app.lead_etag
    execute on app.lead_export
    execute on app.lead_faults
    execute on app.lead_field_rule
    execute on app.lead_filter_faults
    execute on app.lead_from
    execute on app.lead_item
    execute on app.lead_whole
    execute on app.lead_words
    execute on app.new_id
    execute on app.next_cursor
    execute on app.notify
    execute on app.order_faults
    execute on app.page
    execute on app.page_answer
    execute on app.page_bound
    execute on app.phone_filter_faults
    execute on app.phone_key
    execute on app.phone_keys
    execute on app.phone_pattern
    execute on app.plain_lead
    execute on app.punycode
    execute on app.raise_faults
    execute on app.raise_precondition_failed
    execute on app.rarest_word
    execute on app.read_email
    execute on app.read_instant
    execute on app.read_leads
    execute on app.read_object
    execute on app.search_faults
    execute on app.search_words
    execute on app.stage_filter_faults
    execute on app.stage_names
    execute on app.stored_words
    execute on app.text_pattern
    execute on app.trim_text
    execute on app.unindexed_leads
    execute on app.utc_text
    execute on audit.actions
    execute on audit.chain_verdict
    execute on audit.erase_own_lead
    execute on audit.erased_payload
    execute on audit.event_etag
    execute on audit.event_export
    execute on audit.event_filter_faults
    execute on audit.event_hash
    execute on audit.event_item
    execute on audit.event_text
    execute on audit.filtered_events
    execute on audit.newest_retirement
    execute on audit.position_before
    execute on audit.retired_ranges
    execute on audit.seal_mark
    execute on auth.add_form_key
    execute on auth.add_key
    execute on auth.add_successor
    execute on auth.announcement
    execute on auth.end_overlap
    execute on auth.entered_organization_id
    execute on auth.is_announced
    execute on auth.key_faults
    execute on auth.key_scopes
    execute on auth.key_state
    execute on auth.limit_keys
    execute on auth.lock_admin_keys
    execute on auth.new_key
    execute on auth.organization_id
    execute on auth.roles
    execute on auth.rotation_overlap
    execute on crm.account_in_force
    execute on crm.push_answer
    execute on crm.request_push
    execute on crm.sync_in_force
    execute on crm.sync_item
    execute on crm.wake_worker
    execute on intake.create_form
    execute on intake.encrypted
    execute on intake.form_faults
    execute on intake.form_item
    execute on intake.hmac_sha256
    execute on scoring.clean_value
    execute on scoring.compute_scores
    execute on scoring.is_decimal
    execute on scoring.is_model
    execute on scoring.is_signal_member
    execute on scoring.is_signal_value
    execute on scoring.model_faults
    execute on scoring.model_in_force
    execute on scoring.score_lead
    execute on scoring.signal_faults
    execute on scoring.signal_item
    execute on scoring.value_fault
    execute on app.create_leads
    execute on app.upload_rows
    execute on app.joined_faults
    execute on app.reference_fault
    execute on app.csv_fields
    execute on app.csv_faults
    execute on app.store_sent_leads
    execute on app.merge_leads
    execute on app.store_leads
    execute on app.sent_lead
    execute on app.word_gap
    execute on crm.hold_pushes
    execute on webhook.change_endpoint
    execute on webhook.chosen_actions
    execute on webhook.create_endpoint
    execute on webhook.endpoint_etag
    execute on webhook.endpoint_faults
    execute on webhook.endpoint_item
    execute on webhook.delivery_item
    execute on webhook.host_fault
    execute on webhook.last_position
    execute on webhook.list_deliveries
    execute on webhook.lock_enabled
    execute on webhook.redeliver
    execute on webhook.rotate_secret
    execute on webhook.send_test
    execute on webhook.url_fault
  '),
  ('leads_auth', '
    usage on schema app
    usage on schema audit
    usage on schema auth
    references on app.organization
    execute on app.drop_policies
    execute on app.drop_triggers
    execute on app.is_name
    execute on app.is_text
    execute on app.new_id
    execute on app.notify
    execute on app.trim_text
    execute on audit.tg_record
    execute on audit.tg_refuse
    execute on app.insert_rows
    select (organization_id, state, is_fenced) on app.placement
  '),
  ('leads_intake', '
    usage on schema api
    usage on schema app
    usage on schema audit
    usage on schema auth
    usage on schema crm
    usage on schema intake
    usage on schema scoring
    insert (organization_id, name, company, email, source, pipeline_stage, industry, company_size, pain_points,
      timeline, budget_range, phone, reference, details) on app.lead
    select on app.lead
    update (name, company, email, lead_score, industry, company_size, pain_points, timeline, budget_range,
      ai_reasoning, score_id, phone, details) on app.lead
    select on app.lead_field
    select (organization_id, accepts_name_and_phone, country_code) on app.organization
    select on app.pipeline_stage
    select on auth.claimed_key
    insert, select on intake.client
    update (free_at) on intake.client
    select on intake.form
    update (organization_id) on intake.form
    select on intake.preset
    insert (organization_id, id, form_id, event_digest, content_digest, outcome, content, faults) on
      intake.submission
    select (organization_id, id, form_id, event_digest, content_digest, outcome) on intake.submission
    update (event_digest, outcome, lead_id, content, faults) on intake.submission
    select on scoring.default_model
    select on scoring.model
    insert (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions,
      created_at) on scoring.score
    select on scoring.score
    insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
    select on scoring.signal
    execute on app.ascii_email
    execute on app.changed_details
    execute on app.character_note
    execute on app.clean_text
    execute on app.code_point
    execute on app.contact_fault
    execute on app.control_character
    execute on app.country_code
    execute on app.details_faults
    execute on app.details_size_faults
    execute on app.invisible
    execute on app.is_details
    execute on app.is_email
    execute on app.is_name
    execute on app.is_phone
    execute on app.is_text
    execute on app.lead_faults
    execute on app.lead_field_rule
    execute on app.lead_from
    execute on app.lead_item
    execute on app.new_id
    execute on app.phone_key
    execute on app.punycode
    execute on app.read_instant
    execute on app.stage_names
    execute on app.trim_text
    execute on app.utc_text
    execute on auth.key_id
    execute on auth.organization_id
    execute on crm.wake_worker
    execute on intake.allowed_origin
    execute on intake.answers
    execute on intake.client_network
    execute on intake.content
    execute on intake.draft
    execute on intake.encrypted
    execute on intake.entries
    execute on intake.form_answer
    execute on intake.hmac_sha256
    execute on intake.machine_name
    execute on intake.make_lead
    execute on intake.mapped_target
    execute on intake.signature_fault
    execute on intake.usual_target
    execute on scoring.clean_value
    execute on scoring.compute_scores
    execute on scoring.is_signal_member
    execute on scoring.is_signal_value
    execute on scoring.model_in_force
    execute on scoring.score_lead
    execute on scoring.value_fault
  '),
  ('leads_jobs', '
    usage on schema admin
    usage on schema api
    usage on schema app
    usage on schema audit
    usage on schema auth
    usage on schema crm
    usage on schema intake
    usage on schema scoring
    usage on schema webhook
    delete, insert, select on app.lead_word
    delete, insert, select on app.unindexed_lead
    delete, insert, select on app.uncounted_seal
    insert, select, update on app.stage_stay
    delete, insert, select, update on app.stage_day
    insert, select, update on app.stage_progress
    select on api.operation
    select on api.route
    delete on app.idempotency_key
    select (organization_id, key_digest, created_at) on app.idempotency_key
    insert (
      id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size,
      pain_points, timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at, phone,
      reference, details, won_at, lost_at, first_contacted_at
    ) on app.lead
    select on app.lead
    update (
      name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
      budget_range, ai_reasoning, score_id, item, phone, phone_key, reference, details, won_at, lost_at,
      first_contacted_at
    ) on app.lead
    select on app.lead_field
    insert (organization_id, name, environment) on app.organization
    select on app.organization
    update (organization_id, accepts_name_and_phone, country_code, keep_audit_years, time_zone) on app.organization
    delete, insert, select on app.pipeline_stage
    select on audit.event
    select on audit.retirement
    insert (year, archive_name, archive_digest, events) on audit.retirement
    update (archive_name, archive_digest, dropped_at) on audit.retirement
    select on audit.seal
    insert (organization_id, position, event_id, event_hash, hash, created_at, sealed_at) on audit.seal
    delete, select on auth.analyst
    insert (organization_id, role_oid, role_name, expires_at) on auth.analyst
    insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key
    select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key
    update (name, expires_at, revoked_at) on auth.api_key
    delete, select on auth.cell
    insert (name) on auth.cell
    select on auth.key_use
    delete, select on auth.unannounced_key
    insert (organization_id, sync_id, number, connection_revision, outcome, message, created_at) on crm.attempt
    select on crm.attempt
    update (email, display_name, sent_at, outcome, http_status, message) on crm.attempt
    insert (
      organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key,
      created_at
    ) on crm.connection
    update (
      vendor, account, state, fault, push_stage, settings, settle_seconds, revision, credential, credential_key, blocked_until,
      paced_until
    ) on crm.connection
    insert (
      organization_id, id, lead_id, vendor, account, status, external_id, error_code, error, run_at, attempts,
      begun_at, email_key, last_synced_at, created_at
    ) on crm.sync
    select on crm.sync
    update (
      status, external_id, error_code, error, run_at, leased_by, attempts, begun_at, begun_after, email_key,
      last_synced_at
    ) on crm.sync
    select on crm.vendor
    delete, select on webhook.sealing_key
    insert (key_id, public_key, is_current) on webhook.sealing_key
    update (public_key, is_current) on webhook.sealing_key
    insert (organization_id, id, name, url, actions, include, position, secret, secret_key) on webhook.endpoint
    update (
      name, url, actions, include, state, disabled_reason, disabled_at, failing_since, failures, paused_until, recovered_at,
      position, secret, secret_key, secret_is_bound, previous_secret, previous_secret_key, previous_is_bound, previous_expires_at
    ) on webhook.endpoint
    delete, select on webhook.delivery
    insert (
      organization_id, id, endpoint_id, event_id, event_created_at, position, lead_id, action, state, next_attempt_at,
      ended_at
    ) on webhook.delivery
    update (
      state, attempts, begun_at, next_attempt_at, leased_until, last_attempt_at, http_status, message, ended_at
    ) on webhook.delivery
    delete, insert, select on webhook.recipient
    update (host, last_at) on webhook.recipient
    delete, select on webhook.unqueued_batch
    insert (organization_id) on webhook.unqueued_batch
    delete on intake.client
    select (organization_id, form_id, address, free_at) on intake.client
    insert (organization_id, id, key_id, name, preset, source, mapping, constants, origins, honeypot,
      redirect_url, on_duplicate, duplicate_hours, requests_per_minute, credential) on intake.form
    update (name, preset, source, mapping, constants, origins, honeypot, redirect_url, on_duplicate,
      duplicate_hours, requests_per_minute) on intake.form
    select on intake.preset
    delete, select on intake.submission
    update (outcome, lead_id, content, faults) on intake.submission
    select on scoring.default_model
    insert (organization_id, version, state, document, created_at, activated_at) on scoring.model
    select on scoring.model
    update (state, document, activated_at) on scoring.model
    insert (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions,
      created_at) on scoring.score
    select on scoring.score
    insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key, created_at) on scoring.signal
    select on scoring.signal
    execute on api.is_export_cursor
    execute on api.release_version
    execute on api.schema_version
    execute on app.ascii_email
    execute on app.changed_details
    execute on app.character_note
    execute on app.clean_text
    execute on app.code_point
    execute on app.contact_fault
    execute on app.control_character
    execute on app.country_code
    execute on app.csv_cell
    execute on app.cursor_content
    execute on app.cursor_text
    execute on app.details_faults
    execute on app.details_size_faults
    execute on app.export_page
    execute on app.exported_lead
    execute on app.filtered_leads
    execute on app.id_time
    execute on app.invisible
    execute on app.is_details
    execute on app.is_email
    execute on app.is_name
    execute on app.is_phone
    execute on app.is_text
    execute on app.is_time_zone
    execute on app.lead_export
    execute on app.lead_faults
    execute on app.lead_field_rule
    execute on app.lead_filter_faults
    execute on app.lead_from
    execute on app.lead_item
    execute on app.lead_whole
    execute on app.lead_words
    execute on app.new_id
    execute on app.notify
    execute on app.page_bound
    execute on app.phone_filter_faults
    execute on app.phone_key
    execute on app.phone_keys
    execute on app.punycode
    execute on app.raise_faults
    execute on app.read_email
    execute on app.read_instant
    execute on app.stage_filter_faults
    execute on app.stage_names
    execute on app.trim_text
    execute on app.utc_text
    execute on audit.actions
    execute on audit.chain_verdict
    execute on audit.create_partitions
    execute on audit.detach_partitions
    execute on audit.drop_partitions
    execute on audit.erase_lead
    execute on audit.erase_organization
    execute on audit.erase_submissions
    execute on audit.erased_payload
    execute on audit.event_export
    execute on audit.event_filter_faults
    execute on audit.event_hash
    execute on audit.event_text
    execute on audit.filtered_events
    execute on audit.is_migrating_login
    execute on audit.lock_partitions
    execute on audit.record_archive_erasure
    execute on audit.load_events
    execute on audit.newest_retirement
    execute on audit.record_read
    execute on audit.record_retirement
    execute on audit.retired_ranges
    execute on auth.add_form_key
    execute on auth.add_key
    execute on auth.add_successor
    execute on auth.end_overlap
    execute on auth.key_state
    execute on auth.new_key
    execute on auth.roles
    execute on auth.routed_keys
    execute on intake.answers
    execute on intake.content
    execute on intake.create_form
    execute on intake.draft
    execute on intake.encrypted
    execute on intake.entries
    execute on intake.form_faults
    execute on intake.form_item
    execute on intake.hmac_sha256
    execute on intake.machine_name
    execute on intake.make_lead
    execute on intake.mapped_target
    execute on intake.usual_target
    execute on scoring.clean_value
    execute on scoring.compute_scores
    execute on scoring.is_decimal
    execute on scoring.is_model
    execute on scoring.is_signal_member
    execute on scoring.is_signal_value
    execute on scoring.model_faults
    execute on scoring.model_in_force
    execute on app.csv_fields
    execute on app.read_object
    execute on app.create_leads
    execute on app.store_sent_leads
    execute on app.reference_fault
    execute on app.sent_lead
    execute on app.plain_lead
    execute on app.drop_triggers
    execute on app.is_plain_text
    execute on app.store_leads
    execute on app.csv_faults
    execute on app.joined_faults
    execute on app.duplicate_keys
    execute on app.merge_leads
    delete, insert, select on admin.import_row
    select on admin.lead_import
    insert (organization_id, file_digest) on admin.lead_import
    update (rows_done, created, updated, skipped, failed, is_complete) on admin.lead_import
    execute on app.word_gap
    execute on scoring.score_lead
    execute on webhook.change_endpoint
    execute on webhook.chosen_actions
    execute on webhook.create_endpoint
    execute on webhook.endpoint_faults
    execute on webhook.endpoint_item
    execute on webhook.delivery_item
    execute on webhook.host_fault
    execute on webhook.last_position
    execute on webhook.list_deliveries
    execute on webhook.lock_enabled
    execute on webhook.redeliver
    execute on webhook.rotate_secret
    execute on webhook.send_test
    execute on webhook.url_fault
    delete, insert, select on audit.unsealed
    delete, insert, select on crm.connection
    delete, insert, select on webhook.endpoint
    delete, insert, select, update on app.placement
    execute on audit.check_placement
    execute on app.insert_rows
    execute on audit.delete_rows
    execute on audit.publish_rows
    execute on audit.unpublish_rows
    execute on auth.owned_keys
    execute on auth.take_keys
    insert, select on intake.form
    execute on auth.fence_keys
  '),
  ('leads_audit', '
    usage on schema app
    usage on schema audit
    usage on schema auth
    usage on schema crm
    insert (id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at) on audit.event
    insert on audit.unsealed
    execute on app.id_time
    execute on app.is_name
    execute on app.is_text
    execute on app.new_id
    execute on app.trim_text
    execute on app.utc_text
    execute on audit.details_change
    execute on auth.key_id
    execute on audit.check_placement
    select (organization_id, state, cell, changed_in, is_fenced) on app.placement
  '),
  ('leads_eraser', '
    usage on schema app
    usage on schema audit
    usage on schema auth
    usage on schema crm
    usage on schema intake
    usage on schema scoring
    usage on schema webhook
    delete on app.lead_word
    delete on app.unindexed_lead
    select (organization_id, lead_id) on app.unindexed_lead
    delete on app.stage_stay
    delete on app.stage_day
    delete on app.stage_progress
    delete on app.uncounted_seal
    select (organization_id) on app.stage_progress
    update (request_digest, status, headers, body) on app.idempotency_key
    delete on app.idempotency_key
    update (organization_id) on app.lead
    delete on app.lead
    select (id, organization_id, email, pipeline_stage, phone_key) on app.lead
    update (name, erased_at) on app.organization
    select (organization_id, erased_at, country_code) on app.organization
    delete on app.pipeline_stage
    select (id, organization_id, action, lead_id, payload, salt, payload_digest, created_at) on audit.event
    update (payload, salt) on audit.event
    delete, select on crm.attempt
    delete, select on crm.sync
    update (organization_id) on crm.sync
    delete on webhook.endpoint
    select (organization_id, id) on webhook.endpoint
    update (organization_id) on webhook.endpoint
    delete on webhook.delivery
    delete, select on webhook.recipient
    delete on intake.client
    delete on intake.form
    delete on intake.submission
    delete on scoring.model
    delete on scoring.score
    delete on scoring.signal
    execute on app.ascii_email
    execute on app.clean_text
    execute on app.id_time
    execute on app.invisible
    execute on app.is_text
    execute on app.phone_key
    execute on app.punycode
    execute on app.trim_text
    execute on app.utc_text
    execute on audit.erased_payload
    execute on auth.organization_id
    execute on crm.copies
    execute on webhook.recipients
    execute on audit.record_erasure
    usage on schema admin
    delete on admin.import_row
    delete on admin.lead_import
    delete on app.organization
    delete on audit.event
    delete on audit.seal
    delete on audit.unsealed
    delete on auth.analyst
    delete on auth.api_key
    delete on auth.key_use
    delete on auth.unannounced_key
    delete on crm.connection
    delete on webhook.unqueued_batch
    execute on admin.table_class
    select (id, organization_id, lead_id) on scoring.score
    select (id, organization_id, lead_id) on scoring.signal
    select (organization_id) on crm.connection
    select (organization_id, event_id) on audit.seal
    select (organization_id, event_id) on audit.unsealed
    select (organization_id, file_digest) on admin.import_row
    select (organization_id, file_digest) on admin.lead_import
    select (organization_id, form_id) on intake.client
    select (organization_id, id) on auth.api_key
    select (organization_id, id) on intake.form
    select (organization_id, id) on webhook.unqueued_batch
    select (organization_id, id, lead_id) on webhook.delivery
    select (organization_id, id, lead_id, content) on intake.submission
    select (organization_id, key_digest, headers, body) on app.idempotency_key
    select (organization_id, key_id) on auth.key_use
    select (organization_id, key_id) on auth.unannounced_key
    select (organization_id, lead_id) on app.stage_stay
    select (organization_id, lead_id, word) on app.lead_word
    select (organization_id, name) on app.pipeline_stage
    select (organization_id, position) on app.uncounted_seal
    select (organization_id, role_oid) on auth.analyst
    select (organization_id, state) on app.placement
    select (organization_id, time_zone) on app.stage_day
    select (organization_id, version) on scoring.model
  '),
  ('leads_bi', '
    usage on schema bi
    select on bi.freshness
    select on bi.crm_syncs
    select on bi.lead_changes
    select on bi.leads
    select on bi.pipeline_daily
    select on bi.score_calibration
    select on bi.source_daily
    select on bi.scores
    select on bi.signals
    select on bi.source_performance
    select on bi.stage_history
    select (
      id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size,
      pain_points, timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at, phone,
      phone_key, reference, details, won_at, lost_at, first_contacted_at
    ) on app.lead
    select (organization_id, time_zone) on app.organization
    select (organization_id, name, position) on app.pipeline_stage
    select (organization_id, lead_id, entered_at, left_at, stage, next_stage) on app.stage_stay
    select (organization_id, time_zone, day, stage, entered, departed) on app.stage_day
    select (organization_id, counted_until, time_zone) on app.stage_progress
    select (
      id, organization_id, action, source, correlation_id, lead_id, payload, created_at, stage_left, stage_entered
    ) on audit.event
    select (organization_id, id, lead_id, vendor, status, error_code, attempts, last_synced_at, created_at) on crm.sync
    select (
      id, organization_id, lead_id, kind, lead_score, model, model_version, base, contributions, created_at
    ) on scoring.score
    select (id, organization_id, lead_id, type, value, observed_at, dedupe_key, created_at) on scoring.signal
    execute on auth.analyst_organization_id
  '),
  ('leads_owner', '
    execute on api.schema_version
    execute on audit.tg_lead__record
    execute on audit.tg_record
    execute on audit.tg_signal__record
    execute on audit.tg_sync__record
    execute on crm.tg_lead__push
    execute on webhook.tg_endpoint__queue
  '),
  ('public', '
    execute on api.session_faults
  ')
) as r (role, privileges)
cross join lateral (
  -- A list of columns may have several lines.
  select regexp_replace(regexp_replace(btrim(l, E' \n'), '\(\s+', '('), '\s*\n\s*', ' ', 'g') as line
  from regexp_split_to_table(r.privileges, '\n(?=    [a-z])') as l
) as t
cross join lateral (select replace(t.line, ' )', ')') as privilege) as p
where p.privilege <> ''
union
select 'leads_api', 'execute on ' || f.name
from api.route as r
cross join lateral (values (r.function), (r.wait_function)) as f (name)
where f.name is not null;

create view test.unreviewed_grant as
select format('%s: %s', d.role, d.privilege) as finding
from (select g.role, g.privilege from test.granted as g except select r.role, r.privilege from test.reviewed as r) as d;
create view test.missing_grant as
select format('%s: %s', d.role, d.privilege) as finding
from (select r.role, r.privilege from test.reviewed as r except select g.role, g.privilege from test.granted as g) as d;

select is_kept('test.unreviewed_grant');
select is_reported('test.unreviewed_grant', c.fault, c.finding)
from (values
  ('grant select on app.lead to leads_api', 'leads_api: select on app.lead'),
  (
    'grant update (expires_at) on auth.api_key to leads_operator', 'leads_operator: update (expires_at) on auth.api_key'
  ),
  ('grant execute on function auth.key_id() to leads_api', 'leads_api: execute on auth.key_id'),
  ('grant usage on schema app to leads_api', 'leads_api: usage on schema app'),
  (
    'grant execute on function admin.revoke_key(uuid) to leads_router', 'leads_router: execute on admin.revoke_key'
  ),
  ('grant execute on function api.get_lead(uuid) to public', 'public: execute on api.get_lead'),
  ('grant select on api.route to public', 'public: select on api.route'),
  ('grant usage on schema app to leads_bi', 'leads_bi: usage on schema app'),
  ('grant select (name) on app.lead to pg_monitor', 'pg_monitor: select (name) on app.lead'),
  (
    'grant execute on function api.get_lead(uuid) to leads_api with grant option',
    'leads_api: execute with grant option on api.get_lead'
  )
) as c (fault, finding);
select is_reported(
  'test.unreviewed_grant', 'create function api.one() returns integer language sql begin atomic select 1; end',
  'public: execute on api.one'
);
select is_kept('test.missing_grant');
select is_reported(
  'test.missing_grant', 'revoke execute on function api.get_lead(uuid) from leads_api',
  'leads_api: execute on api.get_lead'
);

select * from finish();
rollback;
