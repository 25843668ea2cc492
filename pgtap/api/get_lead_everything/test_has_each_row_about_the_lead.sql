begin;
select plan(7);

create function test.ada()
returns uuid language sql
as $$ select ((test.kept('id')).body)::uuid $$;

select act_as('operator');
select admin.connect_crm(organization('alice'), 'hubspot', 'portal 1', '{}');
select act_as('alice');
select api.create_lead('{"email": "ada@example.com", "pipeline_stage": "qualified", "lead_score": 7, "phone": "911"}', 'once');
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select keep('id', row(0, null, lead('ada@example.com')::text)::api.answer);
select act_as('dba');
insert into crm.attempt (organization_id, sync_id, number, connection_revision, email, display_name, sent_at)
select s.organization_id, s.id, 1, 1, 'ada@example.com', 'Ada', now() from crm.sync as s;

select act_as('alice', 'read');
select ok(api.get_lead_everything(ada()) is null, 'the scope admin is needed');
select act_as('bob', 'admin');
select ok(api.get_lead_everything(ada()) is null, 'of the same organization');
select act_as('alice', 'admin');
select keep('all', api.get_lead_everything(ada()));
select is(
  array(select json_object_keys((kept('all')).body::json)),
  array['lead', 'details', 'signals', 'scores', 'crm_pushes', 'audit_events', 'kept_answers', 'is_complete', 'submissions', 'webhooks'],
  'the members in their order'
);
select is(
  array[
    (kept('all')).body::jsonb #>> '{lead,email}', (kept('all')).body::jsonb #>> '{details,phone}',
    (kept('all')).body::jsonb #>> '{signals,0,type}', (kept('all')).body::jsonb #>> '{scores,0,lead_score}',
    (kept('all')).body::jsonb #>> '{crm_pushes,0,attempts,0,email}', (kept('all')).body::jsonb #>> '{kept_answers,0,body,email}',
    (kept('all')).body::jsonb ->> 'is_complete'
  ],
  array['ada@example.com', '911', 'storm_event', '7', 'ada@example.com', 'ada@example.com', 'true'],
  'a value of each'
);
select ok(jsonb_array_length((kept('all')).body::jsonb -> 'audit_events') >= 3, 'the events');

select act_as('dba');
delete from app.lead where id = ada();
select act_as('alice', 'admin');
select is(
  (api.get_lead_everything(ada())).body::jsonb -> 'lead', 'null', 'a lead that was deleted in SQL has values in the log'
);
select api.delete_lead(ada());
select ok(api.get_lead_everything(ada()) is null, 'an erased lead has none');

select * from finish();
rollback;
