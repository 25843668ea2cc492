begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

create function test.refused(vendor text)
returns text
language plpgsql
volatile
as $$
begin
  delete from crm.sync;
  perform admin.connect_crm(acme(), refused.vendor, 'an account', '{}', '\x00', 'k');
  perform crm.request_push(acme(), lead('ada@example.com'), true);
  perform leased();
  perform crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada');
  perform crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unknown');
  update crm.attempt set sent_at = now() - interval '1 minute';
  update crm.sync set run_at = now() - interval '1 second';
  perform leased();
  perform crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'refused', http_status => 400, message => 'No.');
  return (select concat_ws(' ', s.status, s.error_code, s.error, s.attempts) from crm.sync as s);
end
$$;
insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
select is(refused('hubspot'), 'failed outcome_unknown No. 2', 'a refused search leaves the outcome unknown');
select is((select a.outcome from crm.attempt as a where a.number = 1), null, 'the first attempt stays open');
select is((select a.outcome from crm.attempt as a where a.number = 2), 'refused', 'the second does not');
select is(refused('webhook'), 'failed rejected No. 2', 'a vendor that drops repeats has rejected the lead');

delete from crm.sync;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict;
select crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'refused');
select is((sync('Ada')).error_code, 'rejected', 'if the call that creates the record is refused, the lead is rejected');

select * from finish();
rollback;
