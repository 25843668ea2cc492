-- The table of contents: every object of sql/, each after the objects that it needs. A release
-- freezes each section into a migration of its own. To load everything into a database that has the
-- tables, as the migrating login: psql -v ON_ERROR_STOP=1 -f sql/load.sql
begin;
set local lock_timeout = '5s';
set local client_min_messages = warning;
do $$ begin execute format('grant leads_audit, leads_eraser to %I', session_user); end $$;
-- These roles own functions. They may create objects only now, so that their functions cannot.
set local role leads_owner;
grant create on schema auth to leads_auth;
grant create on schema api to leads_exec, leads_intake;
grant create on schema admin to leads_jobs;
grant create on schema audit to leads_audit, leads_eraser;
grant create on schema crm, intake to leads_jobs;
reset role;

-- section auth: The functions that prove who makes a request.
\ir auth/roles.sql
\ir auth/claimed_key.sql
\ir auth/enter.sql
\ir auth/entered_organization_id.sql
\ir auth/organization_id.sql
\ir auth/key_id.sql
\ir auth/key_scopes.sql
\ir auth/key_state.sql
\ir auth/add_form_key.sql
\ir auth/analyst_organization_id.sql
\ir api/schema_version.sql
\ir app/notify.sql

-- section audit: The audit log: what writes it, seals it, verifies it, and erases values in it.
\ir audit/tg_refuse.sql
\ir audit/is_migrating_login.sql
\ir audit/write_event.sql
\ir app/utc_text.sql
\ir audit/tg_record.sql
\ir audit/details_change.sql
\ir audit/tg_lead__record.sql
\ir audit/tg_signal__record.sql
\ir audit/tg_sync__record.sql
\ir audit/actions.sql
\ir audit/event_item.sql
\ir audit/event_text.sql
\ir audit/event_etag.sql
\ir audit/erased_payload.sql
\ir audit/tg_event__check_erasure.sql
\ir audit/record_erasure.sql
\ir audit/record_read.sql
\ir crm/copies.sql
\ir audit/erase_events.sql
\ir audit/is_about_person.sql
\ir audit/erase_submissions.sql
\ir audit/erase_lead.sql
\ir audit/erase_own_lead.sql
\ir audit/erase_organization.sql
\ir audit/event_hash.sql
\ir audit/chain_verdict.sql
\ir audit/event.policies.sql
\ir audit/event.triggers.sql
\ir audit/event.grants.sql
\ir audit/unsealed.policies.sql
\ir audit/unsealed.triggers.sql
\ir audit/unsealed.grants.sql
\ir audit/seal_mark.sql
\ir audit/position_before.sql
\ir audit/seal.policies.sql
\ir audit/seal.triggers.sql
\ir audit/seal.grants.sql
\ir audit/create_partitions.sql

-- section leads: Keys, organizations and leads: policies, triggers, grants, checks of bodies.
\ir auth/api_key.policies.sql
\ir auth/api_key.triggers.sql
\ir auth/api_key.grants.sql
\ir auth/analyst.policies.sql
\ir auth/analyst.triggers.sql
\ir auth/analyst.grants.sql

\ir app/tg_organization__add_pipeline_stages.sql
\ir app/tg_pipeline_stage__keep_new.sql
\ir app/lead_item.sql
\ir app/phone_key.sql
\ir app/country_code.sql
\ir app/tg_lead__stamp.sql
\ir app/organization.policies.sql
\ir app/organization.triggers.sql
\ir app/organization.grants.sql
\ir app/pipeline_stage.policies.sql
\ir app/pipeline_stage.triggers.sql
\ir app/pipeline_stage.grants.sql
\ir scoring/tg_lead__check_score.sql
\ir scoring/tg_lead__keep_score.sql
\ir crm/request_push.sql
\ir crm/tg_lead__push.sql
\ir app/lead.policies.sql
\ir app/lead.triggers.sql
\ir app/lead.grants.sql
\ir app/lead_word.policies.sql
\ir app/lead_word.triggers.sql
\ir app/lead_word.grants.sql
\ir app/unindexed_lead.policies.sql
\ir app/unindexed_lead.triggers.sql
\ir app/unindexed_lead.grants.sql
\ir app/idempotency_key.policies.sql
\ir app/idempotency_key.grants.sql

