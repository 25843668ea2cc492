begin;
select plan(2);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'jobnimbus', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select is_empty(
  $$
    select n
    from generate_series(1, 300) as n
    where (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict <> 'go'
  $$,
  'every call is permitted'
);
select is((select c.paced_until from crm.connection as c), null, 'the connection is not updated');

select * from finish();
rollback;
