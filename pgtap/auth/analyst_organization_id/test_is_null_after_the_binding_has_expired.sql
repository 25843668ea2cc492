begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana', clock_timestamp() + interval '500 milliseconds');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'good until then');
select isnt_empty('select from bi.leads', 'and sees her leads');

select pg_sleep(0.6);
select is(bound_organization(), null, 'not from then on, in the transaction that has begun before');
select is_empty('select from bi.leads', 'and sees none');

select * from finish();
rollback;
