begin;
select plan(8);

create function test.ada()
returns uuid language sql
as $$ select ((test.kept('id')).body)::uuid $$;

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select keep('id', row(0, null, lead('ada@example.com')::text)::api.answer);

select act_as('alice', 'write');
select is(api.delete_lead(ada()), null, 'a key without the scope admin finds no lead');
select act_as('bob', 'admin');
select is(api.delete_lead(ada()), null, 'nor does a key of another organization');
select act_as('alice', 'admin');
select keep('erased', api.delete_lead(ada()));
select is((kept('erased')).status, 200, 'it is erased');
select is(
  (kept('erased')).body::jsonb,
  jsonb_build_object('id', ada(), 'status', 'erased', 'copies', '[]'::jsonb, 'webhooks', '[]'::jsonb),
  'without copies'
);
select is(api.delete_lead(ada()), null, 'a repeat finds nothing');
select act_as('dba');
select is((select count(*) from app.lead as l where l.id = ada()), 0::bigint, 'the row is gone');
select is(
  (select array_agg(e.action order by e.id) from audit.event as e where e.lead_id = ada()), '{lead.created,lead.erased}',
  'the log has the erasure'
);
select is((select count(*) from audit.event as e where e.payload::text like '%Ada%'), 0::bigint, 'and no value');

select * from finish();
rollback;
