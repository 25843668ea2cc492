begin;
select plan(2);

select act_as('alice');
select is((api.create_lead('{"email": "ada@example.com"}')).status, 201, 'an email');
select is((api.create_lead('{"name": "Ada", "company": "Acme"}')).status, 201, 'a name and a company');

select * from finish();
rollback;
