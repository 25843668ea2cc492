-- scoring.tg_score__apply - writes the score of a model to the lead.
set local role leads_owner;

create or replace function scoring.tg_score__apply()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  update app.lead as l
  set lead_score = new.lead_score, ai_reasoning = new.ai_reasoning, score_id = new.id
  where l.organization_id = new.organization_id and l.id = new.lead_id;
  return null;
end $$;

comment on function scoring.tg_score__apply() is
  'Writes lead_score, ai_reasoning and score_id to the lead.';
