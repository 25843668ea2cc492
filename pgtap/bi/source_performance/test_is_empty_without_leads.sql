begin;
select plan(2);

select act_as('bob');
select made_lead('{"email": "bea@example.com"}');
select make_analyst('ana');
select make_analyst('ben');

select act_as('ben');
select isnt_empty('select from bi.source_performance', 'bob has a lead');
select act_as('ana');
select is_empty('select from bi.source_performance', 'alice has no lead, and no row divides by zero');

select * from finish();
rollback;