\ir app/read_instant.sql
\ir app/raise_faults.sql
\ir app/duplicate_keys.sql
\ir app/invisible.sql
\ir app/clean_text.sql
\ir app/phone_keys.sql
\ir app/control_character.sql
\ir app/code_point.sql
\ir app/character_note.sql
\ir app/text_pattern.sql
\ir app/phone_pattern.sql
\ir app/punycode.sql
\ir app/ascii_email.sql
\ir app/stage_names.sql
\ir app/read_object.sql
\ir app/lead_field.rows.sql
\ir app/lead_field.grants.sql
\ir app/lead_field_rule.sql
\ir app/is_plain_text.sql
\ir app/plain_lead.sql
\ir app/details_faults.sql
\ir app/lead_faults.sql
\ir app/changed_details.sql
\ir app/details_size_faults.sql
\ir app/lead_from.sql
\ir app/contact_fault.sql
\ir app/stage_filter_faults.sql
\ir app/read_email.sql
\ir app/lead_filter_faults.sql
\ir app/phone_filter_faults.sql
\ir app/is_etag_matched.sql
\ir app/raise_precondition_failed.sql
\ir app/claim_idempotency_key.sql
\ir app/keep_answer.sql
\ir app/cursor_content.sql
\ir app/page_bound.sql
\ir app/cursor_text.sql
\ir app/next_cursor.sql
\ir app/page.sql
\ir app/page_answer.sql
\ir app/lead_etag.sql
\ir app/computed_lead_item.sql
\ir app/leads_by_phone_or_reference.sql
\ir app/order_faults.sql
\ir app/changed_leads.sql
\ir app/lead_words.sql
\ir app/search_words.sql
\ir app/search_faults.sql
\ir app/has_words.sql
\ir app/unindexed_leads.sql
\ir app/found_leads.sql
\ir app/lead_whole.sql
\ir app/lead_change.sql
\ir app/lead_details.sql
\ir app/csv_cell.sql
\ir app/exported_lead.sql
\ir app/filtered_leads.sql
\ir app/export_headers.sql
\ir app/export_page.sql
\ir app/lead_export.sql
\ir audit/event_filter_faults.sql
\ir audit/filtered_events.sql
\ir audit/event_export.sql

-- section scoring: Scoring.
\ir scoring/default_model.triggers.sql
\ir scoring/default_model.rows.sql
\ir scoring/default_model.grants.sql
\ir scoring/model.policies.sql
\ir scoring/model.triggers.sql
\ir scoring/model.grants.sql
\ir scoring/signal.policies.sql
\ir scoring/signal.triggers.sql
\ir scoring/signal.grants.sql
\ir scoring/tg_score__check.sql
\ir scoring/tg_score__apply.sql
\ir scoring/score.policies.sql
\ir scoring/score.triggers.sql
\ir scoring/score.grants.sql
\ir scoring/model_in_force.sql
\ir scoring/compute_scores.sql
\ir scoring/score_lead.sql
\ir scoring/value_fault.sql
\ir scoring/clean_value.sql
\ir scoring/signal_faults.sql
\ir scoring/signal_item.sql

-- section crm: CRM pushes.
\ir crm/vendor.rows.sql
\ir crm/vendor.grants.sql
\ir crm/connection.policies.sql
\ir crm/connection.triggers.sql
\ir crm/connection.grants.sql
\ir crm/sync.policies.sql
\ir crm/sync.triggers.sql
\ir crm/sync.grants.sql
\ir crm/attempt.policies.sql
\ir crm/attempt.triggers.sql
\ir crm/attempt.grants.sql
\ir crm/wake_worker.sql
\ir crm/account_in_force.sql
\ir crm/sync_in_force.sql
\ir crm/sync_item.sql
\ir crm/push_answer.sql
\ir crm/push_skipped.sql
\ir crm/open_until.sql
\ir crm/contact.sql
\ir crm/settle_attempt.sql
\ir crm/lease_syncs.sql
\ir crm/seconds_until_due.sql
\ir crm/connections_without_key.sql
\ir crm/begin_call.sql

