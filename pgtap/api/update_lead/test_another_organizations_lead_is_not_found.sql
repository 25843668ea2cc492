begin;
select plan(5);

select act_as('bob');
select made_lead('{"email": "bob@example.com", "name": "Bob"}');

select act_as('alice');
select is(api.update_lead(lead('bob@example.com'), '{"name": "Alice was here"}'), null, 'another organization''s lead');
select is(api.update_lead('00000000-0000-7000-8000-000000000000', '{"name": "x"}'), null, 'an unknown id');
select is(api.update_lead(lead('bob@example.com'), '{"email": null}', '"0"'), null, 'with other errors in the request');

select act_as('stranger');
select is(api.update_lead(lead('bob@example.com'), '{"name": "x"}'), null, 'without a key');

select act_as('bob');
select is((api.get_lead(lead('bob@example.com'))).body::json ->> 'name', 'Bob', 'the lead is unchanged');

select * from finish();
rollback;
