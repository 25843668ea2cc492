begin;
select plan(4);

create table test.wait (lock_timeout text);
create function test.tg_keep_wait()
returns trigger
language plpgsql
as $$
begin
  insert into test.wait values (current_setting('lock_timeout'));
  return new;
end
$$;
create trigger keep_wait before insert on app.idempotency_key for each row execute function test.tg_keep_wait();

select is(
  app.claim_idempotency_key(organization('alice'), 'a', 1234, 'request'), null,
  'wait is the lock_timeout of the claim'
);
select is(app.claim_idempotency_key(organization('alice'), 'b', 0, 'request'), null, '0 does not mean no limit');
select is(app.claim_idempotency_key(organization('alice'), 'c', -5, 'request'), null, 'a negative wait');
select is(
  (select array_agg(w.lock_timeout) from test.wait as w), array['1234ms', '1ms', '1ms'], 'the minimum is 1 ms'
);

select * from finish();
rollback;
