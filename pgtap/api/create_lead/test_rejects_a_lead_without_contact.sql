begin;
select plan(6);

select act_as('alice');
select is(faults($$select api.create_lead('{}')$$), array['email contact_required'], 'an empty body');
select is(faults($$select api.create_lead('{"name": "Ada"}')$$), array['email contact_required'], 'a name alone');
select is(
  faults($$select api.create_lead('{"company": "Acme"}')$$), array['email contact_required'], 'a company alone'
);
select is(
  faults($$select api.create_lead('{"email": null, "name": "Ada", "company": null}')$$),
  array['email contact_required'],
  'null is not a value'
);
select throws_ok($$select api.create_lead('{}')$$, 'PT422', 'validation_failed');

select act_as('dba');
select is_empty('select id from app.lead', 'no lead is created');

select * from finish();
rollback;
