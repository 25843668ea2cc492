begin;
select plan(8);

select act_as('bob');
select made_lead('{"email": "bob@example.com", "source": "web"}');
select act_as('alice');
select made_lead('{"email": "alice@example.com", "source": "web"}');

select is(
  array(select l ->> 'email' from json_array_elements((a.answer).body::json -> 'data') as l),
  array['alice@example.com'], a.shape
)
from (values
  ('without a filter', api.list_leads()),
  ('by stage', api.list_leads(pipeline_stage => '{new}')),
  ('by source', api.list_leads(source => '{web}')),
  ('by both', api.list_leads(pipeline_stage => '{new}', source => '{web}')),
  ('by address', api.list_leads(email => '{alice@example.com,bob@example.com}'))
) as a (shape, answer);

select act_as('stranger');
select is((api.list_leads()).body, '{"data":[],"next_cursor":null}', 'without a key');
select is((api.list_leads(source => '{web}')).body, '{"data":[],"next_cursor":null}', 'without a key, filtered by source');
select is((api.list_leads(email => '{bob@example.com}')).body, '{"data":[],"next_cursor":null}', 'without a key, filtered by e-mail address');

select * from finish();
rollback;
