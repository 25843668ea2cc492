begin;
select plan(4);

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');

select act_as('alice');
select is(api.get_lead(lead('bob@example.com')), null, 'another''s');
select is(api.get_lead('00000000-0000-7000-8000-000000000000'), null, 'one that never was');

select act_as('stranger');
select is(api.get_lead(lead('bob@example.com')), null, 'without a key, none');

select act_as('bob');
select is((api.get_lead(lead('bob@example.com'))).status, 200, 'its own organization has it');

select * from finish();
rollback;
