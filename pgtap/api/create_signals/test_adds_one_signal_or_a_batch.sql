begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select keep('one', api.create_signals(lead('ada@example.com'), '{"type": "storm_event", "observed_at": "2026-01-02"}'));
select keep('many', api.create_signals(
  lead('ada@example.com'),
  '{"signals": [{"type": "visits", "value": 3.5}, {"type": "form", "value": {"seconds": 12}}, {"type": "gone", "value": null}]}'
));
select is((kept('one')).status, 201, 'the status');
select is(
  (kept('one')).body::jsonb - '{id,created_at}'::text[],
  jsonb_build_object('organization_id', organization('alice'), 'lead_id', lead('ada@example.com'))
    || '{"type": "storm_event", "value": true, "observed_at": "2026-01-02T00:00:00.000Z", "dedupe_key": null}',
  'a signal'
);
select results_eq(
  $$
    select s.type, s.value::text
    from json_to_recordset((kept('many')).body::json -> 'data') as s (type text, value json)
  $$,
  $$values ('visits', '3.5'), ('form', '{"seconds": 12}'), ('gone', null)$$,
  'a batch in the order of the request'
);
select results_eq(
  $$
    select s.type
    from json_to_recordset((api.list_signals(lead('ada@example.com'))).body::json -> 'data') as s (type text)
  $$,
  array['gone', 'form', 'visits', 'storm_event'], 'a list has the newest first'
);
select act_as('dba');
select is(
  (select count(*) from audit.event as e where e.action = 'signal.created' and e.lead_id = lead('ada@example.com')),
  4::bigint, 'each signal is recorded'
);

select * from finish();
rollback;
