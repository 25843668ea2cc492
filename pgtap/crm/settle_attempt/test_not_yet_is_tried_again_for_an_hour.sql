begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'webhook', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
create function test.settled(http_status integer)
returns text
language plpgsql
volatile
as $$
begin
  update crm.sync set run_at = now() - interval '1 second' where status = 'pending';
  perform leased();
  return (
    select crm.settle_attempt(acme(), s.id, s.attempts, 'not_yet', http_status => settled.http_status) from sync('Ada') as s
  );
end
$$;
select is(settled(404), 'pending', 'the first 404');
select is((select a.outcome from crm.attempt as a), 'not_made', 'no record was made');
update crm.attempt set created_at = now() - interval '59 minutes';
select is(settled(404), 'pending', 'after 59 minutes');
update crm.attempt set created_at = created_at - interval '2 minutes' where number = 1;
select is(settled(400), 'pending', 'another status has its own hour');
select is(settled(404), 'failed', 'after an hour');
select is((sync('Ada')).error_code, 'rejected', 'as a refusal');

select admin.retry_crm(acme())::text;
select is(settled(404), 'pending', 'a retry begins a new hour');

select * from finish();
rollback;