-- section intake: Forms, and what they receive.
\ir intake/preset.rows.sql
\ir intake/preset.grants.sql
\ir intake/form.policies.sql
\ir intake/form.triggers.sql
\ir intake/form.grants.sql
\ir intake/submission.policies.sql
\ir intake/submission.triggers.sql
\ir intake/submission.grants.sql
\ir intake/client.policies.sql
\ir intake/client.grants.sql
\ir intake/hmac_sha256.sql
\ir intake/encrypted.sql
\ir intake/machine_name.sql
\ir intake/content.sql
\ir intake/entries.sql
\ir intake/answers.sql
\ir intake/mapped_target.sql
\ir intake/usual_target.sql
\ir intake/draft.sql
\ir intake/make_lead.sql
\ir intake/signature_fault.sql
\ir intake/client_network.sql
\ir intake/allowed_origin.sql
\ir intake/form_answer.sql
\ir intake/form_item.sql
\ir intake/form_faults.sql
\ir intake/create_form.sql

-- section api: The API: errors, routes, the reference, and the functions that answer requests.
\ir api/problem.grants.sql
\ir api/problem.rows.sql
\ir api/problems.sql
\ir api/route.grants.sql
\ir api/operation.grants.sql
\ir api/document.sql
\ir api/tag.rows.sql
\ir api/tag.grants.sql
\ir api/guide.rows.sql
\ir api/guide.grants.sql
\ir api/parameter.rows.sql
\ir api/parameter.grants.sql
\ir api/shape.rows.sql
\ir api/shape.grants.sql
\ir api/named_schema.rows.sql
\ir api/named_schema.grants.sql
\ir api/release_version.sql
\ir api/default_text.sql
\ir api/routes.sql
\ir api/object_text.sql
\ir api/json_text.sql
\ir api/expression.sql
\ir api/schema_name.sql
\ir api/schema_reference.sql
\ir api/value_schema.sql
\ir api/type_schema.sql
\ir api/operations.sql
\ir api/operation_parameters.sql
\ir api/operation_bodies.sql
\ir api/operation_problems.sql
\ir api/operation_successes.sql
\ir api/openapi_info.sql
\ir api/openapi_headers.sql
\ir api/openapi_paths.sql
\ir api/openapi_schemas.sql
\ir api/openapi.sql
\ir api/read_instant.sql
\ir api/input_faults.sql
\ir api/session_faults.sql
\ir api/list_leads.sql
\ir api/export_leads.sql
\ir api/create_lead.sql
\ir api/get_lead.sql
\ir api/update_lead.sql
\ir api/get_lead_details.sql
\ir api/update_lead_details.sql
\ir api/get_lead_everything.sql
\ir api/delete_lead.sql
\ir api/create_signals.sql
\ir api/list_signals.sql
\ir api/score_lead.sql
\ir api/list_scores.sql
\ir api/push_lead.sql
\ir api/get_push.sql
\ir api/get_crm_sync.sql
\ir api/list_crm_connections.sql
\ir api/create_form.sql
\ir api/list_forms.sql
\ir api/submit_form.sql
\ir api/preflight_form.sql
\ir api/list_audit_events.sql
\ir api/export_audit_events.sql
\ir api/get_audit_event.sql
\ir api/verify_audit_log.sql
\ir api/get_health.sql
\ir api/get_organization.sql
\ir api/route.rows.sql

