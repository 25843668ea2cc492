begin;
select plan(4);

update auth.api_key as k
set digest = sha256('exchanged')
from test.key as t
where t.actor = 'alice' and t.scope = 'read' and (k.organization_id, k.id) = (t.organization_id, t.id);

select results_eq(
  $$
    select e.action, e.payload::jsonb -> 'diff' -> 'digest' ->> 'to'
    from audit.event as e
    where e.organization_id = organization('alice') and e.action = 'api_key.updated'
    limit 1
  $$,
  $$ select 'api_key.updated', left(sha256('exchanged')::text, 10) $$,
  'the first octets of its digest'
);
select throws_ok(
  $$ update auth.api_key set organization_id = organization('bob') where organization_id = organization('alice') $$,
  'PT409', 'refused', 'a key'
);
select throws_ok(
  $$ update app.pipeline_stage set organization_id = organization('bob') where organization_id = organization('alice') $$,
  'PT409', 'refused', 'a stage'
);
select throws_ok(
  $$ update app.organization set created_at = '2020-01-01' where organization_id = organization('alice') $$,
  'PT409', 'refused', 'an organization'
);

select * from finish();
rollback;
