begin;
select plan(10);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}', push_stage => 'won');
create view test.pushed as
select l.email, s.status
from crm.sync as s
join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id;

select act_as('alice');
select made_lead('{"email": "first@example.com", "pipeline_stage": "won"}');
select made_lead('{"email": "qualified@example.com", "pipeline_stage": "qualified"}');
select made_lead('{"email": "later@example.com"}');
select act_as('bob');
select made_lead('{"email": "bob@example.com", "pipeline_stage": "won"}');
select act_as('dba');
select results_eq(
  'select p.email, p.status from test.pushed as p', $$values ('first@example.com', 'pending')$$,
  'a lead that is created in push_stage is pushed'
);

select act_as('alice');
select api.update_lead(lead('later@example.com'), '{"pipeline_stage": "qualified"}');
select act_as('dba');
select is((select count(*) from test.pushed), 1::bigint, 'not in another stage');
select act_as('alice');
select api.update_lead(lead('later@example.com'), '{"pipeline_stage": "won"}');
select act_as('dba');
select is(
  (select p.status from test.pushed as p where p.email = 'later@example.com'), 'pending', 'a lead that is moved to the stage is pushed'
);

insert into app.lead (organization_id, email, pipeline_stage) values (organization('alice'), 'typed@example.com', 'won');
select is(
  (select p.status from test.pushed as p where p.email = 'typed@example.com'), 'pending', 'so is a lead that is inserted in SQL'
);
update app.lead set pipeline_stage = 'won' where email = 'qualified@example.com';
select is(
  (select p.status from test.pushed as p where p.email = 'qualified@example.com'), 'pending', 'so is a lead that is moved in SQL'
);
select is((select count(*) from test.pushed), 4::bigint, 'no other lead, and no lead twice');

update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null;
update app.lead set name = 'Ada' where email = 'typed@example.com';
update app.lead set pipeline_stage = 'won' where email = 'typed@example.com';
select is_empty('select * from test.pushed as p where p.status <> ''failed''', 'a lead that stays in the stage is not pushed again');
update app.lead set pipeline_stage = 'lost' where email = 'typed@example.com';
select is_empty('select * from test.pushed as p where p.status <> ''failed''', 'nor is a lead that leaves it');
update app.lead set pipeline_stage = 'won' where email = 'typed@example.com';
select results_eq(
  'select p.email from test.pushed as p where p.status = ''pending''', array['typed@example.com'],
  'a lead that comes back is pushed'
);
select is((select count(*) from test.pushed), 4::bigint, 'with its existing push');

select * from finish();
rollback;
