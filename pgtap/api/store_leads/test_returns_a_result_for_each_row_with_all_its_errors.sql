begin;
select plan(8);

select act_as('alice');
select keep('answer', api.store_leads(
  $$[
    {"email": "ada@example.com", "reference": "1"},
    {"email": "ada", "lead_score": 101},
    {"email": "bea@example.com", "colour": "red"},
    {"name": "Carl"},
    5,
    {"email": "dan@example.com", "email": "dan2@example.com"},
    {"email": "eve@example.com", "name": "\u0000"},
    {"email": "fay@example.com", "lead_score": 1e200000},
    {"email": "gus@example.com", "details": {"roof_age": 12}}
  ]$$,
  'application/json'
));
select is((kept('answer')).status, 200, 'the status');
select is(
  (select json_object_agg(m.key, m.value)::jsonb from json_each((kept('answer')).body::json) as m where m.key <> 'results'),
  '{"is_stored": true, "created": 2, "updated": 0, "skipped": 0, "failed": 7, "not_stored": 0}',
  'the numbers'
);
select results_eq(
  $$
    select r.row, r.status, (select string_agg(e.field || ' ' || e.code, ', ') from json_to_recordset(r.errors) as e (field text, code text))
    from json_to_recordset((kept('answer')).body::json -> 'results') as r (row integer, status text, errors json)
  $$,
  $$
    values
      (1, 'created', null),
      (2, 'failed', 'email invalid_email, lead_score out_of_range'),
      (3, 'failed', 'colour unknown_field'),
      (4, 'failed', 'email contact_required'),
      (5, 'failed', 'row not_an_object'),
      (6, 'failed', 'email duplicate_key'),
      (7, 'failed', 'row nul_character'),
      (8, 'failed', 'row out_of_range'),
      (9, 'created', null)
  $$,
  'a result for each row'
);
select is(
  (kept('answer')).body::json #>> '{results,0,id}', lead('ada@example.com')::text, 'the id of a lead'
);
select is((api.store_leads('[]', 'application/json')).body::json ->> 'created', '0', 'no row');
select is(
  faults($$select api.store_leads('{"email": "x@example.com"}', 'application/json')$$), '{body not_an_array}', 'an object'
);
select throws_ok($$select api.store_leads('[{', 'application/json')$$, '22P02', null, 'no JSON');
select is(
  faults($$select api.store_leads('[' || repeat('1,', 10000) || '1]', 'application/json')$$), '{body too_many}', 'too many rows'
);

select * from finish();
rollback;
