begin;
select plan(3);

select act_as('alice');
select keep('answer', api.store_leads(
  (
    select json_agg(r.fields)::text
    from (
      select (select json_object_agg('k' || n, n) from generate_series(1, 30) as n) as fields from generate_series(1, 2000)
    ) as r
  ),
  'application/json'
));
select is(
  (
    select array_agg(json_array_length(r.errors) order by r."row")
    from json_to_recordset((kept('answer')).body::json -> 'results') as r ("row" integer, errors json)
    where r."row" in (1, 2000)
  ),
  '{21,1}', 'a row has at most 20 errors and a note, and a late row only a note'
);
select is((kept('answer')).body::json #>> '{results,0,errors,20,detail}', 'The row has 31 errors. These are the first 20.', 'the note');
select cmp_ok(octet_length((kept('answer')).body), '<', 4800000, 'the response is limited');

select * from finish();
rollback;
