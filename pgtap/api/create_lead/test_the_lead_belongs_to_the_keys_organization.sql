begin;
select plan(3);

select act_as('alice');
select is(
  (api.create_lead('{"email": "ada@example.com"}')).body::json ->> 'organization_id', organization('alice')::text,
  'alice''s'
);
select is(
  faults(
    format($$select api.create_lead('{"email": "ada@example.com", "organization_id": "%s"}')$$, organization('bob'))
  ),
  array['organization_id read_only_field'],
  'whatever the body says'
);

select act_as('bob');
select is(
  (api.create_lead('{"email": "bob@example.com"}')).body::json ->> 'organization_id', organization('bob')::text,
  'bob''s'
);

select * from finish();
rollback;
