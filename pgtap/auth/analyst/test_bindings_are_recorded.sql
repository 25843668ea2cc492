begin;
select plan(1);

select make_analyst('ana');
select act_as('migrator');
select admin.revoke_analyst(login('ana'));

select act_as('dba');
select results_eq(
  $$
    select e.action, e.source
    from audit.event as e
    where e.organization_id = organization('alice') and e.action like 'analyst.%'
    order by e.created_at, e.id
  $$,
  $$values ('analyst.created', 'system'), ('analyst.deleted', 'system')$$,
  'the creation and the deletion'
);

select * from finish();
rollback;
