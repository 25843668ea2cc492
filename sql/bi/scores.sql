-- bi.scores - the history of each lead's score, with the contributions as rows.
set local role leads_owner;

create or replace view bi.scores with (security_invoker = true) as
select
  s.id as score_id,
  s.organization_id,
  s.lead_id,
  s.created_at as scored_at,
  s.kind,
  s.lead_score,
  s.model,
  s.model_version,
  (100 * s.base)::integer as base_points,
  coalesce(c.position, 1)::integer as position,
  c.contribution ->> 'rule' as rule,
  c.contribution ->> 'label' as label,
  (100 * (c.contribution ->> 'contribution')::numeric)::integer as points,
  (c.contribution ->> 'signal_id')::uuid as signal_id
from scoring.score as s
-- A score without contributions has a row too.
left join lateral json_array_elements(s.contributions) with ordinality as c (contribution, position) on true
-- The policy has the same condition. Each of the two is sufficient.
where s.organization_id = (select auth.analyst_organization_id());

comment on view bi.scores is
  'Every score that a lead had, one row for each contribution of a rule to it, and at least one row. To count or average scores, '
  'restrict position to 1. Scores of deleted and erased leads are not shown.';
comment on column bi.scores.score_id is 'The score''s id, a UUID of version 7. The rows of one score have the same.';
comment on column bi.scores.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.scores.lead_id is 'The lead''s id, as in bi.leads.';
comment on column bi.scores.scored_at is 'timestamptz: when the score was computed or set.';
comment on column bi.scores.kind is 'scored: a model computed it. set: a client wrote it, so that it has no model and no rule.';
comment on column bi.scores.lead_score is
  'The score, a whole number from 0 to 100: base_points and the points of all its rows, limited to this range.';
comment on column bi.scores.model is 'own: the organization''s model. default: the default model. null: kind is set.';
comment on column bi.scores.model_version is 'The version of the model; null: kind is set.';
comment on column bi.scores.base_points is 'The points with which the model begins, a whole number from 0 to 100; null: kind is set.';
comment on column bi.scores.position is 'The place of the contribution in the score, from 1, the highest contribution first.';
comment on column bi.scores.rule is 'The name of the rule; null: no rule contributed.';
comment on column bi.scores.label is 'The rule''s label, as in ai_reasoning; null: no rule contributed.';
comment on column bi.scores.points is
  'The points that the rule added, a whole number from -100 to 100; null: no rule contributed.';
comment on column bi.scores.signal_id is
  'The id of the signal that the rule read, as in bi.signals; null: the rule read a field of the lead, or no signal exists.';

grant select on bi.scores to leads_bi;
