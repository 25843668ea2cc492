begin;
select plan(2);

-- The actions that the triggers record.
create view test.written as
select e.entity || '.' || a.action as action
from (
  values ('lead'), ('signal'), ('scoring_model'), ('crm_connection'), ('api_key'), ('analyst'), ('organization'), ('pipeline_stage'), ('form'), ('webhook')
) as e (entity)
cross join (values ('created'), ('updated'), ('deleted')) as a (action)
union all
values ('api_key.rotated'), ('api_key.revoked'), ('lead.scored'), ('score.deleted'), ('crm_sync.updated'), ('crm_sync.deleted'),
  ('lead.erased'), ('lead.read'), ('organization.erased'), ('audit.retired'), ('lead.crm_push_requested'), ('lead.crm_pushed'), ('lead.crm_push_failed'), ('lead.crm_push_skipped');

select set_eq('table test.written', 'select unnest(audit.actions())', 'the actions');
select set_eq(
  $$
    select case when t.tgnargs = 0 then substring(t.tgfoid::regproc::text from 'tg_([a-z]+)__record') else split_part(encode(t.tgargs, 'escape'), '\000', 1) end
    from pg_trigger as t
    where t.tgname = '_900_record'
  $$,
  array['lead', 'signal', 'score', 'scoring_model', 'sync', 'crm_connection', 'api_key', 'analyst', 'organization', 'pipeline_stage', 'form', 'webhook'],
  'the recorded entities'
);

select * from finish();
rollback;