-- section bi: The views of analysts.
\ir bi/leads.sql
\ir bi/lead_changes.sql
\ir bi/stage_history.sql
\ir bi/pipeline_daily.sql
\ir bi/source_performance.sql
\ir bi/score_calibration.sql

-- section admin: The functions behind the command line.
\ir admin/known_organization.sql
\ir admin/organization.sql
\ir admin/create_organization.sql
\ir admin/organizations.sql
\ir admin/set_organization.sql
\ir admin/fill_phone_keys.sql
\ir admin/stages.sql
\ir admin/add_stage.sql
\ir admin/remove_stage.sql
\ir admin/good_key.sql
\ir admin/create_key.sql
\ir admin/keys.sql
\ir admin/rotate_key.sql
\ir admin/revoke_key.sql
\ir admin/analysts.sql
\ir admin/bind_analyst.sql
\ir admin/limit_analyst.sql
\ir admin/create_analyst.sql
\ir admin/signal_analyst.sql
\ir admin/alter_analyst.sql
\ir admin/end_analyst_sessions.sql
\ir admin/unbind_analyst.sql
\ir admin/revoke_analyst.sql
\ir admin/disable_analyst.sql
\ir admin/drop_analyst.sql
\ir admin/fill_lead_items.sql
\ir admin/load_leads.sql
\ir admin/load_signals.sql
\ir admin/check_scoring_model.sql
\ir admin/scoring_models.sql
\ir admin/edit_scoring_model.sql
\ir admin/activate_scoring_model.sql
\ir admin/try_scoring_model.sql
\ir admin/backtest_leads.sql
\ir admin/backtest_scoring_model.sql
\ir admin/connect_crm.sql
\ir admin/crm_connections.sql
\ir admin/change_crm_connection.sql
\ir admin/crm_queue.sql
\ir admin/retry_crm.sql
\ir admin/crm_syncs.sql
\ir admin/export_leads.sql
\ir admin/export_audit_events.sql
\ir admin/delete_expired_answers.sql
\ir admin/known_form.sql
\ir admin/form_presets.sql
\ir admin/create_form.sql
\ir admin/forms.sql
\ir admin/set_form.sql
\ir admin/revoke_form.sql
\ir admin/form_submissions.sql
\ir admin/replay_submissions.sql
\ir admin/delete_old_submissions.sql
\ir admin/find_leads_to_erase.sql
\ir admin/leads_to_erase.sql
\ir admin/erase_submissions.sql
\ir admin/erase_lead.sql
\ir admin/erase_organization.sql
\ir admin/seal_events.sql
\ir admin/index_leads.sql
\ir admin/queue_leads.sql
\ir admin/create_audit_partitions.sql
\ir audit/event.partitions.sql
\ir admin/verify_chain.sql
\ir admin/chain_heads.sql
\ir admin/catalogue_entry.grants.sql
\ir admin/role.sql
\ir admin/schema.sql
\ir admin/relation.sql
\ir admin/tenant_table.sql
\ir admin/membership.sql
\ir admin/catalogue.sql
\ir admin/drift.sql
\ir admin/keep_catalogue.sql
\ir admin/api_findings.sql
\ir admin/role_findings.sql
\ir admin/row_security_findings.sql
\ir admin/policy_findings.sql
\ir admin/analyst_findings.sql
\ir admin/trigger_findings.sql
\ir admin/key_findings.sql
\ir admin/statistics_findings.sql
\ir admin/function_findings.sql
\ir admin/grant_findings.sql
\ir admin/seal_findings.sql
\ir admin/partition_findings.sql
\ir admin/setting_findings.sql
\ir admin/findings.sql

set local role leads_owner;
revoke create on schema auth from leads_auth;
revoke create on schema api from leads_exec, leads_intake;
revoke create on schema admin from leads_jobs;
revoke create on schema audit from leads_audit, leads_eraser;
revoke create on schema crm, intake from leads_jobs;
reset role;
do $$ begin execute format('revoke leads_audit, leads_eraser from %I', session_user); end $$;
commit;
