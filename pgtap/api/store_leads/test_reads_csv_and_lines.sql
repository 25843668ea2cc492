begin;
select plan(7);

select act_as('alice');
-- The server turns CSV into JSON.
select keep('csv', api.store_leads(
  $$[
    {"name": "Ada", "email": "ada@example.com", "lead_score": "87.0", "details.roof_age": "12", "details.color": null},
    {"name": null, "email": "bea@example.com", "lead_score": "many", "details.roof_age": null, "details.color": null},
    ["Carl"]
  ]$$,
  'text/csv'
));
select results_eq(
  $$
    select r.row, r.status, r.errors #>> '{0,code}'
    from json_to_recordset((kept('csv')).body::json -> 'results') as r (row integer, status text, errors json)
  $$,
  $$values (1, 'created', null), (2, 'failed', 'wrong_type'), (3, 'failed', 'wrong_columns')$$,
  'rows of CSV'
);
select is(
  faults($$select api.store_leads('[{"emial": "x", "details.Roof": "1", "created_at": "2026-01-01", "details": "{}"}]', 'text/csv')$$),
  '{"created_at unknown_column","details unknown_column","details.Roof invalid_name","emial unknown_column"}',
  'unknown columns are reported once'
);
select keep('lines', api.store_leads(
  E'{"email": "dan@example.com"}\r\n\n  \n{"email": \n{"email": "eve@example.com"}', 'application/x-ndjson'
));
select results_eq(
  $$
    select r.row, r.status, r.errors #>> '{0,code}'
    from json_to_recordset((kept('lines')).body::json -> 'results') as r (row integer, status text, errors json)
  $$,
  $$values (1, 'created', null), (2, 'failed', 'invalid_json'), (3, 'created', null)$$,
  'lines'
);
select is(
  faults($$select api.store_leads(repeat(E'\n', 20001), 'application/x-ndjson')$$), '{body too_many}', 'too many lines'
);

select act_as('dba');
select is(
  (select row(l.name, l.lead_score, l.details)::text from app.lead as l where l.email = 'ada@example.com'),
  '(Ada,87,"{""roof_age"": ""12""}")',
  'the lead of a row of CSV'
);
select is((select count(*) from app.lead where email like 'd%' or email like 'e%'), 2::bigint, 'the leads of the lines');
select is(
  app.csv_fields('{"name": null, "lead_score": "7", "details.a": "1", "details.b": null}'),
  '{"lead_score": 7, "details": {"a": "1"}}',
  'the fields of a row of CSV'
);

select * from finish();
rollback;
