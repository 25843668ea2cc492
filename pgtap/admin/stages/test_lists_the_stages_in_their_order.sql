begin;
select plan(1);

select act_as('dba');
update app.pipeline_stage set position = 9 where organization_id = organization('alice') and name = 'new';
select act_as('operator');
select results_eq(
  $$select s.position, s.name from admin.stages(organization('alice')) as s$$,
  $$values (2, 'contacted'), (3, 'qualified'), (4, 'proposal'), (5, 'won'), (6, 'lost'), (9, 'new')$$,
  'by position'
);

select * from finish();
rollback;
