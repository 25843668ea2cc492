begin;
select plan(6);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(lead('ada@example.com'), '{"type": "storm_event", "dedupe_key": "k"}');
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '0', 'the default model doesn''t score again');
select act_as('operator');
select (admin.edit_scoring_model(organization('alice'), '{
  "base": 0.2, "rescore_on_signal": true,
  "rules": [{"name": "storm", "signal": "storm_event", "label": "storm", "weight": 0.3}]
}'))::text;
select (admin.activate_scoring_model(organization('alice')))::text;
select act_as('alice');
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event", "dedupe_key": "k"}');
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '0', 'a repeated signal doesn''t start scoring');
select api.create_signals(lead('ada@example.com'), '{"type": "visits"}');
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '0', 'a signal that no rule uses doesn''t start scoring');
select api.create_signals(
  lead('ada@example.com'), '{"signals": [{"type": "visits"}, {"type": "storm_event", "dedupe_key": "k"}]}'
);
select is(
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '0', 'such a signal together with a repeated one doesn''t start scoring'
);
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'lead_score', '50', 'a new signal of a rule starts scoring');
select is(
  (api.list_scores(lead('ada@example.com'))).body::json #>> '{data,0,model}', 'own', 'the score is from the organization''s own model'
);

select * from finish();
rollback;
