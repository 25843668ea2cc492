begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select made_lead('{"email": "eve@example.com"}');
select keep('first', api.create_signals(lead('ada@example.com'), '{"type": "visits", "value": 1, "dedupe_key": "k"}'));
select keep('again', api.create_signals(lead('ada@example.com'), '{"type": "visits", "value": 2, "dedupe_key": " k "}'));
select is((kept('again')).body, (kept('first')).body, 'the same signal');
select is((kept('again')).status, 201, 'the same status');
select keep('batch', api.create_signals(
  lead('ada@example.com'), '{"signals": [{"type": "b", "dedupe_key": "b"}, {"type": "c", "dedupe_key": "b"}]}'
));
select is(
  (kept('batch')).body::json #>> '{data,1,type}', 'b', 'within a batch'
);
select isnt(
  (api.create_signals(lead('eve@example.com'), '{"type": "visits", "dedupe_key": "k"}')).body::json ->> 'id',
  (kept('first')).body::json ->> 'id', 'another lead has its own dedupe keys'
);
select act_as('dba');
select is((select count(*) from scoring.signal), 3::bigint, 'three signals are stored');

select * from finish();
rollback;
