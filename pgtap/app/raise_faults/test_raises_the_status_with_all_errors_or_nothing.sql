begin;
select plan(4);

select throws_ok($$select app.raise_faults(422, 'validation_failed', '[]')$$, 'PT422', 'validation_failed');
select throws_ok($$select app.raise_faults(400, 'invalid_body', '[]')$$, 'PT400', 'invalid_body');
select lives_ok($$select app.raise_faults(422, 'validation_failed', null)$$, 'without errors it raises nothing');
select is(
  faults($$select app.raise_faults(422, 'x', '[{"field": "b", "code": "d"}, {"field": "a", "code": "c"}]')$$),
  array['a c', 'b d'],
  'the errors are in the detail'
);

select * from finish();
rollback;
