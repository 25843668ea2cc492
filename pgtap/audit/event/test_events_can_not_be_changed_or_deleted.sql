begin;
select plan(15);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select act_as('dba');
grant select, insert, update, delete, truncate on audit.event to leads_owner, leads_exec, leads_jobs;

create table test.attempt (statement text);
insert into test.attempt
values
  ('update audit.event set action = ''x'''),
  ('delete from audit.event'),
  ('truncate audit.event');
grant select on test.attempt to public;

select throws_ok(a.statement, 'PT409', 'refused', 'the superuser: ' || a.statement) from test.attempt as a;
set local session_replication_role = replica;
select throws_ok(a.statement, 'PT409', 'refused', 'as a replica: ' || a.statement) from test.attempt as a;
set local session_replication_role = origin;
select throws_ok(
  $$
    insert into audit.event (id, organization_id, action, source, payload, payload_digest, created_at)
    select e.id, e.organization_id, 'x', 'sql', '{}', sha256(''), e.created_at from audit.event as e
    on conflict (organization_id, id, created_at) do update set action = excluded.action
  $$,
  'PT409', 'refused', 'INSERT ... ON CONFLICT DO UPDATE'
);
select throws_ok(
  'merge into audit.event as e using (select 1) as o on true when matched then delete', 'PT409', 'refused', 'MERGE'
);
select throws_ok('truncate app.organization cascade', 'PT409', 'refused', 'TRUNCATE ... CASCADE of another table');

set local role leads_owner;
select throws_ok(a.statement, 'PT409', 'refused', 'the owner, who sees no row: ' || a.statement) from test.attempt as a;
set local role leads_exec;
select throws_ok(a.statement, 'PT409', 'refused', 'another, if it were granted: ' || a.statement)
from test.attempt as a
where a.statement like 'u%';
set local role leads_jobs;
select throws_ok(a.statement, 'PT409', 'refused', 'another, if it were granted: ' || a.statement)
from test.attempt as a
where a.statement like 'd%';
reset role;
select is((select count(*) from audit.event as e where e.lead_id is not null), 1::bigint, 'the event is unchanged');

select * from finish();
rollback;
