begin;
select plan(13);

-- Acme is live, and has a connection; the dba does what a worker does.
create function test.acme()
returns uuid
language sql
stable
security definer
begin atomic
  select o.organization_id from app.organization as o where o.name = 'Acme';
end;
create function test.sync(name text)
returns crm.sync
language sql
stable
security definer
begin atomic
  select s
  from crm.sync as s
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where l.name = sync.name;
end;
create function test.leased(batch integer default 64)
returns text[]
language sql
volatile
begin atomic
  select array(
    select j.contact ->> 'name'
    from crm.lease_syncs('{k}', leased.batch) as j
    order by j.contact ->> 'name' collate "C"
  );
end;
select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select is(leased(), '{Ada}', 'one worker takes it');
update crm.sync set run_at = now() - interval '1 second';
select is(leased(), '{Ada}', 'and, as its lease ends, another');
select is((sync('Ada')).attempts, 2, 'with a higher number');
create table test.before as select (sync('Ada')).*;

select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'the first may call no more');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), null, 'nor say what came of it');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unauthorized'), null, 'nor that the credential is no good');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 3, 'created', '7'), null, 'nor does who guesses');
select results_eq($$select (sync('Ada')).*$$, 'select * from test.before', 'the push is as it was');
select is_empty(
  'select * from crm.attempt as a where (a.sent_at, a.outcome) is distinct from (null, null)', 'and so are its attempts'
);
select is_empty($$select * from crm.connection as c where c.state <> 'active'$$, 'and the connection');

select is((crm.begin_call(acme(), (sync('Ada')).id, 2, 'Ada')).verdict, 'go', 'the second may call');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '7'), 'ok', 'and tells');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '8'), null, 'once');

select * from finish();
rollback;
