begin;
select plan(7);

select act_as('stranger');
select is(
  (
    select array_agg(f ->> 'field' || ' ' || (f ->> 'code') order by n)
    from json_array_elements(api.input_faults(array['body'], array['text'], array[c.body])) with ordinality as f (f, n)
  ),
  c.expected,
  c.body
)
from (values
  ('{"a": 1}', null), ('{', array['body invalid_json']), ('[]', array['body not_an_object']),
  ('{"a": 1, "a": 2, "b": 1, "b": 2}', array['a duplicate_key', 'b duplicate_key']),
  ('{"a": "\u0000"}', array['body nul_character']),
  ('{"a":' || repeat('[', 40) || repeat(']', 40) || '}', array['body too_deep'])
) as c (body, expected);
select is(
  (
    select array_agg(f ->> 'field' || ' ' || (f ->> 'code') order by n)
    from json_array_elements(
      api.input_faults(array['limit', 'body'], array['api.page_size', 'text'], array['0', '{'])
    ) with ordinality as f (f, n)
  ),
  array['limit out_of_range', 'body invalid_json'],
  'together with the errors of other values'
);

select * from finish();
rollback;
