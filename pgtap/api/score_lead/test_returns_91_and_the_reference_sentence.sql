begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(
  lead('ada@example.com'),
  '{"signals": [{"type": "fast_form_completion"}, {"type": "phone_validated"}, {"type": "storm_event"}]}'
);
select keep('score', api.score_lead(lead('ada@example.com')));

select is((kept('score')).status, 200, 'the status');
select is(
  (kept('score')).body,
  format(
    '{"id":"%s","lead_score":91,"ai_reasoning":"Recent storm event in service radius (+0.18); phone validated (+0.10); '
    'fast form completion (+0.08)","scored_at":"%s"}',
    lead('ada@example.com'), (kept('score')).body::json ->> 'scored_at'
  ),
  'the exact body'
);
select is(
  (kept('score')).headers ->> 'ETag', (api.get_lead(lead('ada@example.com'))).headers ->> 'ETag', 'the lead''s ETag'
);
select is(
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '91', 'the lead has the score'
);

select * from finish();
rollback;
