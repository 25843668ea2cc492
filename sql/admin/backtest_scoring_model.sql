-- admin.backtest_scoring_model - scores won and lost leads, for leads scoring backtest.
set local role leads_jobs;

create or replace function admin.backtest_scoring_model(
  organization_id uuid,
  document jsonb,
  lead_ids uuid[] default null
)
returns table (lead_id uuid, is_won boolean, lead_score integer, score_in_force integer)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set jit = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(backtest_scoring_model.organization_id)).organization_id;
  v_in_force jsonb := (scoring.model_in_force(v_organization_id)).document;
  v_ids uuid[];
  v_instants timestamptz[];
  v_are_won boolean[];
begin
  perform admin.check_scoring_model(backtest_scoring_model.document);
  v_ids := coalesce(
    backtest_scoring_model.lead_ids,
    array(
      select l.id from app.lead as l
      where l.organization_id = v_organization_id and l.pipeline_stage in ('won', 'lost')
    )
  );
  select array_agg(l.id), array_agg(l.qualification_completed_at), array_agg(l.pipeline_stage = 'won')
  into v_ids, v_instants, v_are_won
  from unnest(v_ids) as i (id)
  join app.lead as l on l.organization_id = v_organization_id and l.id = i.id
  where l.pipeline_stage in ('won', 'lost') and l.qualification_completed_at is not null;
  perform audit.record_read(v_organization_id, 'admin.backtest_scoring_model', coalesce(v_ids, '{}'));

  return query
  select l.id, l.is_won, r.lead_score, f.lead_score
  from unnest(v_ids, v_are_won) as l (id, is_won)
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, backtest_scoring_model.document, false) as r
    on r.lead_id = l.id
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, v_in_force, false) as f on f.lead_id = l.id;
end $$;

comment on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) is
$$Scores each lead that is won or lost, with the signals that were observed before its qualification. Stores no score.

lead_ids: ids from admin.backtest_leads without repetitions; null for all leads in one statement. Leads that were never
qualified are left out. A lead's own fields have their present values. score_in_force: the score that the model in force
gives. Writes the event lead.read. Raises PT404 organization_not_found, PT422 invalid_model.$$;

grant execute on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) to leads_operator;
