begin;
select plan(1);

create table test.routes as select r.*::text as line from api.routes() as r;
grant select on test.routes to public;
select act_as('stranger');
set local search_path = api, tap, test;
select is_empty(
  'select r.*::text from api.routes() as r except select t.line from test.routes as t', 'the names of types include the schema'
);

select * from finish();
rollback;
