begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from generate_series(1, 8) as n;
create function test.blocked(name text, http_status integer, retry_after numeric)
returns numeric
language plpgsql
volatile
as $$
begin
  perform crm.settle_attempt(
    acme(), (sync(blocked.name)).id, 1, 'not_made', http_status => blocked.http_status, retry_after => blocked.retry_after
  );
  return (select round(4 * extract(epoch from c.blocked_until - clock_timestamp())) / 4 from crm.connection as c);
end
$$;
select leased()::text;
select is(blocked('1', 503, null), null, 'no Retry-After');
select ok(blocked('2', 429, null) between 0.25 and 1, 'a 429 without Retry-After');
select is(blocked('3', 429, 30), 30::numeric, 'as long as Retry-After says');
select is(blocked('4', 429, 10), 30::numeric, 'never shorter than before');
select is(leased(), '{}', 'no push of the connection is leased');
select is(blocked('5', 503, 100000), 86400::numeric, 'at most a day');
update crm.connection set blocked_until = null;
select cmp_ok(blocked('6', 429, -5), '<=', 0::numeric, 'a time in the past');
update crm.connection set blocked_until = null;
select is(blocked('7', 503, 0.5), 0.5, 'half a second');
update crm.connection set account = 'another account', blocked_until = null;
select is(blocked('8', 429, 30), null, 'another account is not blocked');

select * from finish();
rollback;
