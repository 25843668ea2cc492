begin;
select plan(4);

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');

select act_as('alice');
select is(api.get_lead(lead('bob@example.com')), null, 'another organization''s lead');
select is(api.get_lead('00000000-0000-7000-8000-000000000000'), null, 'an unknown id');

select act_as('stranger');
select is(api.get_lead(lead('bob@example.com')), null, 'without a key');

select act_as('bob');
select is((api.get_lead(lead('bob@example.com'))).status, 200, 'the lead''s own organization');

select * from finish();
rollback;
