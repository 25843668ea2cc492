begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana', clock_timestamp() + interval '500 milliseconds');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'valid before the expiry');
select isnt_empty('select from bi.leads', 'sees her leads before the expiry');

select pg_sleep(0.6);
select is(bound_organization(), null, 'null after the expiry, even in a transaction that began before');
select is_empty('select from bi.leads', 'sees no leads after the expiry');

select * from finish();
rollback;
