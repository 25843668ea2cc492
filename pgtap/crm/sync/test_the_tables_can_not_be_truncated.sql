begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select throws_ok('truncate ' || t, 'PT409', 'refused', t)
from unnest('{crm.attempt,crm.connection}'::text[]) as t;
select throws_ok('truncate crm.sync cascade', 'PT409', 'refused', 'crm.sync');
alter table crm.attempt disable trigger _100_refuse_truncate;
select lives_ok('truncate crm.attempt', 'without the trigger it can be truncated');

select * from finish();
rollback;
