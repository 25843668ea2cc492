begin;
select plan(16);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values
  (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified'),
  (acme(), 'liz@example.com', 'Liz', 'qualified');
select leased()::text;

create table test.call (verdict text, wait_seconds double precision);
do $$
declare
  v_call record;
begin
  for n in 1..9 loop
    begin
      update crm.connection set blocked_until = clock_timestamp() + interval '1.9 seconds';
      v_call := crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada');
      if v_call.verdict <> 'go' then
        insert into test.call values (v_call.verdict, v_call.wait_seconds);
        exit;
      end if;
      -- On a busy machine, the time may have passed before the call, which is rolled back.
      raise exception 'too late';
    exception when raise_exception then
      null;
    end;
  end loop;
end
$$;
select is((select c.verdict from test.call as c), 'wait', 'a short wait');
select ok((select c.wait_seconds between 0.001 and 1.9 from test.call as c), 'the seconds to wait');
select is((sync('Ada')).status, 'in_progress', 'keeps the lease');
select is((select a.sent_at from crm.attempt as a where a.sync_id = (sync('Ada')).id), null, 'nothing is sent');

update crm.connection set blocked_until = clock_timestamp() + interval '1 minute';
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'a long wait');
select is((sync('Ada')).status, 'pending', 'returns the lease');
select is((sync('Ada')).run_at, (select c.blocked_until from crm.connection as c), 'until the end of the wait');
select results_eq(
  $$select a.outcome, a.sent_at from crm.attempt as a where a.sync_id = (sync('Ada')).id$$,
  $$values ('not_made', null::timestamptz)$$, 'the attempt created nothing'
);
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'the attempt can make no more calls');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), null, 'or report an outcome');

update crm.connection set blocked_until = null;
select admin.change_crm_connection(acme(), 'pause');
select is((crm.begin_call(acme(), (sync('Eve')).id, 1, 'Eve')).verdict, 'stop', 'a paused connection');
select ok((sync('Eve')).status = 'pending' and (sync('Eve')).run_at <= clock_timestamp(), 'the push waits until the connection is resumed');
select admin.change_crm_connection(acme(), 'resume');
select is(leased(), '{Eve}', 'then it is leased again');

select admin.change_crm_connection(acme(), 'disconnect');
select is((crm.begin_call(acme(), (sync('Liz')).id, 1, 'Liz')).verdict, 'stop', 'a removed connection');
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is((crm.begin_call(acme(), (sync('Eve')).id, 2, 'Eve')).verdict, 'stop', 'a connection to another account');
select is((sync('Liz')).status || (sync('Eve')).status, 'pendingpending', 'both pushes wait');

select * from finish();
rollback;
