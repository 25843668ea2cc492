begin;
select plan(2);

select act_as('alice', 'write');
select made_lead('{"email": "ada@example.com"}');
select act_as('alice', 'read');
select is((api.get_lead(lead('ada@example.com'))).status, 200, 'a key with the scope read');
select act_as('alice', 'admin');
select is((api.get_lead(lead('ada@example.com'))).status, 200, 'a key with all scopes');

select * from finish();
rollback;
