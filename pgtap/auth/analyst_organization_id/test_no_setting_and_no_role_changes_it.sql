begin;
select plan(4);

select act_as('bob');
select make_analyst('ana');
select act_as('ana');
select set_config('leads.key_digest', claim('bob'), true);
select is(bound_organization(), organization('alice'), 'a claim of bob''s key doesn''t change it');
select is_empty(
  $$select from bi.leads as l where l.organization_id <> organization('alice')$$, 'none of bob''s leads is visible'
);
select throws_ok(
  format('set local role %I', r.name), '42501', format('permission denied to set role "%s"', r.name), r.name
)
from (values ('leads_owner'), ('leads_exec')) as r (name);

select * from finish();
rollback;
