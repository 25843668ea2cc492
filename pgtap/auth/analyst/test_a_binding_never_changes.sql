begin;
select plan(2);

select make_analyst('ana');
select act_as('dba');
select throws_ok(
  $$update auth.analyst set organization_id = organization('bob')$$, null, null, 'the organization can''t be changed'
);
select throws_ok('truncate auth.analyst', null, null, 'TRUNCATE is refused');

select * from finish();
rollback;
