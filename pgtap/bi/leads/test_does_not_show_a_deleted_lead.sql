begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana');
select act_as('ana');
select isnt_empty('select from bi.leads', 'the lead before it is deleted');

select act_as('dba');
delete from app.lead where email = 'ada@example.com';
select act_as('ana');
select is_empty('select from bi.leads', 'and there it isn''t');

select * from finish();
rollback;
