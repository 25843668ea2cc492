begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'webhook', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada', 'ada@example.com')).verdict;
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unclear', message => 'A redirect.'), 'failed', 'the push ends');
select is((sync('Ada')).error_code, 'outcome_unknown', 'for an operator to decide');
select ok((select a.outcome is null and a.sent_at is not null from crm.attempt as a), 'the attempt stays open');
select is(
  crm.copies(acme(), lead('ada@example.com')) -> 0 -> 'may_have_made' -> 0 ->> 'email', 'ada@example.com',
  'an erasure names what the receiver may have'
);

select * from finish();
rollback;
