begin;
select plan(7);

-- Each view lists errors that need a row in api.problem and don't have one.
create view test.words_without_a_problem as
select distinct m.word as finding
from pg_proc as p
cross join regexp_matches(p.prosrc, 'message = ''([a-z_]+)''|raise_faults\(\s*\d+,\s*''([a-z_]+)''', 'g') as r (found)
cross join lateral (select coalesce(r.found[1], r.found[2]) as word) as m
where
  p.pronamespace in ('api'::regnamespace, 'auth'::regnamespace)
  or (p.pronamespace = 'app'::regnamespace and p.prorettype <> 'trigger'::regtype)
except
select p.raised_by from api.problem as p;
create view test.constraints_without_a_problem as
select c.conname::text as finding
from pg_constraint as c
where (c.conrelid = 'app.lead'::regclass and c.contype in ('c', 'f'))
  or c.contypid in (select t.oid from pg_type as t where t.typnamespace = 'api'::regnamespace)
except
select p.raised_by from api.problems() as p;
create view test.routes_with_an_unknown_problem as
select format('%s: %s', o.function, u.code) as finding
from api.operation as o
cross join unnest(o.problems) as u (code)
where u.code not in (select p.code from api.problem as p);

select cmp_ok(
  (select count(*) from regexp_matches(
    (
      select string_agg(p.prosrc, ' ')
      from pg_proc as p
      where p.pronamespace in ('api'::regnamespace, 'auth'::regnamespace)
    ),
    'message = ''([a-z_]+)''|raise_faults\(\s*\d+,\s*''([a-z_]+)''', 'g'
  )), '>', 4::bigint, 'the pattern finds the words'
);
select is_kept('test.words_without_a_problem');
select is_reported(
  'test.words_without_a_problem', $$delete from api.problem where raised_by = 'precondition_failed'$$,
  'precondition_failed'
);
select is_kept('test.constraints_without_a_problem');
select is_reported(
  'test.constraints_without_a_problem', 'alter table app.lead add constraint lead_is_good check (true)', 'lead_is_good'
);
select is_kept('test.routes_with_an_unknown_problem');
select is_reported(
  'test.routes_with_an_unknown_problem',
  $$call api.document('api.x', tag => 'Leads', problems => '{no_such_word}')$$,
  'api.x: no_such_word'
);

select * from finish();
rollback;
