begin;
select plan(2);

select act_as('alice');
select is((api.create_lead('{"email": "ada@example.com"}', 'a-key')).status, 201, 'alice''s lead');
select act_as('bob');
select is(
  (api.create_lead('{"email": "ada@example.com"}', 'a-key')).body::json ->> 'organization_id',
  organization('bob')::text, 'bob''s request creates bob''s lead'
);

select * from finish();
rollback;
