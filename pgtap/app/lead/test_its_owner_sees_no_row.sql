begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "alice@example.com"}');
select act_as('dba');
set local role leads_owner;
select is_empty('select l.id from app.lead as l', 'FORCE applies to the owner');
select is_empty('update app.lead set name = $$x$$ returning id', 'also when it writes');

select * from finish();
rollback;
