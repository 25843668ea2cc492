begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select made_lead('{"email": "eve@example.com"}');
select made_lead('{"email": "sam@example.com", "pipeline_stage": "lost"}');
select api.update_lead(l.id, '{"pipeline_stage": "qualified"}')
from unnest(array[lead('ada@example.com'), lead('eve@example.com')]) as l (id);
select api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "won"}');
select api.update_lead(lead('eve@example.com'), '{"pipeline_stage": "lost"}');
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event", "observed_at": "2020-01-01"}');
select api.create_signals(lead('eve@example.com'), '{"type": "storm_event", "observed_at": "2999-01-01"}');
select act_as('dba');
create function test.model()
returns jsonb
language sql
as $$
  select '{
    "base": 0.1, "rules": [{"name": "storm", "signal": "storm_event", "label": "storm", "weight": 0.3}]
  }'::jsonb
$$;
select set_eq(
  $$
    select b.lead_id, b.is_won, b.lead_score, b.score_in_force
    from admin.backtest_scoring_model(organization('alice'), model()) as b
  $$,
  $$values (lead('ada@example.com'), true, 40, 55), (lead('eve@example.com'), false, 10, 55)$$,
  'a signal that was observed later doesn''t count'
);
select set_eq(
  $$select b.lead_id, b.is_qualified from admin.backtest_leads(organization('alice')) as b$$,
  $$
    values
      (lead('ada@example.com'), true), (lead('eve@example.com'), true), (lead('sam@example.com'), false)
  $$,
  'a lead that was never qualified is left out'
);
select is(
  (select count(*) from admin.backtest_scoring_model(organization('alice'), model(), array[lead('ada@example.com')])), 1::bigint,
  'only the leads with the given ids'
);
select act_as('dba');
select is((select count(*) from scoring.score as s where s.kind = 'scored'), 0::bigint, 'nothing is stored');

select * from finish();
rollback;
