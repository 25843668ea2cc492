begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from generate_series(1, 8) as n;
-- For how many seconds the connection is blocked from the time of the call on. The clock is read before and after it.
create function test.blocked(name text, http_status integer, retry_after numeric)
returns numrange
language plpgsql
volatile
as $$
declare
  v_before timestamptz := date_trunc('milliseconds', clock_timestamp());
begin
  perform crm.settle_attempt(
    acme(), (sync(blocked.name)).id, 1, 'not_made', http_status => blocked.http_status, retry_after => blocked.retry_after
  );
  return (
    select
      numrange(
        extract(epoch from c.blocked_until - clock_timestamp())::numeric, extract(epoch from c.blocked_until - v_before)::numeric,
        '[]'
      )
    from crm.connection as c
    where c.blocked_until is not null
  );
end
$$;
select leased()::text;
select is(blocked('1', 503, null), null, 'no Retry-After');
select ok(blocked('2', 429, null) && '[0.25,1]', 'a 429 without Retry-After');
select ok(blocked('3', 429, 30) @> 30.0, 'as long as Retry-After says');
create table test.blocked_until as select c.blocked_until from crm.connection as c;
select blocked('4', 429, 10)::text;
select is(
  (select c.blocked_until from crm.connection as c), (select t.blocked_until from test.blocked_until as t), 'never shorter than before'
);
select is(leased(), '{}', 'no push of the connection is leased');
select ok(blocked('5', 503, 100000) @> 86400.0, 'at most a day');
update crm.connection set blocked_until = null;
select ok(blocked('6', 429, -5) @> 0.0, 'a time in the past');
update crm.connection set blocked_until = null;
select ok(blocked('7', 503, 0.5) @> 0.5, 'half a second');
update crm.connection set account = 'another account', blocked_until = null;
select is(blocked('8', 429, 30), null, 'another account is not blocked');

select * from finish();
rollback;
