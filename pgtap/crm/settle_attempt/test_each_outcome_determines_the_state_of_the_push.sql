begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), o || '@example.com', o, 'qualified'
from unnest('{created,linked,refused,not_made,unknown,undecided,unauthorized,simulated}'::text[]) as o;
select leased()::text;
select (crm.begin_call(acme(), s.id, 1, 'A name')).verdict from crm.sync as s;
create table test.settled as
select
  o.outcome,
  crm.settle_attempt(
    acme(), (sync(o.outcome)).id, 1, o.outcome,
    case when o.outcome in ('created', 'linked', 'simulated') then 'the record' end, 201, '  Its words. '
  ) as status
from unnest('{created,linked,refused,not_made,unknown,undecided,unauthorized,simulated}'::text[]) as o (outcome);

select set_eq(
  $$
    select t.outcome, t.status as answer, s.status, s.external_id, s.error_code, s.error, a.outcome as kept
    from test.settled as t
    join app.lead as l on l.name = t.outcome
    join crm.sync as s on s.lead_id = l.id
    join crm.attempt as a on a.sync_id = s.id
  $$,
  $$
    values
      ('created', 'ok', 'ok', 'the record', null, null, 'created'),
      ('linked', 'ok', 'ok', 'the record', null, null, 'linked'),
      ('simulated', 'ok', 'ok', 'the record', null, null, 'simulated'),
      ('refused', 'failed', 'failed', null, 'rejected', 'Its words.', 'refused'),
      ('unauthorized', 'failed', 'failed', null, 'rejected', 'Its words.', 'refused'),
      ('undecided', 'failed', 'failed', null, 'outcome_unknown', 'Its words.', 'not_made'),
      ('not_made', 'pending', 'pending', null, null, 'Its words.', 'not_made'),
      ('unknown', 'pending', 'pending', null, null, 'Its words.', null)
  $$,
  'the state after each outcome'
);
select is_empty(
  $$select * from crm.attempt as a where (a.http_status, a.message) is distinct from (201, 'Its words.')$$,
  'every attempt stores the answer'
);
select is_empty(
  $$
    select * from crm.sync as s
    where s.status = 'ok' and s.last_synced_at not between date_trunc('milliseconds', now()) and clock_timestamp()
  $$,
  'a push that is ok has its time'
);
select throws_ok(
  $$select crm.settle_attempt(acme(), (sync('unknown')).id, 1, 'fine')$$, 'PT422', 'unknown_outcome', 'an unknown outcome'
);
select throws_ok(
  $$select crm.settle_attempt(acme(), (sync('unknown')).id, 1, 'pending')$$, 'PT422', 'unknown_outcome', 'a status is not an outcome'
);

select * from finish();
rollback;
