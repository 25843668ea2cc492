begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select throws_ok('update crm.sync set ' || c.change, 'PT409', 'refused', c.change)
from (values
  ('external_id = ''8'''),
  ('status = ''pending'', run_at = now(), external_id = null, last_synced_at = null'),
  ('status = ''failed'', error_code = ''gave_up'', external_id = null, last_synced_at = null'),
  ('status = ''in_progress'', run_at = now(), attempts = 2, external_id = null, last_synced_at = null')
) as c (change);
select matches(
  hint($$update crm.sync set external_id = '8'$$), 'A sync that is ok keeps its record', 'the hint says why'
);
select lives_ok('update crm.sync set last_synced_at = now()', 'the time can change');

alter table crm.sync disable trigger _120_keep_outcome;
select lives_ok($$update crm.sync set external_id = '8'$$, 'without the trigger it can be changed');
alter table crm.sync enable trigger _120_keep_outcome;
delete from app.lead;
select is_empty('select s.id from crm.sync as s', 'it is deleted with its lead');

select * from finish();
rollback;
