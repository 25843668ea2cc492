begin;
select plan(2);

select act_as('alice');
select is((api.create_lead('{"email": "ada@example.com"}', 'a-key')).status, 201, 'alice''s');
select act_as('bob');
select is(
  (api.create_lead('{"email": "ada@example.com"}', 'a-key')).body::json ->> 'organization_id',
  organization('bob')::text, 'bob''s is his own'
);

select * from finish();
rollback;
