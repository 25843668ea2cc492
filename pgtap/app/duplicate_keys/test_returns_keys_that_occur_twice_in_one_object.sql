begin;
select plan(14);

select is(
  array(select k collate "C" from app.duplicate_keys(c.value::json) as k order by 1), c.expected, c.value
)
from (values
  ('{"a": 1, "b": 2}', '{}'::text[]),
  ('{"a": 1, "a": 1}', '{a}'),
  ('{"a": 1, "b": 2, "a": 3, "b": 4, "a": 5}', '{a,b}'),
  ('{"a": {"b": 1}, "b": {"a": 1}}', '{}'),
  ('{"a": {"b": 1, "b": 2}}', '{b}'),
  ('{"a": [{"b": 1}, {"b": 2, "c": {"d": null, "d": null}}]}', '{d}'),
  ('{"a": [{"b": {"c": {"d": null, "d": null}}}]}', '{}'),
  ('[{"a": 1}, {"a": 2}]', '{}'),
  ('[{"a": 1, "a": 2}]', '{a}'),
  ('{"a": 1, "\u0061": 2}', '{a}'),
  ('{"a": 1, "A": 2}', '{}'),
  ('{"": 1, "": 2}', '{""}'),
  ('"a"', '{}')
) as c (value, expected);

select is(
  (
    select count(*)
    from app.duplicate_keys((select '{' || string_agg(format('"%1$s": 1, "%1$s": 2', n), ',') || '}' from generate_series(1, 200) as n)::json)
  ),
  100::bigint,
  'at most 100 keys'
);

select * from finish();
rollback;
