begin;
select plan(3);

select act_as('alice');
select is(
  (api.create_lead('{"email": "ada@example.com"}')).body::json ->> 'organization_id', organization('alice')::text,
  'alice''s lead'
);
select is(
  faults(
    format($$select api.create_lead('{"email": "ada@example.com", "organization_id": "%s"}')$$, organization('bob'))
  ),
  array['organization_id read_only_field'],
  'an organization_id in the body has no effect'
);

select act_as('bob');
select is(
  (api.create_lead('{"email": "bob@example.com"}')).body::json ->> 'organization_id', organization('bob')::text,
  'bob''s lead'
);

select * from finish();
rollback;
