begin;
select plan(11);

create function test.ada()
returns uuid language sql
as $$ select ((test.kept('leads')).body::jsonb #>> '{data,0,id}')::uuid $$;

select act_as('alice');
select throws_ok(
  $$select api.create_lead('{"name": "Ada", "phone": "555 010 0199"}')$$, 'PT422', 'validation_failed', 'not by default'
);
select act_as('operator');
select admin.set_organization(organization('alice'), true);
select act_as('alice');
select lives_ok($$select api.create_lead('{"name": "Ada", "phone": "555 010 0199"}')$$, 'a name and a phone');
select throws_ok($$select api.create_lead('{"phone": "555 010 0199"}')$$, 'PT422', 'validation_failed', 'a phone alone');
select throws_ok($$select api.create_lead('{"name": "Ada"}')$$, 'PT422', 'validation_failed', 'a name alone');
select act_as('bob');
select throws_ok(
  $$select api.create_lead('{"name": "Ada", "phone": "555 010 0199"}')$$, 'PT422', 'validation_failed',
  'not in another organization'
);

select act_as('operator');
select admin.set_organization(organization('alice'), false);
select act_as('alice');
select keep('leads', api.list_leads());
select throws_ok(
  $$select api.create_lead('{"name": "Bob", "phone": "555 010 0100"}')$$, 'PT422', 'validation_failed', 'not any more'
);
select lives_ok($$select api.update_lead(ada(), '{"pipeline_stage": "won"}')$$, 'the lead can be changed');
select lives_ok($$select api.update_lead(ada(), '{"name": "Ada L."}')$$, 'its name, too');
select lives_ok($$select api.update_lead_details(ada(), '{"phone": "555 010 0111"}')$$, 'and its phone');
select throws_ok($$select api.update_lead(ada(), '{"name": null}')$$, 'PT422', 'validation_failed', 'it keeps a name');
select throws_ok($$select api.update_lead_details(ada(), '{"phone": null}')$$, 'PT422', 'validation_failed', 'and a phone');

select * from finish();
rollback;
