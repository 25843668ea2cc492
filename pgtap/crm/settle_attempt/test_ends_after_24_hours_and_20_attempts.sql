begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
create function test.ended(tries integer, age interval, is_sent boolean default false, vendor text default 'hubspot')
returns text
language plpgsql
volatile
as $$
declare
  v_answer text;
begin
  delete from crm.sync;
  perform admin.connect_crm(acme(), ended.vendor, 'an account', '{}', '\x00', 'k');
  perform crm.request_push(acme(), lead('ada@example.com'), true);
  update crm.sync set attempts = 5 + ended.tries - 1, begun_after = 5;
  perform leased();
  if ended.is_sent then
    perform crm.begin_call(acme(), (sync('Ada')).id, 5 + ended.tries, 'Ada');
  end if;
  update crm.sync set begun_at = clock_timestamp() - ended.age;
  v_answer := crm.settle_attempt(
    acme(), (sync('Ada')).id, 5 + ended.tries, case when ended.is_sent then 'unknown' else 'not_made' end,
    message => 'Bad gateway.'
  );
  return (select concat_ws(' ', v_answer, s.status, s.error_code, s.error) from crm.sync as s);
end
$$;
select is(ended(19, '25 hours'), 'pending pending Bad gateway.', '19 attempts in 25 hours');
select is(ended(20, '23 hours 59 minutes'), 'pending pending Bad gateway.', '20 attempts in less than 24 hours');
select is(ended(20, '24 hours 1 second'), 'failed failed gave_up Bad gateway.', '20 attempts in 24 hours');
select is(ended(500, '3 days'), 'failed failed gave_up Bad gateway.', 'many attempts in 3 days');
select is(ended(20, '24 hours 1 second', true), 'failed failed outcome_unknown Bad gateway.', 'if a record may exist, the outcome is unknown');
select is(
  ended(20, '24 hours 1 second', true, 'webhook'), 'failed failed gave_up Bad gateway.', 'unless the vendor drops repeats'
);
select is((sync('Ada')).run_at, null, 'the push is not due');
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select is((select s.attempts - s.begun_after from crm.sync as s), 0, 'a request starts a new series of attempts');

select * from finish();
rollback;
