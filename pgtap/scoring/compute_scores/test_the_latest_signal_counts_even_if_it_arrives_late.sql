begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(lead('ada@example.com'), c.body)
from (values
  ('{"type": "storm_event", "observed_at": "2026-01-04T00:00:00Z", "value": false}'),
  ('{"type": "storm_event", "observed_at": "2026-01-01T00:00:00Z"}'),
  ('{"type": "phone_validated", "observed_at": "2026-01-01T00:00:00Z", "value": null}'),
  ('{"type": "fast_form_completion", "observed_at": "2027-01-01T00:00:00Z"}')
) as c (body);
select act_as('operator');
select is(s.ai_reasoning, t.expected, t.note)
from (values
  ('2026-01-01 00:00:00Z'::timestamptz, 'Recent storm event in service radius (+0.18)', 'observed at that time'),
  ('2026-01-03 23:59:59Z', 'Recent storm event in service radius (+0.09)', 'one half-life later'),
  ('2026-01-04 00:00:00Z', 'No rule of the scoring model counts: this is its base, 0.55.', 'after a signal with the value false'),
  ('2027-01-01 00:00:00Z', 'fast form completion (+0.08)', 'a later signal')
) as t (at, expected, note)
cross join lateral admin.try_scoring_model(organization('alice'), lead('ada@example.com'), t.at) as s;

select is(
  (admin.try_scoring_model(organization('alice'), lead('ada@example.com'))).ai_reasoning,
  'fast form completion (+0.08)', 'now, a signal from the future counts as a signal of now'
);

select * from finish();
rollback;
