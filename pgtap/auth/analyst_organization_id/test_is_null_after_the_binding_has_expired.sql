begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana', now() + interval '1 hour');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'valid before the expiry');
select isnt_empty('select from bi.leads', 'sees her leads before the expiry');

select act_as('dba');
select pg_sleep(0.002); -- times have milliseconds
alter table auth.analyst disable trigger user;
update auth.analyst set expires_at = date_trunc('milliseconds', clock_timestamp());
select cmp_ok((select a.expires_at from auth.analyst as a), '>', now(), 'the transaction began before the expiry');
select act_as('ana');
select is(bound_organization(), null, 'null after the expiry');
select is_empty('select from bi.leads', 'sees no leads after the expiry');

select * from finish();
rollback;
