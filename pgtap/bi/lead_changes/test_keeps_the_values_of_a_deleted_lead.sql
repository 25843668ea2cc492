begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana');
select act_as('dba');
delete from app.lead where email = 'ada@example.com';

select act_as('ana');
select results_eq(
  $$select c.old_value, c.new_value, c.changed_via, c.role from bi.lead_changes as c where c.action = 'lead.deleted' and c.field = 'email'$$,
  $$values ('ada@example.com', null::text, 'sql', 'postgres')$$,
  'the e-mail address and the author of the deletion'
);

select * from finish();
rollback;
