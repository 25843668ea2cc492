begin;
select plan(7);

create function api.secret() returns api.answer language sql stable begin atomic select null::api.answer; end;
create function api.number() returns integer language sql stable begin atomic select 5; end;
create function api.twice() returns api.answer language sql stable begin atomic select null::api.answer; end;
create function api.twice(a integer) returns api.answer language sql stable begin atomic select null::api.answer; end;
create function api.good() returns api.answer language sql stable begin atomic select null::api.answer; end;
revoke execute on function api.secret() from public;
insert into api.route (method, path, function)
values
  ('GET', '/1', 'api.missing'), ('GET', '/2', 'api.secret'), ('GET', '/3', 'api.number'), ('GET', '/4', 'api.twice'),
  ('GET', '/5', 'good'),
  ('GET', '/6', 'api.good'), ('GET', '/7', 'leads.api.good');

select act_as('stranger');
select is(
  (select row(r.is_read_only, r.arguments)::text from api.routes() as r where r.path = c.path), c.expected, c.why
)
from (values
  ('/1', '(,)', 'a function that doesn''t exist'), ('/2', '(,)', 'a function that the login may not execute'),
  ('/3', '(,)', 'a function that doesn''t return api.answer'), ('/4', '(,)', 'two functions with the same name'),
  ('/5', '(,)', 'a name without its schema'),
  ('/6', '(t,)', 'a valid function'), ('/7', '(,)', 'a name of three parts, for which to_regproc() raises an error')
) as c (path, expected, why);

select * from finish();
rollback;
