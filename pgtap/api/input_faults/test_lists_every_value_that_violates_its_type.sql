begin;
select plan(4);

select act_as('stranger');
select is(
  (
    select array_agg(f ->> 'field' || ' ' || (f ->> 'code') order by n)
    from json_array_elements(api.input_faults(
      array['limit', 'cursor', 'source', 'Idempotency-Key'],
      array['api.page_size', 'api.cursor', 'api.any_of', 'api.idempotency_key'],
      array['201', 'x', '{1,2,3,4,5,6,7,8,9,10,11}', E'a\tkey']
    )) with ordinality as f (f, n)
  ),
  array[
    'limit out_of_range', 'cursor invalid_cursor', 'source too_many_values', 'Idempotency-Key invalid_idempotency_key'
  ],
  'all four values'
);
select is(
  api.input_faults(
    array['limit', 'cursor', 'source', 'Idempotency-Key'],
    array['api.page_size', 'api.cursor', 'api.any_of', 'api.idempotency_key'],
    array['200', null, '{1,2,3,4,5,6,7,8,9,10}', 'a key']
  )::text,
  null,
  'null if all values are valid'
);
select is(api.input_faults('{}', '{}', '{}')::text, null, 'null without values');
select is(
  (api.input_faults(array['limit'], array['api.page_size'], array['0']) -> 0)::jsonb,
  '{"field": "limit", "code": "out_of_range", "detail": "This must be a whole number from 1 to 200."}',
  'one entry'
);

select * from finish();
rollback;
