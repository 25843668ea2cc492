begin;
select plan(11);

-- A function that leads_jobs owns, as those that the operator and the worker may execute.
create function admin.forge() returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.load_events(
    (select k.organization_id from test.key as k limit 1),
    '[{"at": "2020-05-01T00:00:00Z", "action": "lead.created", "about": "\"forged\":true"}]'
  );
end $$;
grant create on schema admin to leads_jobs;
alter function admin.forge() owner to leads_jobs;
grant execute on function admin.forge() to public;
grant usage on schema admin to public;
create function test.forged() returns bigint language sql security definer
as $$select count(*) from audit.event as e where e.payload ->> 'forged' is not null$$;

select make_analyst('ana');
select act_as('alice', 'admin');
select throws_ok('select audit.load_events(null, null)', '42501', null, 'the API server''s login can''t execute it');
select throws_ok('select admin.forge()', '42501', null, 'not within a function either');
select act_as('ana');
select throws_ok('select audit.load_events(null, null)', '42501', null, 'an analyst can''t execute it');
select throws_ok('select admin.forge()', '42501', null, 'not within a function either');
select act_as('operator');
select throws_ok('select audit.load_events(null, null)', '42501', null, 'the operator can''t execute it');
select throws_ok('select admin.forge()', '42501', null, 'not within a function either');
select act_as('dba');
set local session authorization leads_worker;
select throws_ok('select audit.load_events(null, null)', '42501', null, 'the worker can''t execute it');
select throws_ok('select admin.forge()', '42501', null, 'not within a function either');
select act_as('dba');
select throws_ok('select admin.forge()', '42501', null, 'nor can a superuser by mistake');
select is(forged(), 0::bigint, 'no event was written');
select act_as('migrator');
select admin.forge();
select act_as('dba');
select results_eq(
  $$
    select e.source, e.payload ->> 'role', e.created_at, sha256(e.salt || convert_to(e.payload::text, 'UTF8')) = e.payload_digest
    from audit.event as e
    where e.payload ->> 'forged' is not null
  $$,
  $$values ('system', 'leads_migrator', '2020-05-01 00:00Z'::timestamptz, true)$$,
  'the migrating login chooses the time, and not the actor'
);

select * from finish();
rollback;
