begin;
select plan(3);

select act_as('operator');
select set_config('test.live', admin.create_organization('Live', 'live')::text, true);
select act_as('alice');
select made_lead('{"email": "real@example.com"}');
select act_as('migrator');
select throws_ok(
  $$select admin.load_history(current_setting('test.live')::uuid, '{}')$$, 'PT409', 'refused', 'a live organization'
);
select throws_ok(
  $$select admin.load_history(organization('alice'), '{}')$$, 'PT409', 'refused', 'an organization that has a lead'
);
select throws_ok(
  $$select admin.load_history('00000000-0000-7000-8000-000000000000', '{}')$$, 'PT404', 'organization_not_found',
  'an organization that does not exist'
);

select * from finish();
rollback;
