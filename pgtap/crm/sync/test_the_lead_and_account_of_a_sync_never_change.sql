begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
insert into app.lead (organization_id, email, name) values (acme(), 'eve@example.com', 'Eve');
select throws_ok('update crm.sync set ' || c.change, 'PT409', 'refused', c.change)
from (values
  ('id = app.new_id()'), ('lead_id = lead(''eve@example.com'')'), ('vendor = ''webhook'''), ('account = ''another'''),
  ('organization_id = organization(''bob'')')
) as c (change);
alter table crm.sync disable trigger _110_keep_identity;
select lives_ok('update crm.sync set account = ''another''', 'without the trigger they can change');
select throws_ok(
  format(
    $$insert into crm.sync (organization_id, lead_id, vendor, account, run_at) values (%L, %L, 'hubspot', 'another', now())$$,
    acme(), lead('ada@example.com')
  ),
  '23505', null, 'a lead has one sync for each account'
);
select throws_ok(
  format(
    $$insert into crm.sync (organization_id, lead_id, vendor, account, run_at) values (%L, %L, 'hubspot', 'a', now())$$,
    organization('bob'), lead('ada@example.com')
  ),
  '23503', null, 'a sync belongs to the organization of its lead'
);

select * from finish();
rollback;
