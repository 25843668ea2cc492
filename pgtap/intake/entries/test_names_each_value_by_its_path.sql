begin;
select plan(2);

select results_eq(
  $$
    select e.path, e.value::text
    from intake.entries('{"body": {"a": {"b": [1, "x", true], "c": [{"d": 2}, [3]]}, "e": null, "f": false, "g": {}, "h.i": "y"}}') as e
    order by e.path collate "C"
  $$,
  $$values ('a.b', '"1, x, true"'), ('a.c.0.d', '2'), ('a.c.1', '"3"'), ('f', 'false'), ('h.i', '"y"')$$,
  'a JSON object'
);
select results_eq(
  $$
    select e.path, e.value::text
    from intake.entries('{"fields": [
      {"name": "a[b][c]", "value": "1"}, {"name": "d[]", "value": "2"}, {"name": "d[]", "value": "3"}, {"name": "e", "file": "x"}
    ]}') as e
    order by e.path collate "C"
  $$,
  $$values ('a.b.c', '"1"'), ('d', '"2, 3"')$$,
  'a form'
);

select * from finish();
rollback;
