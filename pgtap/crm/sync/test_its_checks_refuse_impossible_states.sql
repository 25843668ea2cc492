begin;
select plan(15);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select throws_matching('update crm.sync set ' || c.change, '"(' || c.rule || ')"', c.change)
from (values
  ($$status = 'done', run_at = null$$, 'sync_status_is_known'),
  ($$run_at = null$$, 'sync_runs_at_a_time_until_it_ends'),
  ($$status = 'failed', error_code = 'rejected'$$, 'sync_runs_at_a_time_until_it_ends'),
  ($$external_id = '7'$$, 'sync_has_an_external_id_when_it_is_ok'),
  ($$status = 'ok', run_at = null, last_synced_at = now()$$, 'sync_has_an_external_id_when_it_is_ok'),
  ($$last_synced_at = now()$$, 'sync_has_a_time_when_it_is_ok'),
  ($$status = 'ok', run_at = null, external_id = '7'$$, 'sync_has_a_time_when_it_is_ok'),
  ($$status = 'failed', run_at = null$$, 'sync_error_code_is_known|sync_says_why_it_failed'),
  ($$status = 'failed', run_at = null, error_code = 'paused'$$, 'sync_error_code_is_known'),
  ($$status = 'skipped', run_at = null, error_code = 'rejected'$$, 'sync_error_code_is_known'),
  ($$error_code = 'rejected'$$, 'sync_error_code_is_known'),
  ($$error = ' '$$, 'sync_error_is_text_of_1_to_1000'),
  ($$error = repeat('x', 1001)$$, 'sync_error_is_text_of_1_to_1000'),
  ($$status = 'ok', run_at = null, last_synced_at = now(), external_id = ''$$, 'sync_external_id_is_text_of_1_to_255'),
  ($$begun_after = -1$$, 'sync_counts_attempts')
) as c (change, rule);

select * from finish();
rollback;
