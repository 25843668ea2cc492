begin;
select plan(2);

select act_as('stranger');
select is((select count(*) > 30 from api.problems()), true, 'the API server''s login without a key');
select is(
  (select row(p.status, p.code)::text from api.problems() as p where p.raised_by = 'precondition_failed'),
  '(412,precondition_failed)', 'one of the rows'
);

select * from finish();
rollback;
