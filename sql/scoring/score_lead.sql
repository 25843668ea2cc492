-- scoring.score_lead - scores a lead from its latest signals, and keeps the score.
set local role leads_owner;

create or replace function scoring.score_lead(organization_id uuid, lead_id uuid)
returns api.new_score language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_instant timestamptz;
  v_model record;
  v_score api.new_score;
begin
  -- A concurrent request for the lead waits here. Then it sees every signal that the first one saw.
  perform
  from app.lead as l
  where l.organization_id = score_lead.organization_id and l.id = score_lead.lead_id
  for no key update;
  if not found then
    return null;
  end if;
  -- clock_timestamp(), so that the first request also comes first in the history.
  v_instant := date_trunc('milliseconds', clock_timestamp());

  select m.* into v_model from scoring.model_in_force(score_lead.organization_id) as m;
  insert into scoring.score as s (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
  select
    score_lead.organization_id, r.lead_id, 'scored', r.lead_score, r.ai_reasoning, v_model.model, v_model.model_version,
    (v_model.document ->> 'base')::numeric, r.contributions, v_instant
  from scoring.compute_scores(
    score_lead.organization_id, array[score_lead.lead_id], array[v_instant], v_model.document, true
  ) as r
  returning s.lead_id, s.lead_score, s.ai_reasoning, app.utc_text(s.created_at) into v_score;
  return v_score;
end $$;

comment on function scoring.score_lead(uuid, uuid) is
$$Scores a lead as of now with the model in force, and adds the score to the history. A trigger writes it to the lead.

Null: the organization has no such lead.$$;

grant execute on function scoring.score_lead(uuid, uuid) to leads_exec, leads_intake, leads_jobs;
