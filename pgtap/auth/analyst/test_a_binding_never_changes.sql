begin;
select plan(2);

select make_analyst('ana');
select act_as('dba');
select throws_ok(
  $$update auth.analyst set organization_id = organization('bob')$$, null, null, 'not to another organization'
);
select throws_ok('truncate auth.analyst', null, null, 'nor do all of them go without a trace');

select * from finish();
rollback;
