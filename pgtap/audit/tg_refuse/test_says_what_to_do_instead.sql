begin;
select plan(2);

select is(
  hint('delete from audit.event'),
  'DELETE on audit.event is refused. The audit log is append-only: write a new event instead.',
  'an event'
);
select is(
  hint('truncate auth.api_key cascade'),
  'TRUNCATE on auth.api_key is refused. Revoke keys instead, which records each change.',
  'keys'
);

select * from finish();
rollback;
