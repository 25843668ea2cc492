begin;
select plan(6);

create function test.make_sync(actor text, name text, status text, error_code text)
returns void language plpgsql
as $$
begin
  insert into app.lead (organization_id, email) values (organization(actor), name || '@example.com');
  insert into crm.sync (
    organization_id, lead_id, vendor, account, status, error_code, error, external_id, last_synced_at, run_at, attempts,
    created_at
  )
  values (
    organization(actor), lead(name || '@example.com'), 'hubspot', 'secret account', make_sync.status, make_sync.error_code,
    'secret message', case make_sync.status when 'ok' then 'secret record' end,
    case make_sync.status when 'ok' then '2026-03-01 10:00:05.5Z'::timestamptz end,
    case make_sync.status when 'pending' then now() end, 3, '2026-03-01 10:00Z'
  );
end
$$;
select make_sync('alice', 'good', 'ok', null);
select make_sync('alice', 'bad', 'failed', 'rejected');
select make_sync('alice', 'waiting', 'pending', null);
select make_sync('alice', 'gone', 'ok', null);
delete from app.lead where email = 'gone@example.com';
select make_sync('bob', 'bea', 'ok', null);
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq(
  $$
    select s.lead_id, s.vendor, s.status, s.error_code, s.attempts, s.requested_at, s.pushed_at, s.lag_seconds
    from bi.crm_syncs as s
    order by s.status desc
  $$,
  $$
    values
      (lead('waiting@example.com'), 'hubspot', 'pending', null, 3, '2026-03-01 10:00Z'::timestamptz(3), null::timestamptz(3), null),
      (lead('good@example.com'), 'hubspot', 'ok', null, 3, '2026-03-01 10:00Z', '2026-03-01 10:00:05.5Z', 5.5::float8),
      (lead('bad@example.com'), 'hubspot', 'failed', 'rejected', 3, '2026-03-01 10:00Z', null, null)
  $$,
  'a row for each push, without that of a deleted lead'
);
select is_empty(
  $$select from bi.crm_syncs as s where to_jsonb(s)::text like '%secret%'$$, 'no account, record or message of the CRM'
);
select is_empty(
  $$select from bi.crm_syncs as s where s.lead_id = lead('bea@example.com')$$, 'ana can''t select a push of bob''s lead'
);
select throws_ok('select error from crm.sync', '42501', null, 'nor the message in the table');
select throws_ok('select from crm.connection', '42501', null, 'nor a connection');
select act_as('ben');
select is((select count(*) from bi.crm_syncs), 1::bigint, 'ben sees bob''s push');

select * from finish();
rollback;
