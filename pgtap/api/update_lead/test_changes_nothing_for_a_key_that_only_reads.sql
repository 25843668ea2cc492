begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select act_as('alice', 'read');
select is(api.update_lead(lead('ada@example.com'), '{"name": "x"}'), null, 'the lead isn''t found');
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'name', 'Ada', 'the name is unchanged');

select * from finish();
rollback;
