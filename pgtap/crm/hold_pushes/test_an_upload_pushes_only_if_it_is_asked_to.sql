begin;
select plan(11);

select act_as('operator');
select admin.connect_crm(organization('alice'), 'jobnimbus', 'account', '{"record_type_name": "Customer", "status_name": "Lead"}');
select act_as('alice');
select api.store_leads(
  '[{"name": "held", "email": "h@example.com", "pipeline_stage": "qualified", "reference": "1"}, {"name": "new", "email": "n@example.com", "reference": "2"}]',
  'application/json'
);
select is((sync('held')).status || ' ' || (sync('held')).error_code, 'skipped bulk', 'the row records why');
select is((sync('new')).id, null, 'a lead in another stage has no push');
select is(
  (api.get_crm_sync(lead('h@example.com'))).body::json #>> '{crm_sync,status}', 'skipped', 'the API shows it'
);

-- In the same transaction, as if a session kept the setting.
select set_config('leads.held_pushes', current_setting('leads.held_pushes') || '1', true);
select made_lead('{"name": "single", "email": "s@example.com", "pipeline_stage": "qualified"}');
select is((sync('single')).status, 'pending', 'a setting of another transaction holds no push');

select api.store_leads('[{"reference": "2", "pipeline_stage": "qualified"}]', 'application/json', on_duplicate => 'update');
select is((sync('new')).error_code, 'bulk', 'nor is a lead pushed whose stage an upload changes');

select set_config('leads.held_pushes', '', true);
select api.update_lead(lead('h@example.com'), '{"pipeline_stage": "proposal"}');
select is((sync('held')).status, 'skipped', 'another stage');
select api.update_lead(lead('h@example.com'), '{"pipeline_stage": "qualified"}');
select is((sync('held')).status, 'pending', 'a later change of the stage pushes the lead');
select api.push_lead(lead('n@example.com'));
select is((sync('new')).status, 'pending', 'so does a request');

select api.store_leads(
  '[{"name": "asked", "email": "a@example.com", "pipeline_stage": "qualified"}]', 'application/json', push => true
);
select is((sync('asked')).status, 'pending', 'with push, it is pushed');
select api.store_leads('[{"reference": "1", "pipeline_stage": "lost"}, {"reference": "1", "pipeline_stage": "qualified"}]', 'application/json', on_duplicate => 'update');
select is((sync('held')).status, 'pending', 'a push that waits stays as it is');

select act_as('dba');
select is(
  (select array_agg(distinct e.payload ->> 'error_code') from audit.event as e where e.action = 'lead.crm_push_skipped'),
  '{bulk}', 'the audit log records why'
);

select * from finish();
rollback;
